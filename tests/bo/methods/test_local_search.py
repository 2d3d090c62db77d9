from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import LocalSearch
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return LocalSearch


def measured(values: list[float]) -> History:
    """Far from each other, so that no two share a neighbour by chance alone."""
    rows = CELLS.enumerate()[:: 6466 // len(values)][: len(values)].tolist()
    found = [
        Evaluation(CELLS.architecture(row), {"a": value})
        for row, value in zip(rows, values, strict=True)
    ]
    return History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])


def near(history: History, row: tuple[int, ...]) -> set[int]:
    """Numbers of the trials that an architecture is one change away from."""
    mine = CELLS.hashes(torch.tensor([row]))
    return {
        i
        for i, each in enumerate(history.x)
        if bool(torch.isin(mine, CELLS.hashes(CELLS.neighbours(each))))
    }


def test_neighbours_of_the_best_until_one_is_better() -> None:
    history = measured([3.0, 9.0, 1.0])
    found = LocalSearch().propose(history, 0)
    assert found is not None
    assert 1 in near(history, found.row)
    better = Evaluation(CELLS.architecture(found.row), {"a": 10.0})
    there = History(PROBLEM, [*history.trials, Trial.of(3, better)])
    following = LocalSearch().propose(there, 1)
    assert following is not None
    assert 3 in near(there, following.row)


def test_where_no_neighbour_is_better_it_starts_again() -> None:
    start = CELLS.enumerate()[0]
    rows = [start.tolist(), *CELLS.neighbours(start).tolist()]
    found = [Evaluation(CELLS.architecture(row), {"a": -float(i)}) for i, row in enumerate(rows)]
    history = History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])
    restarted = LocalSearch().propose(history, 0)
    assert restarted is not None
    assert restarted.source == "restart"
    worse = Evaluation(CELLS.architecture(restarted.row), {"a": -99.0})
    trials = [*history.trials, Trial.of(len(history), worse, "restart")]
    following = LocalSearch().propose(History(PROBLEM, trials), 1)
    assert following is not None
    assert len(trials) - 1 in near(History(PROBLEM, trials), following.row)
