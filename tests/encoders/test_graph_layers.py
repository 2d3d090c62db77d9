"""Each layer against its formula, written out for one node after the other."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from vitruvius.encoders.graph_layers import AttentionLayer, GINLayer, MeanLayer, TransformerLayer

WIDTH, NODES, HEADS = 8, 5, 4
H = torch.randn(1, NODES, WIDTH, generator=torch.Generator().manual_seed(0))
EDGES = torch.zeros(1, NODES, NODES)
for i, j in ((0, 1), (0, 2), (1, 3), (2, 3), (3, 4)):
    EDGES[0, i, j] = 1.0


def predecessors(j: int) -> list[int]:
    return [i for i in range(NODES) if EDGES[0, i, j]]


def successors(i: int) -> list[int]:
    return [j for j in range(NODES) if EDGES[0, i, j]]


def seeded(layer: torch.nn.Module) -> torch.nn.Module:
    torch.manual_seed(1)
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return layer.eval()


@torch.no_grad()
def test_isomorphism_network_sums_over_neighbours() -> None:
    """Eq. 4.1 of arXiv 1810.00826, both ways: sums, so that a neighbour twice counts twice."""
    layer = seeded(GINLayer(WIDTH))
    found = layer(H, EDGES)[0]
    for v in range(NODES):
        heard = sum((layer.before(H[0, u]) for u in predecessors(v)), torch.zeros(WIDTH))
        heard = heard + sum((layer.after(H[0, u]) for u in successors(v)), torch.zeros(WIDTH))
        expected = H[0, v] + layer.mlp((1 + layer.excess) * layer.own(H[0, v]) + heard)
        torch.testing.assert_close(found[v], expected)


@torch.no_grad()
def test_graph_attention_is_a_softmax_over_neighbours_and_itself() -> None:
    """Eq. 3 of arXiv 1710.10903; half of the heads look back, half ahead."""
    layer = seeded(AttentionLayer(WIDTH))
    found = layer(H, EDGES)[0]
    target, source = layer.target(H[0]), layer.source(H[0])
    value = layer.value(H[0]).view(NODES, 2 * HEADS, -1)
    for v in range(NODES):
        parts = []
        for head in range(2 * HEADS):
            near = [v, *(predecessors(v) if head < HEADS else successors(v))]
            score = F.leaky_relu(target[v, head] + source[near, head], 0.2)
            parts.append(score.softmax(0) @ value[near, head])
        expected = H[0, v] + torch.relu(layer.out(torch.cat(parts)))
        torch.testing.assert_close(found[v], expected)


@torch.no_grad()
def test_attention_is_biased_by_relation() -> None:
    """Eq. 6 of arXiv 2106.05234: a learned scalar is added to the scaled product."""
    layer = seeded(TransformerLayer(WIDTH))
    found = layer(H, EDGES)[0]
    q, k, v = layer.qkv(layer.norm_1(H[0])).view(NODES, 3, HEADS, -1).unbind(1)
    mixed = torch.zeros(NODES, HEADS, WIDTH // HEADS)
    for i in range(NODES):
        for head in range(HEADS):
            bias = torch.zeros(NODES)
            bias[predecessors(i)] += layer.bias[head, 0]
            bias[successors(i)] += layer.bias[head, 1]
            bias[i] += layer.bias[head, 2]
            score = k[:, head] @ q[i, head] / (WIDTH // HEADS) ** 0.5 + bias
            mixed[i, head] = score.softmax(0) @ v[:, head]
    h = H[0] + layer.out(mixed.reshape(NODES, WIDTH))
    torch.testing.assert_close(found, h + layer.mlp(layer.norm_2(h)))


@torch.no_grad()
def test_sums_tell_multisets_apart_and_means_do_not() -> None:
    """Section 5.2 of arXiv 1810.00826: two alike before a node, or one of them."""
    alike, single = torch.ones(1, NODES, WIDTH), EDGES.clone()
    single[0, 2, 3] = 0.0
    for kind, told in ((GINLayer, True), (MeanLayer, False)):
        layer = seeded(kind(WIDTH))
        two, one = (layer(alike, each)[0, 3] for each in (EDGES, single))
        assert torch.allclose(two, one) != told
