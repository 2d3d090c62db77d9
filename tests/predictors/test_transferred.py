import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.core.errors import UsageError
from vitruvius.encoders.tasks.task_description import describe_task
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.predictors import fit_predictor
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks
from vitruvius.predictors.transferred import Transferred


def earlier(*names: str) -> SourceTasks:
    made = []
    for name in names:
        table = NASBenchGraphTable(name)
        rows = table.rows[:: len(table.rows) // 300]
        values = {"valid_perf": table.values(rows)["valid_perf"]}
        said = describe_task(table.task)
        made.append(SourceTask(name, table.space, rows, values, description=said))
    return SourceTasks(made, describe_task(NASBenchGraphTable("cora").task))


@pytest.mark.slow
def test_on_cora_earlier_data_sets_are_worth_more_than_ten_labels() -> None:
    """Kendall tau without a label, and with ten beside a predictor that has only those."""
    cora = NASBenchGraphTable("cora")
    order = torch.randperm(len(cora.rows), generator=torch.Generator().manual_seed(0))
    few, held = cora.rows[order[:10]], cora.rows[order[10:800]]
    labels, truth = cora.values(few)["valid_perf"], cora.values(held)["valid_perf"]
    predictor = Transferred(earlier("citeseer", "pubmed", "physics"), "valid_perf")
    assert predictor.weights == {}

    def tau(mean: torch.Tensor) -> float:
        return float(kendalltau(mean, truth).statistic)

    before = tau(predictor.predict_scores(held)[0])
    after = tau(predictor.fit(few, labels).predict_scores(held)[0])
    alone = tau(fit_predictor("gp", cora.space, few, labels).predict_scores(held)[0])
    assert before > 0.2
    assert after > 0.2
    assert after > alone
    assert sum(predictor.weights.values()) == pytest.approx(1)
    mean, std = predictor.predict(held)
    assert float(labels.min()) - 0.5 < float(mean.mean()) < float(labels.max()) + 0.5
    assert bool((std > 0).all())


def test_a_metric_that_no_task_has_is_refused() -> None:
    with pytest.raises(UsageError, match="latency"):
        Transferred(earlier("citeseer"), "latency")
