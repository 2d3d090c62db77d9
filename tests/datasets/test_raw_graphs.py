import pytest
import torch
from hypothesis import given, strategies as st
from torch_geometric.data import Batch, Data
from torch_geometric.utils import to_undirected

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawGraphs, split
from vitruvius.spaces.task import GraphTask

NONE = torch.zeros(2, 0).long()


def ring(nodes: int, label: float | int, seed: int = 0) -> Data:
    around = torch.arange(nodes)
    edges = to_undirected(torch.stack([around, around.roll(1)]))
    x = torch.randn(nodes, 2, generator=torch.Generator().manual_seed(seed))
    return Data(x=x, edge_index=edges, y=torch.tensor([label]))


@given(sizes=st.lists(st.integers(3, 6), min_size=2, max_size=6), seed=st.integers(0, 99))
def test_batches_are_those_of_torch_geometric(sizes: list[int], seed: int) -> None:
    rings = [ring(size, place % 2, place) for place, size in enumerate(sizes)]
    raw = RawGraphs.of(rings)
    chosen = torch.randperm(len(rings), generator=torch.Generator().manual_seed(seed))
    x, edges, graph = raw.batch(chosen)
    expected = Batch.from_data_list([rings[place] for place in chosen])
    assert torch.equal(x, expected.x)
    assert torch.equal(graph, expected.batch)
    assert sorted(edges.T.tolist()) == sorted(expected.edge_index.T.tolist())
    assert torch.equal(raw.labels[chosen], expected.y)


def test_an_empty_batch_and_a_graph_without_edges() -> None:
    raw = RawGraphs.of([ring(3, 0), Data(x=torch.ones(1, 2), edge_index=NONE, y=1)])
    x, edges, graph = raw.batch(torch.tensor([1]))
    assert (x.tolist(), edges.shape, graph.tolist()) == ([[1.0, 1.0]], (2, 0), [0])
    x, edges, graph = raw.batch(torch.tensor([]).long())
    assert (len(x), edges.shape, len(graph)) == (0, (2, 0), 0)


def test_the_task_is_that_of_a_graph_of_mean_size() -> None:
    raw = RawGraphs.of([ring(4, 0), ring(6, 1), ring(5, 1)])
    assert raw.task == GraphTask(classes=2, features=2, nodes=5, edges=5)
    assert len(raw) == 3
    numbers = RawGraphs.of([ring(4, 0.5), ring(6, 1.5)])
    assert (numbers.regression, numbers.task.classes) == (True, 1)
    assert len(split(numbers).val) == 1


def test_arrays_in_any_order() -> None:
    raw = RawGraphs.of_arrays(
        torch.tensor([[0, 2, 3, 3], [2, 0, 1, 3]]),
        torch.tensor([[0.0], [1.0], [2.0], [3.0]]),
        torch.tensor([1, 0, 1, 0]),
        torch.tensor([0, 1]),
    )
    assert raw.graph.tolist() == [0, 0, 1, 1]
    assert raw.features.flatten().tolist() == [1.0, 3.0, 0.0, 2.0]
    assert raw.edges.tolist() == [[0, 2], [1, 3]]  # no direction, no repetition, no self-loop


def test_without_features_the_degree_is_one() -> None:
    path = torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]])
    raw = RawGraphs.of([Data(edge_index=path, y=0), Data(edge_index=NONE, y=1, num_nodes=2)])
    assert raw.features.flatten().tolist() == [1.0, 2.0, 1.0, 0.0, 0.0]
    assert raw.notes == ("Nodes have no features; their degree is taken for one.",)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"features": torch.ones(3, 1)}, "features of 3 nodes, and the graphs of 4"),
        ({"features": torch.ones(4, 0)}, "no features"),
        ({"features": torch.full((4, 1), torch.inf)}, "not finite"),
        ({"edges": torch.tensor([[0], [4]])}, "names the nodes 0 to 4 of graphs that have 4"),
        ({"edges": torch.tensor([[1], [2]])}, "1 edges join nodes of two graphs"),
        ({"graph": torch.tensor([0, 0, 2, 2])}, "of 2 graphs, numbered 0 to 2, and .* 2 labels"),
        ({"labels": torch.tensor([0, 1, 1])}, "and there are 3 labels"),
        ({"labels": torch.tensor([0, -1])}, "The graph 1 has the label -1"),
        ({"labels": torch.tensor([0.0, torch.nan])}, "1 of 2 targets are NaN"),
    ],
)
def test_arrays_that_do_not_fit(changed: dict[str, torch.Tensor], said: str) -> None:
    arrays = {
        "edges": torch.tensor([[0, 2], [1, 3]]),
        "features": torch.ones(4, 1),
        "graph": torch.tensor([0, 0, 1, 1]),
        "labels": torch.tensor([0, 1]),
    }
    with pytest.raises(UsageError, match=said):
        RawGraphs.of_arrays(**{**arrays, **changed})


@pytest.mark.parametrize(
    ("graphs", "said"),
    [
        ([], "no graphs"),
        ([ring(3, 0), "ring"], "got str"),
        ([ring(3, 0), Data(x=torch.ones(1, 2), y=0)], "graph 1 lacks the tensor `edge_index`"),
        ([ring(3, 0), Data(x=torch.ones(1, 2), edge_index=NONE)], "graph 1 lacks the tensor `y`"),
        (
            [ring(3, 0), Data(x=torch.ones(1, 3), edge_index=NONE, y=0)],
            r"shapes \[\(2,\), \(3,\)\]",
        ),
        (
            [ring(3, 0), Data(x=torch.ones(1, 2), edge_index=torch.tensor([[0], [1]]), y=0)],
            "of graph 1 names the nodes 0 to 1, and it has 1",
        ),
        ([ring(3, 0), Data(x=torch.ones(1, 2), edge_index=NONE.float(), y=0)], "float32"),
        (
            [ring(3, 0), Data(x=torch.ones(2, 2), edge_index=NONE, y=torch.tensor([0, 1]))],
            "different lengths.*targets of nodes",
        ),
    ],
)
def test_graphs_that_do_not_fit(graphs: list[object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        RawGraphs.of(graphs)
