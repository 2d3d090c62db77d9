"""What a graph is like as a task: numbers taken from its nodes, edges, features and labels."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from scipy.sparse import csr_array, diags_array
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import ArpackNoConvergence, eigsh
from torch import Tensor

from ...datasets.raw_data import RawGraph
from .task_description import TaskDescription

__all__ = ["describe_graph"]

# Up to this size all eigenvalues are computed, which is quicker than looking for a few.
DENSE = 256
# To what eigenvalues are found, and after how many restarts of the iteration they are given up.
PRECISION, RESTARTS = 1e-6, 500
# Edges whose ends are compared at once.
CHUNK = 1 << 15


def describe_graph(graph: RawGraph) -> TaskDescription:
    """Describes node classification on a graph by structural and spectral statistics.

    They do not depend on how nodes are numbered. Those that a graph does not have (homophily
    without edges, a label rate without a split) are left out, and so are eigenvalues that are too
    close to each other to be found.

    ==============================  ============================================================
    ``log nodes``, ``log degree``,  sizes, on a logarithmic scale: ``log(N)``, ``log(1 + mean)``,
    ``log max degree``              ``log(1 + max)``
    ``degree variation``            standard deviation of degrees over their mean
    ``clustering``                  mean over nodes of the share of pairs of neighbours that are
                                    joined, 0 for fewer than two neighbours
    ``transitivity``                the same share over all pairs at once
    ``largest component``           share of the nodes
    ``log gap 2``, ``log gap 3``    ``log(1 - λ)`` of the second and third largest eigenvalue of
                                    ``D^-1/2 A D^-1/2``, in a component of more than half of the
                                    nodes
    ``smallest eigenvalue``         of the same; -1 where that component is bipartite
    ``log features``                number of features, on a logarithmic scale
    ``feature density``             share of their values that are not 0
    ``feature homophily``           mean cosine of neighbours' features less that of all pairs
    ``log classes``, ``balance``    number of classes, and the entropy of labels over its maximum
    ``label rate``                  share of nodes whose labels may be learned from
    ``homophily``                   share of edges within a class, of edges with labels at both
                                    ends
    ``adjusted homophily``          the same beyond what degrees imply (Platonov et al., 2023,
                                    arXiv 2209.06177)
    ``insensitive homophily``       mean over classes of how far the share exceeds the class's
                                    size (Lim et al., 2021, arXiv 2110.14446)
    ==============================  ============================================================

    Triangles are counted along edges that lead to the larger degree, whose number at any node is
    at most ``sqrt(2 E)``.

    Args:
        graph: The graph.

    Example:
        >>> square = RawGraph.of_arrays(
        ...     torch.tensor([[0, 1, 2, 3], [1, 2, 3, 0]]),
        ...     torch.eye(4),
        ...     torch.tensor([0, 0, 1, 1]),
        ... )
        >>> said = describe_graph(square).values
        >>> said["homophily"], said["clustering"], round(said["smallest eigenvalue"], 6)
        (0.5, 0.0, -1.0)
    """
    adjacency = _adjacency(graph)
    degree = adjacency.sum(1)
    said = {
        **_sizes(graph, degree),
        **_clustering(adjacency, degree),
        **_spectrum(adjacency),
        **_features(graph),
        **_labels(graph),
        **_homophily(graph),
    }
    return TaskDescription("graph", {name: float(value) for name, value in said.items()})


def _adjacency(graph: RawGraph) -> csr_array:
    i, j = graph.edges.numpy()
    ones = np.ones(2 * len(i))
    where = (np.concatenate([i, j]), np.concatenate([j, i]))
    return csr_array((ones, where), shape=(graph.nodes, graph.nodes))


def _sizes(graph: RawGraph, degree: Float[np.ndarray, " N"]) -> dict[str, float]:
    mean = degree.mean()
    said = {
        "log nodes": math.log(graph.nodes),
        "log degree": math.log1p(mean),
        "log max degree": math.log1p(degree.max()),
    }
    return said | ({"degree variation": degree.std() / mean} if mean > 0 else {})


def _clustering(adjacency: csr_array, degree: Float[np.ndarray, " N"]) -> dict[str, float]:
    pairs = degree * (degree - 1) / 2
    if not pairs.any():
        return {"clustering": 0.0}
    rank = np.empty(len(degree), dtype=np.int64)
    rank[np.argsort(degree, kind="stable")] = np.arange(len(degree))
    edges = adjacency.tocoo()
    up = rank[edges.row] < rank[edges.col]
    upward = csr_array((edges.data[up], (edges.row[up], edges.col[up])), shape=adjacency.shape)
    # u -> v -> w with u -> w: counted at the edge u -> w, then at v -> w.
    closed = (upward @ upward).multiply(upward)
    beside = (upward.T @ upward).multiply(upward)
    triangles = closed.sum(1) + closed.sum(0) + beside.sum(1)
    return {
        "clustering": (triangles / np.maximum(pairs, 1)).mean(),
        "transitivity": triangles.sum() / pairs.sum(),
    }


def _spectrum(adjacency: csr_array) -> dict[str, float]:
    _, component = connected_components(adjacency, directed=False)
    sizes = np.bincount(component)
    share = sizes.max() / len(component)
    said = {"largest component": share}
    if share <= 0.5 or sizes.max() < 3:
        return said
    members = np.flatnonzero(component == sizes.argmax())
    part = adjacency[members][:, members]
    root = diags_array(1 / np.sqrt(part.sum(1)))
    normal = (root @ part @ root).tocsr()
    try:
        second, third, smallest = _eigenvalues(normal)
    except ArpackNoConvergence:
        return said
    return said | {
        "log gap 2": math.log(max(1 - second, PRECISION)),
        "log gap 3": math.log(max(1 - third, PRECISION)),
        "smallest eigenvalue": smallest,
    }


def _eigenvalues(normal: csr_array) -> tuple[float, float, float]:
    """The second and third largest, and the smallest."""
    nodes = normal.shape[0]
    if nodes <= DENSE:
        ordered = np.linalg.eigvalsh(normal.toarray())
        return ordered[-2], ordered[-3], ordered[0]
    search = {
        "v0": np.random.default_rng(0).normal(size=nodes),
        "tol": PRECISION,
        "maxiter": RESTARTS,
        "return_eigenvectors": False,
    }
    largest = eigsh(normal, 3, which="LA", **search)
    smallest = eigsh(normal, 1, which="SA", **search)
    third, second, _ = np.sort(largest)
    return second, third, smallest[0]


def _features(graph: RawGraph) -> dict[str, float]:
    features = graph.features.astype(np.float64)
    nodes, width = features.shape
    said = {
        "log features": math.log(width),
        "feature density": features.nnz / (nodes * width),
    }
    i, j = graph.edges.numpy()
    if not len(i):
        return said
    length = np.sqrt(features.multiply(features).sum(1))
    unit = (diags_array(1 / np.where(length > 0, length, 1.0)) @ features).tocsr()
    parts = range(0, len(i), CHUNK)
    cosines = sum(unit[i[a : a + CHUNK]].multiply(unit[j[a : a + CHUNK]]).sum() for a in parts)
    total = unit.sum(0)
    everyone = (total @ total - (length > 0).sum()) / (nodes * (nodes - 1))
    return said | {"feature homophily": cosines / len(i) - everyone}


def _labels(graph: RawGraph) -> dict[str, float]:
    counts = _class_sizes(graph)
    said = {"log classes": math.log(graph.classes)}
    if len(counts) > 1:
        entropy = torch.special.entr(counts / counts.sum()).sum().item()
        said["balance"] = entropy / math.log(len(counts))
    if graph.train is not None:
        said["label rate"] = len(graph.train) / graph.nodes
    return said


def _homophily(graph: RawGraph) -> dict[str, float]:
    sizes = _class_sizes(graph)
    if len(sizes) < 2:
        return {}
    ends = graph.labels[graph.edges]
    ends = ends[:, (ends >= 0).all(0)]
    if not ends.numel():
        return {}
    classes = torch.searchsorted(graph.labels[graph.labels >= 0].unique(), ends)
    same = classes[0] == classes[1]
    degree = torch.bincount(classes.flatten(), minlength=len(sizes)).double()
    within = 2 * torch.bincount(classes[0, same], minlength=len(sizes)).double()
    share = same.double().mean().item()
    expected = (degree / degree.sum()).square().sum().item()
    excess = within / degree.clamp(min=1) - sizes / sizes.sum()
    said = {
        "homophily": share,
        "insensitive homophily": excess.clamp(min=0).sum().item() / (len(sizes) - 1),
    }
    return said | (
        {"adjusted homophily": (share - expected) / (1 - expected)} if expected < 1 else {}
    )


def _class_sizes(graph: RawGraph) -> Float[Tensor, " C"]:
    """Number of nodes of every class; empty for the targets of a regression."""
    if graph.regression:
        return torch.empty(0, dtype=torch.float64)
    return graph.labels[graph.labels >= 0].unique(return_counts=True)[1].double()
