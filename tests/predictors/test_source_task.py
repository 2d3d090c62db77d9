import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import NASBenchGraphTable
from vitruvius.predictors.source_task import SourceTask
from vitruvius.spaces import space

CELLS = space("nasbench201")


def test_a_lucky_label_is_believed_by_half() -> None:
    """Of 2,155 labels the process learns from 400; a few had luck."""
    x = CELLS.enumerate()[::3]
    y = CELLS.statistics(x)["params"].double() + CELLS.hashes(x) % 1009
    task = SourceTask("earlier", CELLS, x, {"size": y})
    scores = task.scores("size", CELLS.shuffle(x, 0))
    assert kendalltau(scores, y).statistic > 0.8
    luck = torch.arange(0, len(x), 150)
    lucky = y.clone()
    lucky[luck] += 10 * y.max()
    moved = SourceTask("earlier", CELLS, x, {"size": lucky}).scores("size", x)[luck]
    own = torch.special.ndtri(torch.tensor(1 - 0.5 * len(luck) / len(x)))
    halfway = (scores[luck] + own) / 2
    assert float((moved - halfway).median()) == pytest.approx(0, abs=0.3)


def test_the_rest_is_predicted_and_remembered() -> None:
    x = CELLS.sample(120, 0)
    task = SourceTask("earlier", CELLS, x, {"size": CELLS.statistics(x)["params"]})
    new = CELLS.sample(300, 1)
    scores = task.scores("size", new)
    truth = CELLS.statistics(CELLS.canonical(new))["params"]
    assert float(torch.corrcoef(torch.stack([scores, truth]))[0, 1]) > 0.9
    assert torch.equal(task.scores("size", new.flip(0)), scores.flip(0))


def test_too_few_labels_are_refused() -> None:
    with pytest.raises(UsageError, match="earlier"):
        SourceTask("earlier", CELLS, CELLS.sample(2, 0), {"size": torch.ones(2)})
    with pytest.raises(UsageError, match="finite"):
        SourceTask("earlier", CELLS, CELLS.sample(4, 0), {"size": torch.full((4,), torch.nan)})


@pytest.mark.slow
def test_a_search_begins_with_what_earlier_tasks_agree_on() -> None:
    """On Cora from Citeseer: the first proposals are above the middle, and none repeats."""
    cora, citeseer = NASBenchGraphTable("cora"), NASBenchGraphTable("citeseer")
    values = citeseer.values(citeseer.rows)["valid_perf"]
    task = SourceTask("citeseer", cora.space, citeseer.rows, {"valid_perf": values})
    problem = Problem.of(cora, maximize="valid_perf")
    method = BayesianOptimization(tasks=[task])
    trials: list[Trial] = []
    for number in range(4):
        proposal = method.propose(History(problem, trials), seed=number)
        assert isinstance(proposal, Proposal)
        trials.append(Trial(number, proposal).finish(cora.evaluate(proposal.row)))
    assert [trial.proposal.source for trial in trials[:3]] == ["warm start"] * 3
    assert len({trial.proposal.row for trial in trials}) == 4
    everything = cora.values(cora.rows)["valid_perf"]
    for trial in trials[:3]:
        assert float((everything < trial.metrics["valid_perf"]).double().mean()) > 0.6
    weights = method.fitted(History(problem, trials)).weights["valid_perf"]
    assert set(weights) == {"citeseer"}
