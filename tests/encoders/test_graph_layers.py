"""Layers by the equations of their papers, node by node."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from vitruvius.encoders.graph_layers import (
    HEADS,
    AttentionLayer,
    GINLayer,
    MeanLayer,
    TransformerLayer,
)

WIDTH = 8
# A diamond: two ways from the first node to the last.
JOINED = [(0, 1), (0, 2), (1, 3), (2, 3)]


@pytest.fixture
def h() -> Tensor:
    return torch.randn(1, 4, WIDTH, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def edges() -> Tensor:
    made = torch.zeros(1, 4, 4)
    for tail, head in JOINED:
        made[0, tail, head] = 1.0
    return made


def made(kind: type[torch.nn.Module]) -> torch.nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(1)
        layer = kind(WIDTH)
        for parameter in layer.parameters():  # some start at 0
            parameter.data += 0.3 * torch.randn_like(parameter)
    return layer


def test_isomorphism_network_sums(h: Tensor, edges: Tensor) -> None:
    """Eq. 4.1, with a map of its own for what comes from before and from after."""
    layer, x = made(GINLayer), h[0]
    for node, found in enumerate(layer(h, edges)[0]):
        heard = (1 + layer.excess) * layer.own(x[node])
        for tail, head in JOINED:
            if head == node:
                heard = heard + layer.before(x[tail])
            if tail == node:
                heard = heard + layer.after(x[head])
        torch.testing.assert_close(found, x[node] + layer.mlp(heard))


def test_sums_tell_multisets_apart_and_means_do_not(edges: Tensor) -> None:
    """The last node hears the same from two alike as from one."""
    alike, single = torch.ones(1, 4, WIDTH), edges.clone()
    single[0, 2, 3] = 0.0
    for kind, told in ((GINLayer, True), (MeanLayer, False)):
        layer = made(kind)
        two, one = (layer(alike, each)[0, 3] for each in (edges, single))
        assert torch.allclose(two, one) != told


def test_attention_by_hand(h: Tensor, edges: Tensor) -> None:
    """Eq. 3: half of the heads hear from before, half from after."""
    layer, x = made(AttentionLayer), h[0]
    target, source = layer.target(x), layer.source(x)
    value = layer.value(x).view(4, 2 * HEADS, -1)
    for node, found in enumerate(layer(h, edges)[0]):
        before = [node, *(tail for tail, head in JOINED if head == node)]
        after = [node, *(head for tail, head in JOINED if tail == node)]
        mixed = []
        for head in range(2 * HEADS):
            near = before if head < HEADS else after
            score = F.leaky_relu(target[node, head] + source[near, head], 0.2)
            mixed.append(score.softmax(0) @ value[near, head])
        torch.testing.assert_close(found, x[node] + torch.relu(layer.out(torch.cat(mixed))))


def test_relations_bias_attention_by_hand(h: Tensor, edges: Tensor) -> None:
    """Eq. 6 of Graphormer: what is added to a score tells how two nodes are joined."""
    layer, x = made(TransformerLayer), h[0]
    query, key, value = (
        part.view(4, HEADS, -1) for part in layer.qkv(layer.norm_1(x)).chunk(3, -1)
    )
    for node, found in enumerate(layer(h, edges)[0]):
        mixed = []
        for head in range(HEADS):
            score = key[:, head] @ query[node, head] / (WIDTH / HEADS) ** 0.5
            bias = torch.zeros(4)
            for tail, end in JOINED:
                if end == node:
                    bias[tail] += layer.bias[head, 0]
                if tail == node:
                    bias[end] += layer.bias[head, 1]
            bias[node] += layer.bias[head, 2]
            mixed.append((score + bias).softmax(0) @ value[:, head])
        mid = x[node] + layer.out(torch.cat(mixed))
        torch.testing.assert_close(found, mid + layer.mlp(layer.norm_2(mid)))
