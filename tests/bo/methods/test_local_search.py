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


class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return LocalSearch


def test_it_moves_to_what_is_better_and_stays_otherwise() -> None:
    kind = space("toy_recipe.yaml")
    problem = Problem(kind, {"quality": Metric("quality", "", "higher")}, maximize="quality")
    rows = kind.enumerate()
    first, far = rows[0], rows[(rows != rows[0]).sum(1) >= 3][0]
    for better, current in ((1.0, far), (-1.0, first)):
        found = zip((first, far), (0.0, better), strict=True)
        trials = [
            Trial.of(i, Evaluation(kind.architecture(row), {"quality": value}))
            for i, (row, value) in enumerate(found)
        ]
        proposal = LocalSearch().propose(History(problem, trials), seed=0)
        assert proposal is not None
        assert proposal.source == "neighbour"
        assert int((current != torch.tensor(proposal.row)).sum()) == 1
