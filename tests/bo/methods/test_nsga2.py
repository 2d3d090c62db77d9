from collections.abc import Callable

import pytest

from vitruvius.bo.method import Method
from vitruvius.bo.methods import NSGA2
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces.declared import DeclaredSpace
from vitruvius.testing import MethodContract

# No two rows are one architecture, so that what a child inherits can be read off it.
CELLS = DeclaredSpace(
    {
        "name": "six",
        "nodes": ["training"],
        "variables": [
            {"name": name, "choices": [0, 1, 2, 3], "kind": "recipe"} for name in "abcdef"
        ],
    }
)
METRICS = {"a": Metric("a", "", "higher"), "b": Metric("b", "", "higher")}
PROBLEM = Problem(CELLS, METRICS, maximize="a, b")


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return NSGA2


def measured(values: list[tuple[float, float]]) -> History:
    """The i-th has the i-th operation everywhere, which tells what children inherit."""
    trials = [
        Trial.of(i, Evaluation(CELLS.architecture((i,) * 6), {"a": a, "b": b}))
        for i, (a, b) in enumerate(values)
    ]
    return History(PROBLEM, trials)


def test_children_have_their_variables_from_what_is_not_dominated() -> None:
    """At most one variable is another: that is the mutation."""
    history = measured([(1.0, 1.0), (9.0, 2.0), (2.0, 9.0), (1.0, 2.0)])
    children = [NSGA2(population=2).propose(history, seed) for seed in range(30)]
    rows = [child.row for child in children if child is not None]
    assert len(rows) == 30
    assert all(sum(choice not in (1, 2) for choice in row) <= 1 for row in rows)
    assert any({1, 2} <= set(row) for row in rows), "some have two parents"


def test_a_generation_has_the_parents_of_its_start() -> None:
    """What the third trial tells is not used before the next generation begins."""
    first = measured([(1.0, 1.0), (2.0, 2.0)])
    better = Evaluation(CELLS.architecture((3,) * 6), {"a": 9.0, "b": 9.0})
    later = History(PROBLEM, [*first.trials, Trial.of(2, better)])
    for seed in range(5):
        one, two = (NSGA2(population=2).propose(each, seed) for each in (first, later))
        assert one == two
