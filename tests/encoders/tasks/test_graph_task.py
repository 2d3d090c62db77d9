import math
import time
from collections.abc import Callable
from pathlib import Path

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch_geometric.utils import homophily

from vitruvius.datasets.raw_data import RawGraph, load_raw
from vitruvius.encoders.tasks.graph_task import describe_graph
from vitruvius.encoders.tasks.task_description import distances


def random_graph(seed: int, nodes: int = 30, share: float = 0.15) -> RawGraph:
    generator = torch.Generator().manual_seed(seed)
    edges = (torch.rand(nodes, nodes, generator=generator) < share).nonzero().T
    features = torch.randn(nodes, 5, generator=generator).relu()
    labels = torch.randint(-1, 3, (nodes,), generator=generator)
    labels[:2] = torch.tensor([0, 1])
    return RawGraph.of_arrays(edges, features, labels, torch.arange(4))


def permuted(graph: RawGraph, seed: int) -> RawGraph:
    order = torch.randperm(graph.nodes, generator=torch.Generator().manual_seed(seed))
    place = order.argsort()
    assert graph.train is not None
    return RawGraph.of_arrays(
        place[graph.edges], graph.features[order.numpy()], graph.labels[order], place[graph.train]
    )


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**31), nodes=st.integers(4, 40), share=st.floats(0.0, 0.5))
def test_the_numbering_of_nodes_does_not_count(seed: int, nodes: int, share: float) -> None:
    graph = random_graph(seed, nodes, share)
    said, again = describe_graph(graph).values, describe_graph(permuted(graph, seed)).values
    assert said.keys() == again.keys()
    for name in said:
        assert again[name] == pytest.approx(said[name], rel=1e-6, abs=1e-9), name


def test_the_numbering_of_a_large_graph_does_not_count() -> None:
    """Where eigenvalues are looked for by iteration."""
    graph = random_graph(0, 400, 0.01)
    said, again = describe_graph(graph).values, describe_graph(permuted(graph, 1)).values
    assert said.keys() == again.keys()
    for name in said:
        assert again[name] == pytest.approx(said[name], rel=1e-6), name


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31), share=st.floats(0.02, 0.5))
def test_structure_is_that_of_networkx(seed: int, share: float) -> None:
    graph = random_graph(seed, share=share)
    said = describe_graph(graph).values
    theirs = nx.Graph()
    theirs.add_nodes_from(range(graph.nodes))
    theirs.add_edges_from(graph.edges.T.tolist())
    degree = np.array([d for _, d in theirs.degree])
    assert said["clustering"] == pytest.approx(nx.average_clustering(theirs))
    assert said.get("transitivity", 0.0) == pytest.approx(nx.transitivity(theirs))
    assert said["log degree"] == pytest.approx(math.log1p(degree.mean()))
    assert said["log max degree"] == pytest.approx(math.log1p(degree.max()))
    part = theirs.subgraph(max(nx.connected_components(theirs), key=len))
    assert said["largest component"] == len(part) / graph.nodes
    if len(part) > graph.nodes / 2:
        values = 1 - np.sort(nx.normalized_laplacian_spectrum(part))
        assert said["log gap 2"] == pytest.approx(math.log(1 - values[1]))
        assert said["log gap 3"] == pytest.approx(math.log(1 - values[2]))
        assert said["smallest eigenvalue"] == pytest.approx(values[-1])
    else:
        assert "log gap 2" not in said


def test_eigenvalues_by_iteration_are_those_of_the_whole_matrix() -> None:
    graph = random_graph(0, 400, 0.01)
    said = describe_graph(graph).values
    theirs = nx.Graph(graph.edges.T.tolist())
    part = theirs.subgraph(max(nx.connected_components(theirs), key=len))
    values = 1 - np.sort(nx.normalized_laplacian_spectrum(part))
    assert len(part) > 300
    assert said["log gap 2"] == pytest.approx(math.log(1 - values[1]))
    assert said["smallest eigenvalue"] == pytest.approx(values[-1])


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**31))
def test_homophily_is_as_defined(seed: int) -> None:
    """Edge by edge and class by class, with labels at both ends."""
    graph = random_graph(seed, share=0.3)
    said = describe_graph(graph).values
    labels = graph.labels.tolist()
    ends = [(labels[i], labels[j]) for i, j in graph.edges.T.tolist()]
    ends = [pair for pair in ends if min(pair) >= 0]
    directed = ends + [(b, a) for a, b in ends]
    share = sum(a == b for a, b in ends) / len(ends)
    assert said["homophily"] == pytest.approx(share)
    classes = sorted({label for label in labels if label >= 0})
    known = sum(label >= 0 for label in labels)
    expected = sum((sum(a == k for a, _ in directed) / len(directed)) ** 2 for k in classes)
    assert said["adjusted homophily"] == pytest.approx((share - expected) / (1 - expected))
    excess = 0.0
    for k in classes:
        own = [b for a, b in directed if a == k]
        excess += max(own.count(k) / max(len(own), 1) - labels.count(k) / known, 0)
    assert said["insensitive homophily"] == pytest.approx(excess / (len(classes) - 1))
    x = torch.from_numpy(graph.features.toarray()).double()
    cosines = torch.nn.functional.normalize(x, dim=1)
    cosines = cosines @ cosines.T
    everyone = (cosines.sum() - cosines.trace()) / (graph.nodes * (graph.nodes - 1))
    near = cosines[graph.edges[0], graph.edges[1]].mean() - everyone
    assert said["feature homophily"] == pytest.approx(near.item(), abs=1e-9)


def test_eigenvalues_that_cannot_be_found_are_left_out() -> None:
    """The gaps of a long path are some millionths."""
    nodes = 6000
    path = torch.stack([torch.arange(nodes - 1), torch.arange(1, nodes)])
    graph = RawGraph.of_arrays(path, torch.ones(nodes, 1), torch.arange(nodes) % 2)
    said = describe_graph(graph).values
    assert {"log gap 2", "log gap 3", "smallest eigenvalue"}.isdisjoint(said)
    assert (said["largest component"], said["homophily"]) == (1, 0)


def test_what_a_graph_does_not_have_is_left_out() -> None:
    lonely = RawGraph.of_arrays(torch.zeros(2, 0).long(), torch.eye(3), torch.tensor([0, 1, -1]))
    said = describe_graph(lonely).values
    assert "homophily" not in said
    assert "label rate" not in said
    assert "degree variation" not in said
    assert "log gap 2" not in said
    assert (said["log degree"], said["balance"]) == (0, 1)
    assert describe_graph(random_graph(0)).values["label rate"] == 4 / 30


@pytest.mark.parametrize("name", ["cora", "citeseer", "amazon_photo", "coauthor_cs"])
def test_published_graphs(published: Callable[[str], Path], name: str) -> None:
    """Homophily as torch-geometric computes it, in seconds."""
    graph = load_raw(published(f"graph_{name}.npz"))
    assert isinstance(graph, RawGraph)
    began = time.process_time()
    said = describe_graph(graph).values
    assert time.process_time() - began < 10
    assert ("label rate" in said) == (name in ("cora", "citeseer"))
    edges = graph.edges[:, (graph.labels[graph.edges] >= 0).all(0)]
    assert said["homophily"] == pytest.approx(homophily(edges, graph.labels, method="edge"))
    if int(graph.labels.min()) == 0:
        both = torch.cat([edges, edges.flip(0)], 1)
        theirs = homophily(both, graph.labels, method="edge_insensitive")
        assert said["insensitive homophily"] == pytest.approx(theirs, abs=1e-5)


def test_citation_graphs_are_nearest_to_each_other(published: Callable[[str], Path]) -> None:
    said = []
    for name in ("cora", "citeseer", "amazon_photo", "coauthor_cs"):
        graph = load_raw(published(f"graph_{name}.npz"))
        assert isinstance(graph, RawGraph)
        said.append(describe_graph(graph))
    apart = distances(said).fill_diagonal_(math.inf)
    assert apart.argmin(1)[:2].tolist() == [1, 0]


def test_targets_of_a_regression_are_no_classes() -> None:
    graph = random_graph(0)
    edges, nodes = graph.edges, graph.nodes
    numbers = RawGraph.of_arrays(edges, graph.features, torch.linspace(0, 1, nodes))
    said, classes = describe_graph(numbers).values, describe_graph(graph).values
    assert said["log classes"] == 0
    assert not {"balance", "homophily"} & set(said)
    assert said["clustering"] == classes["clustering"]
