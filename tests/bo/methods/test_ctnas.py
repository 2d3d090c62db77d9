from collections.abc import Callable
from functools import partial

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import CTNAS
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.predictors import Comparator
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return partial(CTNAS, members=1, steps=4)


def test_what_likeliest_beats_the_best_is_proposed() -> None:
    rows = CELLS.sample(30, 0).unique(dim=0).tolist()
    found = [Evaluation(CELLS.architecture(row), {"a": float(sum(row))}) for row in rows]
    history = History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])
    proposal = CTNAS(members=1, steps=20).propose(history, 3)
    total = history.x.sum(1).double()
    comparator = Comparator(CELLS, seed=3, members=1, steps=20).fit(history.x, total)
    left = history.fresh(CELLS.enumerate())
    chance = comparator.beats(left, history.x[int(total.argmax())][None])[:, 0]
    assert proposal is not None
    mine = (left == torch.tensor(proposal.row)).all(1)
    assert float(chance[mine]) == float(chance.max())
