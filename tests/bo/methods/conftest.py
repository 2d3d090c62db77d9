from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import space

CELLS = space("nasbench201")
Near = Callable[[History, tuple[int, ...]], set[int]]


@pytest.fixture
def problem() -> Problem:
    """One objective, ``a``, on NAS-Bench-201."""
    return Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


@pytest.fixture
def five(problem: Problem) -> History:
    """Five trials spread over the space; number 2 is the best, then 4."""
    values = [3.0, 1.0, 9.0, 2.0, 5.0]
    rows = CELLS.enumerate()[::1293][:5].tolist()
    found = [
        Evaluation(CELLS.architecture(row), {"a": value})
        for row, value in zip(rows, values, strict=True)
    ]
    return History(problem, [Trial.of(i, each) for i, each in enumerate(found)])


@pytest.fixture
def near() -> Near:
    """Gives the numbers of the trials that an architecture is one change away from."""

    def numbers(history: History, row: tuple[int, ...]) -> set[int]:
        cells = history.problem.space
        mine = cells.hashes(torch.tensor([row]))
        return {
            i
            for i, each in enumerate(history.x)
            if bool(torch.isin(mine, cells.hashes(cells.neighbours(each))))
        }

    return numbers
