import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.predictors.multi_task import MultiTask
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.enumerate()[::20]
PARAMS = CELLS.statistics(X)["params"].double()
NOISE = torch.randn(len(X), generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.slow
def test_tasks_that_are_alike_correlate_and_tell_what_few_labels_cannot() -> None:
    tasks = SourceTasks(
        [
            SourceTask("alike", CELLS, X, {"acc": PARAMS}),
            SourceTask("noise", CELLS, X, {"acc": NOISE}),
        ]
    )
    predictor = MultiTask(tasks, "acc")
    assert predictor.weights == {}
    few, held = CELLS.sample(8, 1), CELLS.sample(300, 2)
    predictor.fit(few, CELLS.statistics(few)["params"])
    assert predictor.weights["alike"] > predictor.weights["noise"]
    mean, std = predictor.predict_scores(held)
    assert kendalltau(mean, CELLS.statistics(held)["params"]).statistic > 0.6
    assert bool((std > 0).all())
    again = MultiTask(tasks, "acc")
    again.fit(few, CELLS.statistics(few)["params"])
    assert torch.equal(again.predict_scores(held)[0], mean)
