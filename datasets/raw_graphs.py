"""Many graphs, such as molecules, each of which is to be classified or told a number of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces.task import GraphTask
from .labelled import Labelled, Splits, check_targets

__all__ = ["RawGraphs"]


@dataclass(frozen=True, eq=False)
class RawGraphs(Labelled):
    """Graphs with a class or targets each, side by side as one graph of many parts.

    Args:
        edges: Undirected edges ``(i, j)`` with ``i < j`` between nodes of the same graph, each
            once, no self-loops, in ascending order.
        features: Of every node.
        graph: The graph of every node, in ascending order.
        labels: Class of every graph, or its targets.
        splits: See `Labelled`.
        class_names: See `Labelled`.
        notes: See `Labelled`.

    Raises:
        UsageError: Where there is not one label for every graph, or one is negative.
    """

    edges: Int[Tensor, "2 E"]
    features: Float[Tensor, "N F"]
    graph: Int[Tensor, " N"]
    labels: Int[Tensor, " _m"] | Float[Tensor, "_m ..."]

    def __post_init__(self) -> None:
        check_targets(self.labels, int(self.graph.max()) + 1 if len(self.graph) else 0, "graph")

    @classmethod
    def of_arrays(
        cls,
        edges: Int[Tensor, "2 _"],
        features: Float[Tensor, "N F"],
        graph: Int[Tensor, " _g"],
        labels: Int[Tensor, " _m"] | Float[Tensor, "_m ..."],
        *,
        splits: Splits | None = None,
        notes: tuple[str, ...] = (),
    ) -> RawGraphs:
        """Makes graphs of arrays in any order.

        Args:
            edges: Between nodes numbered through all graphs, in one direction or both; repeated
                ones and self-loops are dropped.
            features: Of every node.
            graph: The graph of every node, as ``batch`` of torch-geometric.
            labels: Class of every graph, or its targets.
            splits: The parts that were given, by numbers of graphs.
            notes: What the reader left out or decided.

        Raises:
            UsageError: Where the arrays do not fit each other.

        Example:
            >>> graphs = RawGraphs.of_arrays(
            ...     torch.tensor([[0, 1, 2], [1, 0, 3]]),
            ...     torch.ones(5, 2),
            ...     torch.tensor([0, 0, 1, 1, 1]),
            ...     torch.tensor([0, 1]),
            ... )
            >>> graphs.task.features, graphs.task.nodes, len(graphs)
            (2, 2, 2)
        """
        nodes = len(graph)
        if len(features) != nodes:
            raise UsageError(
                f"There are features of {len(features)} nodes, and the graphs of {nodes}.",
                "Give one row of features and the number of a graph for every node.",
            )
        if not features.shape[1]:
            raise UsageError("Nodes have no features.", "Give at least one, e.g. the degree.")
        if not features.isfinite().all():
            raise UsageError("Some features are not finite.", "Fill them in, e.g. with 0.")
        if edges.numel() and not 0 <= edges.min() <= edges.max() < nodes:
            raise UsageError(
                f"`edges` names the nodes {int(edges.min())} to {int(edges.max())} of graphs that "
                f"have {nodes}.",
                "Number the nodes from 0, through all graphs.",
            )
        empty = len(labels) - len(graph.unique())
        if nodes and (int(graph.min()) < 0 or int(graph.max()) >= len(labels) or empty):
            raise UsageError(
                f"Nodes are of {len(graph.unique())} graphs, numbered {int(graph.min())} to "
                f"{int(graph.max())}, and there are {len(labels)} labels.",
                "Number the graphs from 0, in the order of their labels, with a node in each.",
            )
        order = graph.argsort(stable=True)
        place = torch.empty_like(order)
        place[order] = torch.arange(nodes)
        ordered = place[edges].sort(0).values
        ordered = ordered[:, ordered[0] < ordered[1]]
        graph = graph[order]
        across = int((graph[ordered[0]] != graph[ordered[1]]).sum())
        if across:
            raise UsageError(
                f"{across} edges join nodes of two graphs.", "Number the nodes through all graphs."
            )
        return cls(
            torch.unique(ordered, dim=1) if ordered.numel() else ordered,
            features[order],
            graph,
            labels.float() if labels.is_floating_point() else labels.long(),
            splits=splits,
            notes=notes,
        )

    @property
    def task(self) -> GraphTask:
        """What an architecture for it is built for; of nodes and edges, the mean of a graph."""
        count = len(self.labels)
        return GraphTask(
            classes=self.classes,
            features=self.features.shape[1],
            nodes=round(len(self.graph) / count),
            edges=round(self.edges.shape[1] / count),
        )

    def batch(
        self, chosen: Int[Tensor, " B"]
    ) -> tuple[Float[Tensor, "_n F"], Int[Tensor, "2 _e"], Int[Tensor, " _n"]]:
        """Puts some of the graphs side by side, as modules take them.

        Args:
            chosen: Numbers of the graphs, in any order.

        Returns:
            Features of their nodes, their edges in both directions, and of every node its graph by
            its place among those chosen.

        Example:
            >>> pairs = RawGraphs.of_arrays(
            ...     torch.tensor([[0, 2], [1, 3]]),
            ...     torch.arange(4.0)[:, None],
            ...     torch.tensor([0, 0, 1, 1]),
            ...     torch.tensor([0, 1]),
            ... )
            >>> x, edge_index, graph = pairs.batch(torch.tensor([1]))
            >>> x.flatten().tolist(), edge_index.tolist(), graph.tolist()
            ([2.0, 3.0], [[0, 1], [1, 0]], [0, 0])
        """
        nodes, node_of = _spans(self._first_node, chosen)
        edges, edge_of = _spans(self._first_edge, chosen)
        sizes = torch.bincount(node_of, minlength=len(chosen))
        # From the number of a node among all to its number among those chosen.
        shift = sizes.cumsum(0) - sizes - self._first_node[chosen]
        one_way = self.edges[:, edges] + shift[edge_of]
        return self.features[nodes], torch.cat([one_way, one_way.flip(0)], 1), node_of

    @cached_property
    def _first_node(self) -> Int[Tensor, " _"]:
        return torch.searchsorted(self.graph, torch.arange(len(self.labels) + 1))

    @cached_property
    def _first_edge(self) -> Int[Tensor, " _"]:
        return torch.searchsorted(
            self.graph[self.edges[0]].contiguous(), torch.arange(len(self.labels) + 1)
        )


def _spans(
    first: Int[Tensor, " _"], chosen: Int[Tensor, " B"]
) -> tuple[Int[Tensor, " _n"], Int[Tensor, " _n"]]:
    """What lies from ``first[i]`` up to ``first[i + 1]`` for each chosen ``i``, and which it is."""
    sizes = first[chosen + 1] - first[chosen]
    owner = torch.arange(len(chosen)).repeat_interleave(sizes)
    start = first[chosen] - (sizes.cumsum(0) - sizes)
    return torch.arange(len(owner)) + start[owner], owner
