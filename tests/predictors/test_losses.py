import math

import pytest
import torch

from vitruvius.core.errors import UnknownNameError
from vitruvius.predictors import GraphNetwork
from vitruvius.predictors.losses import LOSSES, kendall, list_likelihood, loss, pairwise
from vitruvius.spaces import space

ONCE = torch.ones(1, 3)


@pytest.mark.parametrize("name", LOSSES)
def test_the_right_order_is_better(name: str) -> None:
    z = torch.tensor([-1.0, 0.0, 2.0])
    right, wrong = (loss(name)(scores[None], z, ONCE) for scores in (z, -z))
    assert float(right) < float(wrong)


def test_pairs_by_hand() -> None:
    z, scores = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[0.0, 3.0, 1.0]])
    expected = sum(math.log1p(math.exp(-d)) for d in (3, 1, -2)) / 3
    assert float(pairwise(scores, z, ONCE)) == pytest.approx(expected)
    signs = sum(math.tanh(d / 4) * math.tanh(t / 4) for d, t in ((3, 1), (1, 2), (-2, 1))) / 3
    assert float(kendall(scores, z, ONCE)) == pytest.approx(-signs)
    # Of no weight, no pair counts.
    first = torch.tensor([[1.0, 1.0, 0.0]])
    assert float(pairwise(scores, z, first)) == pytest.approx(math.log1p(math.exp(-3)))


def test_a_list_by_hand() -> None:
    z, scores = torch.tensor([0.0, 1.0, 2.0]), torch.tensor([[0.5, 0.0, 1.0]])
    total = math.exp(1) + 1 + math.exp(0.5)
    chance = math.exp(1) / total * 1 / (1 + math.exp(0.5))
    assert float(list_likelihood(scores, z, ONCE)) == pytest.approx(-math.log(chance) / 3)


def test_unknown() -> None:
    with pytest.raises(UnknownNameError, match="loss 'mse'"):
        GraphNetwork(space("nasbench201"), loss="mse")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pairwise", "kendall", "list"])
def test_scores_come_back_to_the_scale_of_labels(name: str) -> None:
    cells = space("nasbench201")
    x = cells.sample(60, 0)
    y = cells.statistics(x)["params"].double()
    made = GraphNetwork(cells, loss=name, steps=60, members=2).fit(x, y)
    mean, _ = made.predict_scores(x)
    assert float(mean.std()) == pytest.approx(1, abs=0.3)
    assert torch.corrcoef(torch.stack([mean, made.scores(y)]))[0, 1] > 0.8
