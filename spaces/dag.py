"""DAG: the graph form of an architecture, for reading, drawing and exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .variable import Role

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
        inputs: The nodes that data enter; where none is marked, those where edges begin.
        outputs: The nodes that results leave; where none is marked, those where edges end.
        roles: Role of every node ``(i,)`` and edge ``(i, j)`` that is not an ``op``.

    Example:
        >>> dag = DAG(("image", "logits"), {(0, 1): "conv"})
        >>> dag.to_networkx().edges[0, 1]["op"], dag.inputs, dag.outputs
        ('conv', (0,), (1,))
    """

    nodes: tuple[str, ...]
    edges: dict[tuple[int, int], str]
    attributes: dict[str, str] = field(default_factory=dict)
    inputs: tuple[int, ...] = ()
    outputs: tuple[int, ...] = ()
    roles: dict[tuple[int, ...], Role] = field(default_factory=dict)

    def __post_init__(self) -> None:
        left, entered = {i for i, _ in self.edges}, {j for _, j in self.edges}
        object.__setattr__(self, "inputs", self.inputs or tuple(sorted(left - entered)))
        object.__setattr__(self, "outputs", self.outputs or tuple(sorted(entered - left)))

    def role(self, *place: int) -> Role:
        """Returns the role of a node or an edge.

        Args:
            *place: The number of the node, or the two of the edge.
        """
        return self.roles.get(place, "op")

    def to_networkx(self) -> nx.DiGraph[int]:
        """Returns the exchange form.

        Nodes and edges carry their label as ``op`` and their ``role``; nodes also say whether they
        are an ``input`` or an ``output``. Attributes are on the graph.
        """
        import networkx as nx

        graph: nx.DiGraph[int] = nx.DiGraph(**self.attributes)
        for i, label in enumerate(self.nodes):
            ends = {"input": i in self.inputs, "output": i in self.outputs}
            graph.add_node(i, op=label, role=self.role(i), **ends)
        for (i, j), label in self.edges.items():
            graph.add_edge(i, j, op=label, role=self.role(i, j))
        return graph

    def to_pyg(self) -> Data:
        """Returns the learning form of torch-geometric, with labels and roles as lists of strings.

        ``input_mask`` and ``output_mask`` mark the nodes that are inputs and outputs.
        """
        import torch
        from torch_geometric.data import Data

        nodes, edges = range(len(self.nodes)), sorted(self.edges)
        index = torch.tensor(edges, dtype=torch.long).reshape(-1, 2).T
        return Data(
            edge_index=index.contiguous(),
            num_nodes=len(self.nodes),
            node_op=list(self.nodes),
            node_role=[self.role(i) for i in nodes],
            input_mask=torch.tensor([i in self.inputs for i in nodes], dtype=torch.bool),
            output_mask=torch.tensor([i in self.outputs for i in nodes], dtype=torch.bool),
            edge_op=[self.edges[edge] for edge in edges],
            edge_role=[self.role(*edge) for edge in edges],
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
