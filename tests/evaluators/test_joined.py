from __future__ import annotations

import pytest
import torch

from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric, Table
from vitruvius.evaluators.function import FunctionEvaluator
from vitruvius.evaluators.joined import JoinedEvaluator
from vitruvius.evaluators.resolver import evaluator
from vitruvius.spaces import GraphTask, space

CELLS = space("nasbench201")
X = CELLS.enumerate()[:6]


def table(name: str, rows: slice, **lower: torch.Tensor) -> Table:
    metric = Metric(name, "", "higher")
    values = torch.arange(6.0)[rows]
    cheap = {12: {name: values / 2}} if lower else {}
    return Table(CELLS, X[rows], {name: values}, {name: metric}, lower=cheap)


def test_tables_join_to_what_both_know_with_the_metrics_of_both() -> None:
    a, b = table("a", slice(0, 4), lower=X), table("b", slice(2, 6))
    joined = JoinedEvaluator([a, b])
    assert (list(joined.metrics), joined.batched, joined.fidelities) == (["a", "b"], True, (12,))
    assert joined.rows is not None
    assert torch.equal(joined.rows, a.rows[2:])
    assert joined.has(X).tolist() == [False, False, True, True, False, False]
    assert {k: v.tolist() for k, v in joined.label(X[2:4]).items()} == {"a": [2, 3], "b": [2, 3]}
    assert (a.labels_used, b.labels_used) == (2, 2)
    cheap = joined.evaluate(X[3], 12)
    assert (cheap.metrics, cheap.fidelity) == ({"a": 1.5, "b": 3.0}, 12)
    lost = joined.evaluate(X[0])
    assert (lost.status, lost.reason) == ("failed", "not in the table")


def test_a_function_leaves_to_a_table_what_that_measures() -> None:
    joined = evaluator(
        CELLS, [table("acc", slice(0, 6)), lambda a: {"ms": 5.0, "acc": -1.0}], named="acc, ms<=6"
    )
    assert joined.evaluate(X[5]).metrics == {"acc": 5.0, "ms": 5.0}
    assert not joined.batched


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="Several evaluators measure a"):
        JoinedEvaluator([table("a", slice(0, 6)), table("a", slice(0, 2))])
    graphs = space("nas-bench-graph")
    other = FunctionEvaluator(graphs, lambda a: {"x": 1.0}, "x")
    with pytest.raises(UsageError, match="One evaluator is of nasbench201, another of nas-bench"):
        JoinedEvaluator([table("a", slice(0, 6)), other])
    citeseer = evaluator(graphs, "citeseer")
    mine = FunctionEvaluator(graphs.for_task(GraphTask(features=9)), lambda a: {"x": 1.0}, "x")
    with pytest.raises(UsageError, match=r"different tasks: .*features=9.*features=3703"):
        JoinedEvaluator([citeseer, mine])


def test_the_context_reaches_each_that_takes_one() -> None:
    class Old(Evaluator):
        def evaluate(self, architecture, fidelity=None, seed=0):  # type: ignore[no-untyped-def, override]
            return Evaluation(self.space.architecture(architecture), {"old": 1.0}, seconds=2.0)

    seen = []
    new = FunctionEvaluator(CELLS, lambda a, context: seen.append(context) or {"new": 2.0}, "new")
    told = JoinedEvaluator([Old(CELLS, {"old": Metric("old", "", "higher")}), new]).evaluate(X[0])
    assert told.metrics == {"old": 1.0, "new": 2.0}
    assert told.seconds == 2.0
    assert len(seen) == 1
