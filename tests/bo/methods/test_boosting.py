from collections.abc import Callable
from functools import partial

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import BoostingSearch
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.predictors import Boosting
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return partial(BoostingSearch, members=2)


@pytest.mark.parametrize("beta", [0.0, 1.0, 50.0])
def test_the_highest_upper_bound_of_the_trees_is_proposed(beta: float) -> None:
    rows = CELLS.sample(30, 0)
    found = [
        Evaluation(CELLS.architecture(row), {"a": float(sum(row))})
        for row in rows.unique(dim=0).tolist()
    ]
    history = History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])
    proposal = BoostingSearch(beta=beta, members=2).propose(history, 3)
    trees = Boosting(CELLS, seed=3, members=2).fit(history.x, history.x.sum(1).double())
    left = history.fresh(CELLS.enumerate())
    mean, std = trees.predict_scores(left)
    assert proposal is not None
    mine = (left == torch.tensor(proposal.row)).all(1)
    bound = mean + beta * std
    assert float(bound[mine]) == pytest.approx(float(bound.max()))
