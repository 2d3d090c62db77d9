import pytest
import torch

from vitruvius.encoders.learned import NETWORKS, LearnedEncoder
from vitruvius.spaces import space


@pytest.mark.slow
@pytest.mark.parametrize(
    "network",
    [pytest.param(name, marks=() if name == "gin" else pytest.mark.slow) for name in NETWORKS],
)
def test_pre_training_keeps_what_was_chosen(network: str) -> None:
    """Of architectures it never saw, nearly every choice can be read off the embedding."""
    cells = space("nasbench201")
    rows = cells.enumerate()
    order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
    seen, held = rows[order[:2048]], rows[order[2048:3048]]
    before = LearnedEncoder(cells, network, steps=300)
    fresh = float((before.reconstruct(held) == held).double().mean())
    after = before.fit(seen)
    share = float((after.reconstruct(held) == held).double().mean())
    assert fresh < 0.5
    assert share > 0.9


@pytest.mark.parametrize("network", NETWORKS)
def test_messages_follow_the_edges(network: str) -> None:
    """Nodes that no edge joins hear nothing of each other, but in a transformer."""
    torch.manual_seed(0)
    layer = NETWORKS[network](8)
    h = torch.randn(1, 3, 8)
    edges = torch.zeros(1, 3, 3)
    edges[0, 0, 1] = 1.0
    other = h.clone()
    other[0, 2, 0] += 1.0
    alike = torch.allclose(layer(h, edges)[0, :2], layer(other, edges)[0, :2])
    assert alike == (network != "transformer")
    other = h.clone()
    other[0, 1, 0] += 1.0
    heard = layer(h, edges)[0, 0], layer(other, edges)[0, 0]
    assert not torch.allclose(*heard)
    backwards = layer(h, edges.transpose(1, 2))
    assert not torch.allclose(layer(h, edges), backwards) or network == "transformer"
