"""Graphs as arrays of a file, by the names of torch-geometric, of others, and our own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import torch
from scipy.sparse import csr_array

from ..core.errors import UsageError
from ..core.npz import Column
from .arrays import classes_or_targets, integers, numbers
from .disk_features import DiskFeatures
from .given_parts import PART_COLUMNS, given_parts
from .raw_graph import RawGraph
from .raw_graphs import RawGraphs

__all__ = ["GRAPH_COLUMNS", "graph_of_arrays", "named_arrays"]

# Our names of a graph's arrays, and those of others: torch-geometric's, and those of the files that
# came with "Pitfalls of Graph Neural Network Evaluation" (Amazon, Coauthor, Citation).
_CSR = ("data", "indices", "indptr", "shape")
GRAPH_COLUMNS: dict[str, tuple[str, ...]] = {
    "edges": ("edges", "edge_index"),
    "y": ("y", "labels"),
    "x": ("x", "features"),
    "graph": ("graph", "batch"),
    **PART_COLUMNS,
    **{f"x_{part}": (f"x_{part}", f"attr_{part}") for part in _CSR},
    **{f"adj_{part}": (f"adj_{part}",) for part in _CSR},
}


def named_arrays(names: Collection[str]) -> dict[str, str]:
    """Finds the arrays of a graph among the names of a file's arrays, by our names of them.

    Args:
        names: Of all arrays.

    Returns:
        Empty where there are no edges among them.

    Example:
        >>> named_arrays(["edge_index", "x", "y", "node_names"])
        {'edges': 'edge_index', 'y': 'y', 'x': 'x'}
    """
    found = {
        ours: next(name for name in theirs if name in names)
        for ours, theirs in GRAPH_COLUMNS.items()
        if any(name in names for name in theirs)
    }
    return found if "edges" in found or {"adj_indices", "adj_indptr"} <= set(found) else {}


def graph_of_arrays(
    columns: Mapping[str, Column],
    split: int | None = None,
    regression: bool | None = None,
    features: DiskFeatures | None = None,
) -> RawGraph | RawGraphs:
    """Makes a graph, or many, of the arrays of a file.

    Args:
        columns: As `named_arrays` names them. With ``graph``, the graph of every node, there are
            many, and ``y`` and the parts are of graphs.
        split: Which of several splits in masks; by default the first.
        regression: See `classes_or_targets`.
        features: Instead of those among the columns.

    Raises:
        UsageError: Where one is lacking, or they do not fit each other.
    """
    compressed = ("x_indices", "x_indptr", "x_shape")
    dense = "x" in columns
    needed = () if dense or features is not None else compressed
    missing = [name for name in ("y", *needed) if name not in columns]
    if missing:
        raise UsageError(
            f"a graph without {', '.join(f'`{name}`' for name in missing)}.",
            "It needs `edges`, `y`, and features in `x` or `x_indices`, `x_indptr`, `x_shape`.",
        )
    if "edges" in columns:
        edges = integers(columns["edges"], "edges")
    else:
        edges = torch.from_numpy(np.stack(_csr(columns, "adj").nonzero()).astype(np.int64))
    if edges.ndim != 2 or len(edges) != 2:
        raise UsageError(
            f"`edges` has the shape {tuple(edges.shape)}.", "It is [2, E]: where from, where to."
        )
    targets = classes_or_targets(columns["y"], regression)
    splits, notes = given_parts(columns, len(targets.labels), split)
    if features is not None and "graph" in columns:
        raise UsageError("Features of many graphs stay in memory.", "Leave features=disk out.")
    own: DiskFeatures | csr_array | torch.Tensor
    if features is not None:
        own = features
    else:
        own = numbers(columns["x"], "x") if dense else _csr(columns, "x")
    if "graph" not in columns:
        raw = RawGraph.of_arrays(edges, own, targets.labels, splits=splits, notes=notes)
        return replace(raw, class_names=targets.class_names)
    many = RawGraphs.of_arrays(
        edges,
        own if isinstance(own, torch.Tensor) else torch.from_numpy(own.toarray()),
        integers(columns["graph"], "graph").reshape(-1),
        targets.labels,
        splits=splits,
        notes=notes,
    )
    return replace(many, class_names=targets.class_names)


def _csr(columns: Mapping[str, Column], name: str) -> csr_array:
    indices, indptr = columns[f"{name}_indices"], columns[f"{name}_indptr"]
    data = columns.get(f"{name}_data", np.ones(len(indices)))
    try:
        rows, width = columns[f"{name}_shape"].tolist()
        matrix = csr_array((data.astype(np.float32), indices, indptr), shape=(rows, width))
        matrix.check_format()
    except (LookupError, TypeError, ValueError) as error:
        raise UsageError(
            f"the columns {name}_… are no CSR matrix: {error}.",
            "Save `indices`, `indptr`, `shape` and `data` of a scipy.sparse.csr_array.",
        ) from None
    return matrix
