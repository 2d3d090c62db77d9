"""Decisions about what an evaluation costs: lower fidelities, and improvement per second."""

import pytest
import torch

from vitruvius.bo.methods.bayesian import BayesianOptimization
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import UserTable
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.predictors.source_task import SourceTask
from vitruvius.spaces import Space, space

CELLS = space("nasbench201")


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> UserTable:
    """Accuracy grows with convolutions; twelve epochs tell most of it for a tenth of the cost."""
    x = CELLS.sample(400, 0).unique(dim=0)
    high = 50 + 7 * (x == 3).sum(1) + 3 * (x == 2).sum(1) - 2 * (x == 0).sum(1)
    low = high // 2 + (x[:, 0] == 4)
    rows = ["arch_str,high,low,full_s,low_s"]
    for row, a, b in zip(x.tolist(), high.tolist(), low.tolist(), strict=True):
        seconds = 100 + 100 * row.count(3)
        rows.append(f"{CELLS.to_string(row)},{a},{b},{seconds},{seconds / 10}")
    path = tmp_path_factory.mktemp("table") / "table.csv"
    path.write_text("\n".join(rows))
    metrics = "acc=high, acc@12=low, seconds=full_s, seconds@12=low_s"
    return UserTable(CELLS, [path], architecture_column="arch_str", metrics=metrics)


def run(table: UserTable, method: BayesianOptimization, budget: int) -> list[Trial]:
    problem = Problem.of(table, maximize="acc")
    trials: list[Trial] = []
    for number in range(budget):
        proposal: Proposal | None = Proposal(tuple(table.rows[number].tolist()), "initial")
        if number >= 5:
            proposal = method.propose(History(problem, trials), number)
        assert proposal is not None
        told = table.evaluate(proposal.row, proposal.fidelity)
        trials.append(Trial(number, proposal).finish(told))
    return trials


@pytest.mark.slow
def test_lower_first_looks_cheaply_and_then_evaluates_the_best_in_full(table: UserTable) -> None:
    trials = run(table, BayesianOptimization(fidelity="lower-first"), 40)[5:]
    low = [t.proposal.row for t in trials if t.proposal.fidelity == 12]
    full = [t.proposal.row for t in trials if t.proposal.fidelity is None]
    assert len(set(low)) == len(low) > 0
    assert len(set(full)) == len(full) > 0
    best = float(table.values(table.rows)["acc"].max())
    assert max(t.metrics["acc"] for t in trials if t.proposal.fidelity is None) == best


@pytest.mark.slow
def test_an_earlier_task_is_weighed_at_every_fidelity(table: UserTable) -> None:
    """One that is right is believed, and cheap looks are taken beside it."""
    alike = SourceTask("alike", CELLS, table.rows, {"acc": table.values(table.rows)["acc"]})
    method = BayesianOptimization(fidelity="lower-first", tasks=[alike])
    trials = run(table, method, 15)
    assert any(t.proposal.fidelity == 12 for t in trials)
    history = History(Problem.of(table, maximize="acc"), trials)
    assert method.fitted(history).weights == {"acc": {"alike": 1.0}}


@pytest.mark.parametrize("options", [{"per_second": True}, {"fidelity": "lower-first"}])
def test_costs_need_a_logarithmic_acquisition(table: UserTable, options: dict) -> None:
    with pytest.raises(UsageError, match="log"):
        run(table, BayesianOptimization(acquisition="ucb", **options), 6)


def test_options_are_checked() -> None:
    with pytest.raises(UnknownNameError, match="lower-first"):
        BayesianOptimization(fidelity="lower")
    for name in ("average", "ensemble", "lightgbm", "nao:steps=5"):
        with pytest.raises(UsageError, match="fidelities depend") as caught:
            BayesianOptimization(fidelity="lower-first", surrogate=name)
        assert "auto, gp, deep-kernel, latent" in caught.value.hint


def test_counted_objectives_need_no_cheap_look() -> None:
    nothing: Space = CELLS
    problem = Problem(nothing, {}, minimize="params")
    rows = [tuple(row) for row in CELLS.sample(5, 1).tolist()]
    trials = [Trial.of(i, Evaluation(CELLS.architecture(row))) for i, row in enumerate(rows)]
    found = BayesianOptimization(fidelity="lower-first").propose(History(problem, trials), 0)
    assert found is not None
    assert found.fidelity is None
    assert torch.tensor(found.row).shape == (6,)
