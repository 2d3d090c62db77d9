import math

import torch
from hypothesis import given, strategies as st
from torch import Tensor

from vitruvius.bo.problem import Problem
from vitruvius.bo.ranking import crowding, fronts, merit, rank
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.metric import Metric
from vitruvius.spaces import space

METRICS = {name: Metric(name, "", "higher") for name in ("a", "b")}
points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=20)


def history(values: list[tuple[float, float]], **wanted: str) -> History:
    cells = space("nasbench201")
    rows = cells.enumerate()[: len(values)].tolist()
    trials = [
        Trial.of(i, Evaluation(cells.architecture(row), {"a": float(a), "b": float(b)}), "")
        for i, (row, (a, b)) in enumerate(zip(rows, values, strict=True))
    ]
    return History(Problem(cells, METRICS, **wanted), trials)


def dominates(p: Tensor, q: Tensor) -> bool:
    return bool((p >= q).all() and (p > q).any())


@given(points)
def test_fronts_are_peeled(values: list[tuple[int, int]]) -> None:
    scores = torch.tensor(values, dtype=torch.float64)
    level = fronts(scores).tolist()
    for i, p in enumerate(scores):
        better = [level[j] for j, q in enumerate(scores) if dominates(q, p)]
        assert level[i] == max(better, default=-1) + 1


@given(points)
def test_what_dominates_ranks_before(values: list[tuple[int, int]]) -> None:
    some = history(values, maximize="a,b")
    ranks = rank(some).tolist()
    for i, p in enumerate(some.scores):
        for j, q in enumerate(some.scores):
            assert not dominates(p, q) or ranks[i] < ranks[j]


def test_one_objective_ranks_by_value() -> None:
    some = history([(1, 0), (3, 0), (3, 0), (2, 0)], maximize="a")
    assert rank(some).tolist() == [2, 0, 0, 1]
    assert rank(history([(1, 0), (3, 0), (2, 0)], minimize="a")).tolist() == [0, 2, 1]
    assert merit(some).argmax() == 1


def test_what_breaks_a_constraint_comes_last_by_how_far() -> None:
    some = history([(9, 5), (1, 1), (8, 3), (2, 2), (0, 2)], maximize="a", where="b<=2")
    assert rank(some).tolist() == [4, 1, 3, 0, 2]
    both = history([(9, 5), (1, 1), (2, 2), (0, 0)], maximize="a,b", where="b<=2")
    assert rank(both).tolist() == [3, 1, 0, 2]


def test_ends_of_a_front_before_its_middle() -> None:
    scores = torch.tensor([[0.0, 9.0], [4.0, 4.0], [5.0, 3.0], [9.0, 0.0]])
    assert crowding(scores, torch.zeros(4, dtype=torch.long)).tolist() == [
        math.inf, 5 / 9 + 6 / 9, 5 / 9 + 4 / 9, math.inf,
    ]  # fmt: skip
    ranks = rank(history([tuple(p) for p in scores.tolist()], maximize="a,b"))  # type: ignore[misc]
    assert ranks.tolist() == [0, 1, 2, 0]


def test_nothing_to_rank() -> None:
    for wanted in ("a", "a,b"):
        assert len(rank(history([], maximize=wanted, where="b<=2"))) == 0
