import math

import pytest
import torch
from hypothesis import given, strategies as st

from vitruvius.core.errors import TableError, UsageError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import ImageTask, space

CELLS = space("nasbench201")
ACCURACY = {"accuracy": Metric("accuracy", "%", "higher", (0.0, 100.0))}
BOTH = {**ACCURACY, "latency": Metric("latency", "ms", "lower")}


def table(x: torch.Tensor, accuracy: list[float]) -> Table:
    return Table(CELLS, x, {"accuracy": torch.tensor(accuracy)}, ACCURACY)


def test_isomorphic_rows_are_one_entry_with_the_mean() -> None:
    # A convolution before or after a skip is the same.
    x = torch.tensor([[3, 0, 0, 0, 1, 0], [4, 4, 4, 4, 4, 4], [1, 0, 0, 0, 3, 0]])
    found = table(x, [10, 50, 20])
    assert (found.architecture_count, found.measured_rows) == (2, 3)
    assert found.values(x)["accuracy"].tolist() == [15, 50, 15]
    assert torch.equal(found.rows, CELLS.canonical(x[:2]))


def test_values_of_what_is_absent_are_nan() -> None:
    rows = CELLS.enumerate()
    found = table(rows[:10], list(range(10)))
    values = found.values(rows[5:15])["accuracy"]
    assert values[:5].tolist() == [5, 6, 7, 8, 9]
    assert values[5:].isnan().all()
    assert found.has(rows[5:15]).tolist() == [True] * 5 + [False] * 5
    assert found.values(rows[:0])["accuracy"].shape == (0,)


def test_values_not_measured_leave_the_mean() -> None:
    x = CELLS.enumerate()[[7, 7, 8]]
    columns = {
        "accuracy": torch.tensor([10, math.nan, math.nan]),
        "latency": torch.tensor([1.0, 3.0, 5.0]),
    }
    found = Table(CELLS, x, columns, BOTH)
    values = found.values(x[1:])
    assert values["accuracy"][0] == 10
    assert values["accuracy"][1].isnan()
    assert values["latency"].tolist() == [2, 5]
    failed = found.evaluate(x[2])
    assert (failed.status, failed.reason, failed.metrics) == ("failed", "no accuracy", {})


def test_an_absent_architecture_is_a_failed_evaluation() -> None:
    rows = CELLS.enumerate()
    evaluation = table(rows[:1], [1]).evaluate(rows[1], seed=3)
    assert not evaluation.ok
    assert evaluation.reason == "not in the table"
    assert (evaluation.fidelity, evaluation.seed) == (None, 3)


def test_labels_are_counted_once_per_architecture() -> None:
    rows = CELLS.enumerate()
    found = table(rows[:10], list(range(10)))
    found.values(rows)
    found.has(rows)
    assert found.labels_used == 0
    found.label(rows[:3])
    found.evaluate(rows[2])
    found.evaluate(rows[3])
    found.evaluate(rows[20])
    assert found.labels_used == 5
    assert found.is_labelled(rows[[0, 3, 4, 20]]).tolist() == [True, True, False, True]


def test_the_task_is_the_spaces_own_by_default() -> None:
    x = CELLS.enumerate()[:1]
    column = {"accuracy": torch.ones(1)}
    assert table(x, [1]).task == CELLS.task
    assert Table(CELLS, x, column, ACCURACY, task=ImageTask(classes=3)).task.classes == 3
    assert table(x, [1]).exact_values(x) == {}


def test_empty_and_inconsistent_tables() -> None:
    with pytest.raises(TableError, match="no rows"):
        table(torch.zeros(0, 6, dtype=torch.long), [])
    with pytest.raises(TableError, match="its metrics are"):
        Table(CELLS, CELLS.enumerate()[:1], {}, ACCURACY)


@given(st.lists(st.tuples(st.integers(0, 15_624), st.floats(0, 100)), min_size=1, max_size=30))
def test_every_entry_is_the_mean_of_its_class(entries: list[tuple[int, float]]) -> None:
    x = CELLS.decode(torch.tensor([code for code, _ in entries]))
    found = Table(CELLS, x, {"accuracy": torch.tensor([v for _, v in entries]).double()}, ACCURACY)
    groups: dict[bytes, list[float]] = {}
    for key, (_, value) in zip(CELLS.keys(x), entries, strict=True):
        groups.setdefault(key, []).append(torch.tensor(value).double().item())
    assert found.architecture_count == len(groups)
    means = [sum(groups[key]) / len(groups[key]) for key in CELLS.keys(x)]
    assert found.values(x)["accuracy"].tolist() == pytest.approx(means, rel=1e-6, abs=1e-30)


def test_fidelities_are_separate_measurements() -> None:
    x = CELLS.enumerate()[:3]
    found = Table(
        CELLS,
        x,
        {"accuracy": torch.tensor([90.0, 91, 92]), "latency": torch.tensor([1.0, 2, 3])},
        BOTH,
        lower={12: {"accuracy": torch.tensor([60.0, math.nan, 62])}},
        seconds={None: torch.tensor([100.0, 200, 300]), 12: torch.tensor([6.0, 12, 18])},
    )
    assert found.fidelities == (12,)
    low, full = found.evaluate(x[0], fidelity=12), found.evaluate(x[0])
    assert (low.metrics, low.seconds, low.fidelity) == ({"accuracy": 60.0}, 6.0, 12)
    assert (full.metrics, full.seconds) == ({"accuracy": 90.0, "latency": 1.0}, 100.0)
    failed = found.evaluate(x[1], fidelity=12)
    assert (failed.status, failed.reason, failed.fidelity) == ("failed", "no accuracy", 12)
    assert (found.labels_used, found.labels_at(12)) == (1, 2)
    assert found.is_labelled(x).tolist() == [True, False, False]
    assert found.seconds(CELLS.enumerate()[3:4]).tolist() == [0]


def test_a_fidelity_that_was_not_measured() -> None:
    rows = CELLS.enumerate()
    with pytest.raises(UsageError, match="nothing at fidelity 12"):
        table(rows[:1], [1]).evaluate(rows[0], fidelity=12)


def test_a_column_at_a_lower_fidelity_without_a_metric() -> None:
    x = CELLS.enumerate()[:1]
    with pytest.raises(TableError, match="metrics are"):
        Table(CELLS, x, {"accuracy": torch.ones(1)}, ACCURACY, lower={1: {"loss": torch.ones(1)}})
