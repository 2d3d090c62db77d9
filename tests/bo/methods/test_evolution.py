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

Near = Callable[[History, tuple[int, ...]], set[int]]


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


def test_the_best_of_the_tournament_is_mutated(five: History, near: Near) -> None:
    for seed in range(5):
        found = RegularizedEvolution(population=5, tournament=5).propose(five, seed)
        assert found is not None
        assert 2 in near(five, found.row)


def test_a_tournament_of_one_selects_nothing(five: History, near: Near) -> None:
    proposals = [
        RegularizedEvolution(population=5, tournament=1).propose(five, seed) for seed in range(40)
    ]
    assert set.union(*(near(five, found.row) for found in proposals if found)) == set(range(5))
