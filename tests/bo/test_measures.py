import itertools
import math

import pytest
import torch
from hypothesis import given, strategies as st

from vitruvius.bo.measures import (
    best_so_far,
    hypervolume,
    incumbents,
    pareto_mask,
    reference_point,
    regret,
)
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.metric import Metric
from vitruvius.spaces import space

METRICS = {name: Metric(name, "", "higher") for name in ("a", "b")}
pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), min_size=1, max_size=15)
triples = st.lists(st.tuples(*[st.integers(0, 4)] * 3), min_size=1, max_size=8)


def history(values: list[tuple[int, int]], **wanted: str) -> History:
    cells = space("nasbench201")
    trials = [
        Trial.of(i, Evaluation(cells.architecture(row), {"a": float(a), "b": float(b)}), "")
        for i, (row, (a, b)) in enumerate(zip(cells.enumerate().tolist(), values, strict=False))
    ]
    return History(Problem(cells, METRICS, **wanted), trials)  # type: ignore[arg-type]


@given(pairs)
def test_best_so_far_by_brute_force(values: list[tuple[int, int]]) -> None:
    for wanted, best in (("maximize", max), ("minimize", min)):
        some = history(values, where="b<=3", **{wanted: "a"})
        found = best_so_far(some).tolist()
        for i in range(len(values)):
            feasible = [a for a, b in values[: i + 1] if b <= 3]
            assert found[i] == best(feasible) if feasible else math.isnan(found[i])
            index = int(incumbents(some)[i])
            assert (index < 0) == (not feasible)
            assert index < 0 or values[index][0] == found[i]


def test_regret_is_never_negative() -> None:
    values = [(1, 0), (5, 0), (3, 0), (6, 0)]
    assert regret(history(values, maximize="a"), 6.0).tolist() == [5, 1, 1, 0]
    assert regret(history(values, minimize="a"), 0.0).tolist() == [1, 1, 1, 1]


@given(triples)
def test_hypervolume_by_counting_cells(values: list[tuple[int, int, int]]) -> None:
    cells = itertools.product(range(4), repeat=3)
    covered = sum(
        any(all(c < v for c, v in zip(cell, value, strict=True)) for value in values)
        for cell in cells
    )
    scores = torch.tensor(values, dtype=torch.float64)
    reference = torch.zeros(3, dtype=torch.float64)
    assert hypervolume(scores, reference) == pytest.approx(covered)


@given(triples)
def test_the_front_by_brute_force(values: list[tuple[int, int, int]]) -> None:
    scores = torch.tensor(values, dtype=torch.float64)
    feasible = scores[:, 0] <= 2
    mask = pareto_mask(scores, feasible).tolist()
    for i, p in enumerate(scores):
        beaten = any(
            bool(feasible[j] and (q >= p).all() and (q > p).any()) for j, q in enumerate(scores)
        )
        assert mask[i] == (bool(feasible[i]) and not beaten)


def test_nothing_beyond_the_reference_has_no_volume() -> None:
    scores = torch.tensor([[1.0, 2.0], [3.0, 0.5]])
    assert hypervolume(scores, torch.tensor([3.0, 2.0])) == 0
    assert reference_point(scores).tolist() == [1.0, 0.5]
