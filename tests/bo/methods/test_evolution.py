from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import RegularizedEvolution
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
        return RegularizedEvolution


def test_the_old_die_however_good_they_are() -> None:
    """Aging (section 2.2 of arXiv 1802.01548): the best is a parent only while it is young."""
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, {"quality": Metric("quality", "", "higher")}, maximize="quality")
    # The first is the best, and at least three choices away from the others.
    rows = kind.enumerate()
    far = rows[(rows != rows[0]).sum(1) >= 3][:3]
    trials = [
        Trial.of(i, Evaluation(kind.architecture(row), {"quality": float(-i)}))
        for i, row in enumerate([rows[0], *far])
    ]
    for population, parents in ((4, rows[:1]), (3, far)):
        method = RegularizedEvolution(population=population, tournament=4)
        for seed in range(8):
            child = method.propose(History(problem, trials), seed)
            assert child is not None
            assert int((parents != torch.tensor(child.row)).sum(1).min()) == 1


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


def test_the_best_of_the_tournament_is_mutated() -> None:
    history = measured([3.0, 1.0, 9.0, 2.0, 5.0])
    for seed in range(5):
        found = RegularizedEvolution(population=5, tournament=5).propose(history, seed)
        assert found is not None
        assert 2 in near(history, found.row)


def test_a_tournament_of_one_selects_nothing() -> None:
    history = measured([3.0, 1.0, 9.0, 2.0, 5.0])
    proposals = [
        RegularizedEvolution(population=5, tournament=1).propose(history, seed)
        for seed in range(40)
    ]
    assert set.union(*(near(history, found.row) for found in proposals if found)) == set(range(5))
