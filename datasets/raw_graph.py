"""A graph whose nodes are to be classified or told a number of."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from scipy.sparse import csr_array
from torch import Tensor

from ..core.errors import UsageError
from ..spaces.task import GraphTask
from .arrays import classes_or_targets
from .disk_features import DiskFeatures
from .given_parts import PART_COLUMNS, given_parts
from .labelled import Labelled, Splits

__all__ = ["RawGraph", "graph_of_tensors", "sparse", "unused"]


@dataclass(frozen=True, eq=False)
class RawGraph(Labelled):
    """A graph with a class or targets for its nodes.

    Args:
        edges: Undirected edges ``(i, j)`` with ``i < j``, each once, no self-loops.
        features: ``[N, F]``, sparse, or on disk.
        labels: Class of every node, -1 where it is not known; or its targets, NaN where not known.
        train: Nodes whose labels may be learned from, those of ``splits``; None where there are no
            parts.
        splits: See `Labelled`.
        class_names: See `Labelled`.
        notes: See `Labelled`.
    """

    edges: Int[Tensor, "2 E"]
    features: csr_array | DiskFeatures
    labels: Int[Tensor, " N"] | Float[Tensor, "N ..."]
    train: Int[Tensor, " K"] | None = None

    def __post_init__(self) -> None:
        if self.splits is None and self.train is not None:
            object.__setattr__(self, "splits", Splits(self.train))
        elif self.splits is not None and len(self.splits.train):
            object.__setattr__(self, "train", self.splits.train)

    @classmethod
    def of_arrays(
        cls,
        edges: Int[Tensor, "2 _"],
        features: csr_array | DiskFeatures | Shaped[Tensor, "N F"],
        labels: Int[Tensor, " _m"] | Float[Tensor, "_m ..."],
        train: Int[Tensor, " K"] | None = None,
        *,
        splits: Splits | None = None,
        notes: tuple[str, ...] = (),
    ) -> RawGraph:
        """Makes a graph of arrays in any order.

        Args:
            edges: In one direction or both; repeated ones and self-loops are dropped.
            features: Dense, in any of torch's sparse layouts, of scipy, or on disk.
            labels: Class of every node, -1 where it is not known; or its targets as float, NaN
                where they are not known.
            train: Nodes whose labels may be learned from, where ``splits`` does not say it.
            splits: All the parts that were given.
            notes: What the reader left out or decided.

        Raises:
            UsageError: Where the arrays do not fit each other, or no node has a label.

        Example:
            >>> graph = RawGraph.of_arrays(
            ...     torch.tensor([[0, 1, 2, 2], [1, 0, 1, 2]]),
            ...     torch.eye(3),
            ...     torch.tensor([0, 0, 1]),
            ... )
            >>> graph.edges.tolist(), graph.task.classes, graph.task.features
            ([[0, 1], [1, 2]], 2, 3)
        """
        matrix = features if isinstance(features, DiskFeatures) else _tidied(features)
        nodes = len(labels)
        if matrix.shape[0] != nodes:
            raise UsageError(
                f"There are features of {matrix.shape[0]} nodes and labels of {nodes}.",
                "Give one row of features and one label for every node.",
            )
        if not matrix.shape[1]:
            raise UsageError("Nodes have no features.", "Give at least one, e.g. the degree.")
        _check_labels(labels)
        if splits is None and train is not None:
            splits = Splits(train)
        parts = {} if splits is None else splits.parts()
        for name, index in (("edges", edges), *parts.items()):
            if index.numel() and not 0 <= index.min() <= index.max() < nodes:
                raise UsageError(
                    f"`{name}` names the nodes {int(index.min())} to {int(index.max())} of a graph "
                    f"of {nodes}.",
                    "Number the nodes from 0.",
                )
        # An edge as one number takes less memory to sort than as a column.
        low, high = torch.minimum(*edges.long()), torch.maximum(*edges.long())
        numbers = (low * nodes + high)[low < high].unique()
        return cls(
            torch.stack([numbers // nodes, numbers % nodes]),
            matrix,
            labels.float() if labels.is_floating_point() else labels.long(),
            splits=Splits(**{name: part.long().unique() for name, part in parts.items()})
            if parts
            else None,
            notes=notes,
        )

    @classmethod
    def of(cls, data: Any) -> RawGraph:
        """Takes a graph over from torch-geometric.

        Args:
            data: A ``Data`` with ``x``, ``edge_index`` and ``y``, or a data set of one such graph.
                Of several splits in its masks the first is taken.

        Raises:
            UsageError: For several graphs, several labels a node, or what lacks one of the three.

        Example:
            >>> from torch_geometric.data import Data
            >>> edges = torch.tensor([[0, 1], [1, 0]])
            >>> data = Data(x=torch.ones(2, 3), edge_index=edges, y=torch.tensor([0, 1]))
            >>> RawGraph.of(data).nodes
            2
        """
        from torch_geometric.data import Data, Dataset

        if isinstance(data, Dataset):
            if len(data) != 1:
                raise UsageError(
                    f"A data set of {len(data)} graphs came, one graph is read.",
                    "Give one of them: `RawGraph.of(data_set[0])`, or all to `RawGraphs.of`.",
                )
            data = data[0]
        if not isinstance(data, Data):
            raise UsageError(
                f"A torch-geometric `Data` is read, got {type(data).__name__}.",
                "Make one, or use `RawGraph.of_arrays`.",
            )
        return graph_of_tensors(data.to_dict())

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return len(self.labels)

    @property
    def task(self) -> GraphTask:
        """What an architecture for it is built for."""
        return GraphTask(
            classes=self.classes,
            features=self.features.shape[1],
            nodes=self.nodes,
            edges=self.edges.shape[1],
        )


def _tidied(features: csr_array | Shaped[Tensor, "N F"]) -> csr_array:
    """Features as a sparse matrix of finite values, each once."""
    matrix = features.copy() if isinstance(features, csr_array) else sparse(features)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    if not np.isfinite(matrix.data).all():
        raise UsageError("Some features are not finite.", "Fill them in, e.g. with 0.")
    return matrix


def _check_labels(labels: Int[Tensor, " N"] | Float[Tensor, "N ..."]) -> None:
    if labels.is_floating_point():
        if labels.isinf().any() or labels.isnan().all():
            raise UsageError(
                "Targets are infinite, or none is known.",
                "Give numbers, and NaN only where a target is not known.",
            )
    elif not bool((labels >= 0).any()) or int(labels.min()) < -1:
        raise UsageError(
            "Labels have to be classes 0, 1, …, with -1 where one is not known; got "
            f"{sorted(set(labels.tolist()))[:5]}.",
            "Number the classes from 0.",
        )


def sparse(features: Shaped[Tensor, "N F"]) -> csr_array:
    """Makes a sparse matrix of a tensor in any layout.

    Args:
        features: The tensor.
    """
    if features.layout == torch.sparse_csr:
        parts = (features.values(), features.col_indices(), features.crow_indices())
        return csr_array(tuple(part.numpy() for part in parts), shape=tuple(features.shape))
    if features.layout == torch.sparse_coo:
        features = features.coalesce()
        where = tuple(features.indices().numpy())
        return csr_array((features.values().numpy(), where), shape=tuple(features.shape))
    return csr_array(features.float().numpy())


def graph_of_tensors(
    columns: Mapping[str, Any], split: int | None = None, regression: bool | None = None
) -> RawGraph:
    """Makes a graph of tensors by the names that torch-geometric gives them.

    Args:
        columns: ``x``, ``edge_index``, ``y`` and maybe ``train_mask``, ``val_mask``, ``test_mask``.
        split: Which of several splits in masks; by default the first.
        regression: See `classes_or_targets`.

    Raises:
        UsageError: Where one is lacking, or they do not fit each other.
    """
    missing = [
        name for name in ("x", "edge_index", "y") if not isinstance(columns.get(name), Tensor)
    ]
    if missing:
        raise UsageError(
            f"the graph lacks the tensor {', '.join(f'`{name}`' for name in missing)}.",
            "It needs `x`, `edge_index` and `y`.",
        )
    x, edges = columns["x"], columns["edge_index"]
    if x.ndim != 2 or edges.ndim != 2 or len(edges) != 2 or edges.is_floating_point():
        raise UsageError(
            f"`x` has the shape {tuple(x.shape)}, `edge_index` the shape {tuple(edges.shape)} and "
            f"the type {edges.dtype}.",
            "They are [nodes, features] and [2, edges], the latter integers.",
        )
    parts = {
        ours: column.numpy()
        for ours, theirs in PART_COLUMNS.items()
        for name in theirs
        if isinstance(column := columns.get(name), Tensor)
    }
    splits, notes = given_parts(parts, len(x), split)
    targets = classes_or_targets(columns["y"].detach().numpy(), regression)
    return RawGraph.of_arrays(
        edges, x.detach(), targets.labels, splits=splits, notes=(*notes, *unused(columns))
    )


def unused(columns: Collection[str]) -> tuple[str, ...]:
    """Says which of a graph's columns no network here takes.

    Args:
        columns: Names of all.
    """
    found = [name for name in ("edge_attr", "edge_weight", "pos") if name in columns]
    return tuple(
        f"`{name}` is not used: networks take edges and features of nodes." for name in found
    )
