"""Many graphs, such as molecules, each of which is to be classified or told a number of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces.task import GraphTask
from .arrays import classes_or_targets
from .labelled import Labelled, Splits, check_targets
from .raw_graph import unused

__all__ = ["RawGraphs", "graphs_of_tensors"]


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

    @classmethod
    def of(cls, data: Any) -> RawGraphs:
        """Takes graphs over from torch-geometric.

        Args:
            data: A data set, or a sequence of ``Data``, with ``edge_index``, ``y`` and ``x`` each;
                without ``x``, the degree is the one feature of a node.

        Raises:
            UsageError: For other objects, and for graphs that do not fit each other.

        Example:
            >>> from torch_geometric.data import Data
            >>> pair = Data(x=torch.ones(2, 3), edge_index=torch.tensor([[0], [1]]), y=0)
            >>> lone = Data(x=torch.ones(1, 3), edge_index=torch.zeros(2, 0).long(), y=1)
            >>> RawGraphs.of([pair, lone]).graph.tolist()
            [0, 0, 1]
        """
        from torch_geometric.data import Data

        graphs = list(data)
        if wrong := [each for each in graphs if not isinstance(each, Data)]:
            raise UsageError(
                f"Graphs of torch-geometric are read, got {type(wrong[0]).__name__}.",
                "Make a `Data` of each, or use `RawGraphs.of_arrays`.",
            )
        return graphs_of_tensors([each.to_dict() for each in graphs])

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


def graphs_of_tensors(
    graphs: Sequence[Mapping[str, Any]], regression: bool | None = None
) -> RawGraphs:
    """Makes graphs of tensors by the names that torch-geometric gives them.

    Args:
        graphs: ``edge_index``, ``y`` and maybe ``x`` of each.
        regression: See `classes_or_targets`.

    Raises:
        UsageError: Where one is lacking, or they do not fit each other.
    """
    if not graphs:
        raise UsageError("there are no graphs.", "Give at least two.")
    notes = unused(graphs[0])
    if isinstance(graphs[0].get("x"), Tensor):
        features = [_tensor(each, "x", place) for place, each in enumerate(graphs)]
    else:
        features = [_degrees(each, place) for place, each in enumerate(graphs)]
        notes += ("Nodes have no features; their degree is taken for one.",)
    widths = {tuple(x.shape[1:]) for x in features}
    if len(widths) > 1 or len(next(iter(widths))) != 1:
        raise UsageError(
            f"`x` of the graphs has rows of the shapes {sorted(widths)[:3]}.",
            "Give every node the same number of features: [nodes, features].",
        )
    edges, targets, first = [], [], 0
    for place, (each, x) in enumerate(zip(graphs, features, strict=True)):
        own = _tensor(each, "edge_index", place)
        if own.ndim != 2 or len(own) != 2 or own.is_floating_point():
            raise UsageError(
                f"`edge_index` of graph {place} has the shape {tuple(own.shape)} and the type "
                f"{own.dtype}.",
                "It is [2, edges], integers.",
            )
        if own.numel() and not 0 <= own.min() <= own.max() < len(x):
            raise UsageError(
                f"`edge_index` of graph {place} names the nodes {int(own.min())} to "
                f"{int(own.max())}, and it has {len(x)}.",
                "Number the nodes of every graph from 0.",
            )
        edges.append(own + first)
        first += len(x)
        target = _tensor(each, "y", place)
        targets.append(target.reshape(1, -1))
    if any(target.shape[1] != targets[0].shape[1] for target in targets):
        raise UsageError(
            "`y` of the graphs has different lengths.",
            "Give one target for each graph. Are they targets of nodes?",
        )
    labels = classes_or_targets(torch.cat(targets).detach().numpy(), regression).labels
    sizes = torch.tensor([len(x) for x in features])
    return RawGraphs.of_arrays(
        torch.cat(edges, 1),
        torch.cat(features).detach().float(),
        torch.arange(len(graphs)).repeat_interleave(sizes),
        labels,
        notes=notes,
    )


def _tensor(graph: Mapping[str, Any], name: str, place: int) -> Tensor:
    found = graph.get(name)
    if isinstance(found, int | float):
        found = torch.tensor([found])
    if not isinstance(found, Tensor):
        raise UsageError(
            f"graph {place} lacks the tensor `{name}`.", "Each needs `x`, `edge_index` and `y`."
        )
    return found


def _degrees(graph: Mapping[str, Any], place: int) -> Float[Tensor, "N 1"]:
    edges, said = _tensor(graph, "edge_index", place), graph.get("num_nodes")
    nodes = int(said) if said is not None else int(edges.max()) + 1 if edges.numel() else 1
    return torch.bincount(edges[0], minlength=nodes).float()[:, None]


def _spans(
    first: Int[Tensor, " _"], chosen: Int[Tensor, " B"]
) -> tuple[Int[Tensor, " _n"], Int[Tensor, " _n"]]:
    """What lies from ``first[i]`` up to ``first[i + 1]`` for each chosen ``i``, and which it is."""
    sizes = first[chosen + 1] - first[chosen]
    owner = torch.arange(len(chosen)).repeat_interleave(sizes)
    start = first[chosen] - (sizes.cumsum(0) - sizes)
    return torch.arange(len(owner)) + start[owner], owner
