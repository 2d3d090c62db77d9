from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import NAOSearch, method
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.spaces import space
from vitruvius.testing import MethodContract


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return lambda: NAOSearch(steps=12)


def histories(n: int) -> History:
    cells = space("nasbench201")
    problem = Problem(cells, {}, minimize="params")
    rows = cells.enumerate()[::60][:n].tolist()
    return History(
        problem, [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
    )


@pytest.mark.parametrize("semi", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_it_improves_on_the_best_and_forgets_nothing_it_needs(semi: bool) -> None:
    """The same in a new instance, as after resuming, whatever was asked before."""
    used = NAOSearch(semi=semi, steps=120)
    for n in (8, 40):
        history = histories(n)
        proposal = used.propose(history, 0)
        fresh = NAOSearch(semi=semi, steps=120).propose(history, 0)
        assert proposal == fresh
        assert proposal is not None
        assert proposal.source == "embedding"
        params = history.problem.space.statistics(torch.tensor([proposal.row]))["params"]
        assert float(params) <= float(-history.scores.max()) * 1.5


def test_labels_it_makes_itself_change_the_network() -> None:
    history = histories(20)
    one, two = (NAOSearch(semi=semi, steps=40) for semi in (False, True))
    a, b = one._network(history), two._network(history)
    assert not torch.equal(a.embed.weight, b.embed.weight)


def test_options_by_name() -> None:
    made = method("nao:semi=true,seeds=5")
    assert isinstance(made, NAOSearch)
    assert made.semi
    assert made.seeds == 5
