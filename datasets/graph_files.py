"""Graphs in the files of torch-geometric, of others, and of one's own."""

from __future__ import annotations

import pickle
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array

from ..core.errors import UsageError
from ..core.npz import Column
from .arrays import classes, integers, numbers
from .raw_graph import RawGraph, graph_of_tensors, sparse

__all__ = ["GRAPH_COLUMNS", "graph_of_arrays", "named_arrays", "processed_file", "read_saved_graph"]

# Our names of a graph's arrays, and those of others: torch-geometric's, and those of the files that
# came with "Pitfalls of Graph Neural Network Evaluation" (Amazon, Coauthor, Citation).
_CSR = ("data", "indices", "indptr", "shape")
GRAPH_COLUMNS: dict[str, tuple[str, ...]] = {
    "edges": ("edges", "edge_index"),
    "y": ("y", "labels"),
    "x": ("x", "features"),
    "train_idx": ("train_idx",),
    "train_mask": ("train_mask",),
    **{f"x_{part}": (f"x_{part}", f"attr_{part}") for part in _CSR},
    **{f"adj_{part}": (f"adj_{part}",) for part in _CSR},
}
_BROKEN = (OSError, RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError)
# What else a damaged object of torch-geometric stumbles over once its tensors are read.
_ODD = (AttributeError, TypeError)
_REFUSED = re.compile(r"(?:Unsupported global: GLOBAL|Unsupported class|type) ([\w.]+)")


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


def graph_of_arrays(columns: Mapping[str, Column]) -> RawGraph:
    """Makes a graph of the arrays of a file.

    Args:
        columns: As `named_arrays` names them.

    Raises:
        UsageError: Where one is lacking, or they do not fit each other.
    """
    compressed = ("x_indices", "x_indptr", "x_shape")
    dense = "x" in columns
    missing = [name for name in ("y", *(() if dense else compressed)) if name not in columns]
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
    features = sparse(numbers(columns["x"], "x")) if dense else _csr(columns, "x")
    train = columns.get("train_idx")
    if train is None and (mask := columns.get("train_mask")) is not None:
        train = np.flatnonzero(mask.reshape(len(mask), -1)[:, 0])
    return RawGraph.of_arrays(
        edges,
        features,
        classes(columns["y"]),
        None if train is None else integers(train, "train_idx"),
    )


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


def processed_file(folder: Path) -> Path | None:
    """Finds the file of a torch-geometric data set.

    Args:
        folder: Its root, its folder, or its processed folder.
    """
    places = [folder] if folder.name == "processed" else []
    places += [folder / "processed", *sorted(folder.glob("*/processed"))]
    for place in places:
        for file in sorted(place.glob("*.pt")):
            if file.name not in ("pre_filter.pt", "pre_transform.pt"):
                return file
    return None


def read_saved_graph(path: Path) -> RawGraph:
    """Reads what torch saved: a data set of torch-geometric, its ``Data``, or a dictionary.

    Args:
        path: The file. Nothing in it is run; of classes, only those of a ``Data`` are admitted.

    Raises:
        UsageError: For what is broken, refused, or no graph.
    """
    from torch_geometric.data import Data
    from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
    from torch_geometric.data.storage import GlobalStorage

    torch.serialization.add_safe_globals([Data, DataEdgeAttr, DataTensorAttr, GlobalStorage])
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN as error:
        if refused := _REFUSED.search(str(error)):
            raise UsageError(
                f"the file is refused: it holds a {refused[1]}, which could run code when read.",
                "Load it in Python if you trust it, and give `RawGraph.of(data)`.",
            ) from None
        raise UsageError("the file is broken or none that torch saved.", "Is it whole?") from None
    except _ODD as error:
        raise UsageError(f"the file is broken: {error}.", "Save it again.") from None
    columns, slices = saved[:2] if isinstance(saved, tuple) and len(saved) > 1 else (saved, None)
    if isinstance(slices, Mapping) and any(len(bounds) > 2 for bounds in slices.values()):
        raise UsageError("the file holds several graphs.", "Give a data set of one graph.")
    if isinstance(columns, Data):
        columns = _columns_of(columns)
    if not isinstance(columns, Mapping):
        raise UsageError(
            f"the file holds {type(columns).__name__}, no graph.",
            "Give a `Data` that torch saved, or the file of an `InMemoryDataset`.",
        )
    return graph_of_tensors(columns)


def _columns_of(data: Any) -> Mapping[str, Any]:
    try:
        columns: dict[str, Any] = data.to_dict()
    # Saved by another version, or by hand, it may lack any of its parts.
    except Exception as error:
        raise UsageError(f"the `Data` is broken: {error}.", "Save it again.") from None
    return columns
