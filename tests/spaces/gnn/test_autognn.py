from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError
from vitruvius.spaces import GraphTask, Space
from vitruvius.spaces.gnn._attention_layer import AGGREGATORS, ATTENTIONS, AttentionLayer
from vitruvius.spaces.gnn.autognn import AutoGNN
from vitruvius.testing import SpaceContract

GRAPHS = AutoGNN()


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> AutoGNN:
        return GRAPHS

    @pytest.fixture
    def task(self) -> GraphTask:
        return GraphTask(classes=3, features=5)


def test_actions_of_graphnas_are_read() -> None:
    actions = "['gat', 'sum', 'elu', 8, 8, 'gcn', 'mean', 'linear', 1, 7]"
    assert str(GRAPHS.architecture(actions)) == "gat|sum|elu|8|8 gcn|mean|linear|1"
    with pytest.raises(ArchitectureError, match="10 actions"):
        GRAPHS.architecture("['gat', 'sum']")
    with pytest.raises(ArchitectureError, match="heads_1 is '3'"):
        GRAPHS.architecture("gat|sum|elu|3|8 gcn|mean|linear|1")


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, GraphTask], None]) -> None:
    many_architectures(GRAPHS, GraphTask(classes=3, features=5))


def test_two_layers_of_gat_are_those_of_torch_geometric() -> None:
    from torch_geometric.nn import GATConv, GCNConv

    torch.manual_seed(0)
    x, edges = GraphTask(features=6).inputs(9)
    ours = AttentionLayer(6, 4, 3, "gat", "sum", concat=True)
    theirs = GATConv(6, 4, heads=3)
    theirs.lin.weight.data = ours.linear.weight.data
    theirs.att_dst.data, theirs.att_src.data = ours.vectors.data[0:1], ours.vectors.data[1:2]
    assert torch.allclose(ours(x, edges), theirs(x, edges), atol=1e-5)
    ours = AttentionLayer(6, 4, 1, "gcn", "sum", concat=False)
    theirs = GCNConv(6, 4)
    theirs.lin.weight.data = ours.linear.weight.data
    assert torch.allclose(ours(x, edges), theirs(x, edges), atol=1e-5)


@pytest.mark.parametrize("attention", ATTENTIONS)
@pytest.mark.parametrize("aggregator", AGGREGATORS)
def test_a_layer_computes_its_definition(attention: str, aggregator: str) -> None:
    """Node by node, every message through the linear layers."""
    torch.manual_seed(0)
    nodes, out, heads = 5, 3, 2
    x, edges = GraphTask(features=4).inputs(nodes)
    layer = AttentionLayer(4, out, heads, attention, aggregator, concat=True)
    h = layer.linear(x).view(nodes, heads, out)
    left, right = (*layer.vectors, None, None)[:2]
    near = [[*edges[0, edges[1] == i].tolist(), i] for i in range(nodes)]
    leaky = torch.nn.LeakyReLU(0.2)

    def gat(i: int, j: int) -> torch.Tensor:
        return leaky((left * h[i]).sum(-1) + (right * h[j]).sum(-1))

    def score(i: int, j: int) -> torch.Tensor:
        match attention:
            case "gat":
                return gat(i, j)
            case "gat_sym":
                return gat(i, j) + gat(j, i)
            case "cos":
                return (left * h[i] * right * h[j]).sum(-1)
            case "linear":
                return (left * h[j]).sum(-1).tanh()
            case _:
                return layer.scorer((left * h[i] + right * h[j]).tanh())[:, 0]

    rows = []
    for i in range(nodes):
        if attention == "const":
            weights = torch.ones(len(near[i]), heads)
        elif attention == "gcn":
            weights = torch.tensor(
                [[(len(near[i]) * len(near[j])) ** -0.5] * heads for j in near[i]]
            )
        else:
            weights = torch.stack([score(i, j) for j in near[i]]).softmax(0)
        messages = torch.stack([w[:, None] * h[j] for w, j in zip(weights, near[i], strict=True)])
        if layer.pool is not None:
            messages = layer.pool(messages)
        if aggregator == "mean":
            rows.append(messages.mean(0))
        elif aggregator == "max":
            rows.append(messages.amax(0))
        else:
            rows.append(messages.sum(0))
    expected = torch.stack(rows).flatten(1) + layer.bias
    assert torch.allclose(layer(x, edges), expected, atol=1e-5)
