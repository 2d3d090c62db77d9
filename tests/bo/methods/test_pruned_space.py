from collections.abc import Callable
from functools import partial

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import PrunedSpace
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return partial(PrunedSpace, method="random", first=6)


def history_of(value: Callable[[torch.Tensor], torch.Tensor], n: int = 120) -> History:
    x = CELLS.canonical(CELLS.sample(n, 0)).unique(dim=0)
    found = [
        Evaluation(CELLS.architecture(row), {"a": float(each)})
        for row, each in zip(x.tolist(), value(x).tolist(), strict=True)
    ]
    return History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])


def test_a_bad_choice_is_forbidden() -> None:
    """Whatever else it has, what has this choice is bad."""
    history = history_of(lambda x: x.double().sum(1) - 50 * (x[:, 2] == 1))
    method = PrunedSpace(method="random", first=40)
    told = method.report(history)["pruned space"]
    assert told["forbidden"][0] == f"op_1_2={CELLS.variables[2].choices[1]}"
    assert 0.01 <= told["left"] < 0.85
    rows = torch.tensor([method.propose(history, seed).row for seed in range(60)])
    assert not bool((rows[:, 2] == 1).any())
    # Before, all is allowed.
    early = History(PROBLEM, history.trials[:30])
    rows = torch.tensor([method.propose(early, seed).row for seed in range(60)])
    assert bool((rows[:, 2] == 1).any())


def test_a_bad_pair_is_forbidden_and_its_parts_are_not() -> None:
    history = history_of(lambda x: -50.0 * ((x[:, 0] == 3) & (x[:, 5] == 3)) + 0.1 * x[:, 1], 400)
    method = PrunedSpace(method="random", first=200, forbid=1, order=2)
    bad = " and ".join(f"op_{edge}=nor_conv_3x3" for edge in ("0_1", "2_3"))
    assert method.report(history)["pruned space"]["forbidden"] == [bad]
    rows = torch.tensor([method.propose(history, seed).row for seed in range(200)])
    assert bool((rows[:, 0] == 3).any())
    assert bool((rows[:, 5] == 3).any())
    assert not bool(((rows[:, 0] == 3) & (rows[:, 5] == 3)).any())


def test_the_best_stay_and_enough_is_left() -> None:
    history = history_of(lambda x: x.double().sum(1))
    method = PrunedSpace(method="random", first=40, forbid=1000, least=0.3)
    narrowed, rules = method._narrowed(history)
    assert rules
    assert 0.3 <= narrowed.share_possible() < 1
    seen = History(PROBLEM, history.ok[:80])
    best = seen.x[seen.scores[:, 0] >= seen.scores[:, 0].quantile(0.9)]
    assert bool(narrowed.possible(best).all())


def test_mistakes() -> None:
    with pytest.raises(UnknownNameError, match="method"):
        PrunedSpace(method="nope")
    with pytest.raises(UsageError, match="1 or 2"):
        PrunedSpace(order=3)
    with pytest.raises(UsageError, match="`least` between"):
        PrunedSpace(least=2.0)
