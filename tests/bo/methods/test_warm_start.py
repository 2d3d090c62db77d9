import pytest
import torch

from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.methods.warm_start import PROBES, WarmStart
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.encoders.tasks.task_description import TaskDescription
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.enumerate()
PARAMS = CELLS.statistics(X)["params"].double()
DEPTH = CELLS.statistics(X)["depth"].double()


def task(name: str, values: torch.Tensor, size: float | None = None) -> SourceTask:
    said = None if size is None else TaskDescription("graph", {"log nodes": size})
    return SourceTask(name, CELLS, X, {"acc": values}, description=said)


def table(values: torch.Tensor, rows: slice = slice(None)) -> Table:
    return Table(CELLS, X[rows], {"acc": values[rows]}, {"acc": Metric("acc", "", "higher")})


def run(method: WarmStart, truth: Table, budget: int) -> list[Trial]:
    problem = Problem.of(truth, maximize="acc")
    trials: list[Trial] = []
    for number in range(budget):
        proposal = method.propose(History(problem, trials), number)
        assert proposal is not None
        trials.append(Trial(number, proposal).finish(truth.evaluate(proposal.row)))
    return trials


@pytest.mark.slow
def test_probes_describe_a_task_of_which_nothing_is_known() -> None:
    """Ten of them, then the description says which earlier task is alike."""
    tasks = SourceTasks([task("few", -PARAMS), task("many", PARAMS), task("deep", DEPTH)])
    method = WarmStart(tasks, "acc")
    trials = run(method, table(PARAMS), PROBES + 3)
    assert [trial.proposal.source for trial in trials] == ["probe"] * PROBES + ["exhaustive"] * 3
    assert len({trial.proposal.row for trial in trials}) == PROBES + 3
    history = History(Problem.of(table(PARAMS), maximize="acc"), trials)
    known = method.described(history)
    assert known.description is not None
    assert known.description.kind == "probes"
    weight = known._likeness("acc")[0]
    assert int(weight.argmax()) == 1
    found = [trial.metrics["acc"] for trial in trials]
    assert found[PROBES] > max(found[:PROBES]), "the first that earlier tasks led to"
    assert max(found) == pytest.approx(float(PARAMS.max()))


def test_probes_are_those_that_can_be_evaluated() -> None:
    tasks = SourceTasks([task(str(i), PARAMS) for i in range(3)])
    trials = run(WarmStart(tasks, "acc"), table(PARAMS, slice(0, None, 5)), 3)
    assert {trial.proposal.source for trial in trials} == {"probe"}


@pytest.mark.slow
@pytest.mark.parametrize("known", [1, 3])
def test_no_label_is_spent_on_what_is_known_or_of_no_use(known: int) -> None:
    """Described tasks need no probes, nor do so few that labels tell soon enough."""
    if known == 3:
        sources = [task(str(size), PARAMS, size) for size in (7.0, 8.0, 9.0)]
        tasks = SourceTasks(sources, TaskDescription("graph", {"log nodes": 7.5}))
    else:
        tasks = SourceTasks([task("only", PARAMS)])
    trials = run(WarmStart(tasks, "acc"), table(PARAMS), 1)
    assert trials[0].proposal.source == "warm start"
    assert trials[0].metrics["acc"] == pytest.approx(float(PARAMS.max()), rel=0.3)


@pytest.mark.slow
def test_a_source_that_misleads_is_given_up() -> None:
    """Some labels later what is proposed is what would be without any earlier task."""
    truth = table(PARAMS)
    method = WarmStart(SourceTasks([task("opposed", -PARAMS)]), "acc")
    trials = run(method, truth, 10)
    assert [trial.proposal.source for trial in trials[:3]] == ["warm start"] * 3
    history = History(Problem.of(truth, maximize="acc"), trials)
    assert method.fitted(history).dropped == {"acc": ("opposed",)}
    assert method.propose(history, 0) == BayesianOptimization().propose(history, 0)


@pytest.mark.slow
def test_every_other_proposal_leaves_earlier_tasks_out() -> None:
    """However well they are believed."""
    truth = table(PARAMS)
    problem = Problem.of(truth, maximize="acc")
    method = WarmStart(SourceTasks([task("deep", DEPTH)]), "acc")
    trials = run(method, truth, 7)
    same = []
    for count in (3, 4, 5, 6):
        history = History(problem, trials[:count])
        assert method.fitted(history).dropped == {"acc": ()}
        same.append(method.propose(history, 0) == BayesianOptimization().propose(history, 0))
    assert same == [False, True, False, True]
