from collections.abc import Callable

import pytest
import torch

from vitruvius.predictors import GraphNetwork, Predictor
from vitruvius.spaces import Space, space
from vitruvius.testing import PredictorContract


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: GraphNetwork(space("nasbench201"), seed=seed)


@pytest.fixture(scope="module")
def cells() -> Space:
    return space("nasbench201")


@pytest.fixture(scope="module")
def network(cells: Space) -> GraphNetwork:
    x = cells.sample(100, 0)
    network = GraphNetwork(cells)
    network.fit(x, cells.statistics(x)["params"])
    return network


def test_one_hot_input_is_the_hard_form(cells: Space, network: GraphNetwork) -> None:
    x = cells.sample(30, 1)
    low, high = 3e5, 8e5
    torch.testing.assert_close(
        network.relaxed_log_probability(network.graph.one_hot(x), low, high).double(),
        network.log_probability(x, low, high),
    )


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
@pytest.mark.parametrize("side", ["low", "high", "both"])
def test_gradients_flow_in_any_unit(cells: Space, scale: float, side: str) -> None:
    x = cells.sample(40, 0)
    y = scale * cells.statistics(x)["params"]
    network = GraphNetwork(cells, steps=20)
    network.fit(x, y)
    low = float(y.quantile(0.9)) if side != "high" else -torch.inf
    high = float(y.quantile(0.95)) if side != "low" else torch.inf
    p = network.graph.one_hot(cells.sample(8, 1)).requires_grad_()
    network.relaxed_log_probability(p, low, high).sum().backward()
    assert p.grad is not None
    assert p.grad.isfinite().all()
    assert (p.grad.abs().sum((1, 2)) > 0).all()


def test_gradient_is_the_slope(cells: Space, network: GraphNetwork) -> None:
    generator = torch.Generator().manual_seed(0)
    p = torch.rand(4, 6, 5, generator=generator).softmax(-1).requires_grad_()
    network.relaxed_log_probability(p, 6e5, torch.inf).sum().backward()
    assert p.grad is not None
    direction = torch.randn(p.shape, generator=generator)
    step = 1e-3 * direction
    with torch.no_grad():
        ahead = network.relaxed_log_probability(p + step, 6e5, torch.inf).sum()
        behind = network.relaxed_log_probability(p - step, 6e5, torch.inf).sum()
    torch.testing.assert_close((ahead - behind) / 2, (p.grad * step).sum(), rtol=0.1, atol=1e-4)


def test_gradient_asks_for_larger_operations(cells: Space, network: GraphNetwork) -> None:
    p = torch.full((1, 6, 5), 0.2).requires_grad_()
    network.relaxed_log_probability(p, 9e5, torch.inf).sum().backward()
    assert p.grad is not None
    # A 3x3 convolution has parameters, a skip connection has none.
    assert p.grad[0, :, 3].mean() > p.grad[0, :, 1].mean()


def test_blurred_architectures_score_in_between(cells: Space, network: GraphNetwork) -> None:
    small, large = torch.zeros(1, 6).long(), torch.full((1, 6), 3)
    ends = [network.relaxed_scores(network.graph.one_hot(x))[0] for x in (small, large)]
    middle, _ = network.relaxed_scores(torch.full((1, 6, 5), 0.2))
    assert ends[0] < middle < ends[1]


def test_isomorphic_encodings_score_alike() -> None:
    cells = space("nasbench101")
    x = cells.sample(40, 0)
    network = GraphNetwork(cells, steps=5)
    network.fit(x, cells.statistics(x)["params"])
    a, _ = network.predict_scores(x)
    b, _ = network.predict_scores(cells.shuffle(x, 1))
    assert torch.equal(a, b)


def test_members_vote_and_where_they_differ_it_is_unsure(
    network: GraphNetwork, cells: Space
) -> None:
    """Mean of the members; variance among them, and of the noise."""
    p = network.graph.one_hot(cells.sample(50, 1))
    votes = network._score(p).detach()
    assert len(votes) == network.members
    assert float(votes.std(0).min()) > 0
    mean, std = (part.detach() for part in network.relaxed_scores(p))
    torch.testing.assert_close(mean, votes.mean(0))
    torch.testing.assert_close(std.square(), votes.var(0) + network._noise)
