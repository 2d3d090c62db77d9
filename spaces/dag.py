"""DAG: the graph form of an architecture, for reading, drawing and exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import networkx as nx
    from torch_geometric.data import Data

__all__ = ["DAG"]


@dataclass(frozen=True)
class DAG:
    """A directed acyclic graph with nodes in topological order.

    Args:
        nodes: One label per node, e.g. ``"input"`` or ``"conv3x3"``.
        edges: Pairs ``(i, j)`` with ``i < j`` mapped to the edge's label (``""`` for a plain one).
        attributes: Graph-level attributes, e.g. ``{"resolution": "224"}``.

    Example:
        >>> DAG(("input", "output"), {(0, 1): "conv"}).to_networkx().edges[0, 1]["op"]
        'conv'
    """

    nodes: tuple[str, ...]
    edges: dict[tuple[int, int], str]
    attributes: dict[str, str] = field(default_factory=dict)

    def to_networkx(self) -> nx.DiGraph[int]:
        """Returns the exchange form: labels under ``op``, attributes on the graph."""
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph(**self.attributes)
        graph.add_nodes_from((i, {"op": label}) for i, label in enumerate(self.nodes))
        graph.add_edges_from((i, j, {"op": label}) for (i, j), label in self.edges.items())
        return graph

    def to_pyg(self) -> Data:
        """Returns the learning form of torch-geometric, with labels kept as lists of strings."""
        import torch
        from torch_geometric.data import Data

        index = torch.tensor(sorted(self.edges), dtype=torch.long).reshape(-1, 2).T
        return Data(
            edge_index=index.contiguous(),
            num_nodes=len(self.nodes),
            node_op=list(self.nodes),
            edge_op=[self.edges[i, j] for i, j in sorted(self.edges)],
        )

    def layers(self) -> list[list[int]]:
        """Groups the nodes by their longest distance from a source, for drawing."""
        depth = [0] * len(self.nodes)
        for i, j in sorted(self.edges, key=lambda edge: edge[1]):
            depth[j] = max(depth[j], depth[i] + 1)
        rows: list[list[int]] = [[] for _ in range(max(depth, default=-1) + 1)]
        for node, level in enumerate(depth):
            rows[level].append(node)
        return rows
