"""Graphs that torch saved, alone or many in a data set of torch-geometric."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.errors import UsageError
from .raw_graph import RawGraph, graph_of_tensors
from .raw_graphs import RawGraphs, graphs_of_tensors

__all__ = ["processed_file", "read_saved_graph"]

_BROKEN = (OSError, RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError)
# What else a damaged object of torch-geometric stumbles over once its tensors are read.
_ODD = (AttributeError, TypeError)
_REFUSED = re.compile(r"(?:Unsupported global: GLOBAL|Unsupported class|type) ([\w.]+)")


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


def read_saved_graph(
    path: Path, split: int | None = None, regression: bool | None = None
) -> RawGraph | RawGraphs:
    """Reads what torch saved: a data set of torch-geometric, its ``Data``, or a dictionary.

    Args:
        path: The file. Nothing in it is run; of classes, only those of a ``Data`` are admitted.
        split: Which of several splits in masks; by default the first.
        regression: See `classes_or_targets`.

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
    if isinstance(saved, list | tuple) and saved and all(isinstance(each, Data) for each in saved):
        return graphs_of_tensors([_columns_of(each) for each in saved], regression)
    columns, slices = saved[:2] if isinstance(saved, tuple) and len(saved) > 1 else (saved, None)
    if isinstance(columns, Data):
        columns = _columns_of(columns)
    if not isinstance(columns, Mapping):
        raise UsageError(
            f"the file holds {type(columns).__name__}, no graph.",
            "Give a `Data` that torch saved, a list of them, or the file of an `InMemoryDataset`.",
        )
    if isinstance(slices, Mapping) and any(len(each) > 2 for each in slices.values()):
        return graphs_of_tensors(_sliced(columns, slices), regression)
    return graph_of_tensors(columns, split, regression)


def _sliced(columns: Mapping[str, Any], slices: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Takes graphs apart that an `InMemoryDataset` put together, each with its own numbers."""
    count = max(len(bounds) for bounds in slices.values()) - 1
    graphs: list[dict[str, Any]] = [{} for _ in range(count)]
    try:
        for name, bounds in slices.items():
            if not isinstance(column := columns.get(name), Tensor):
                continue
            axis = -1 if name == "edge_index" else 0
            for graph, first, last in zip(graphs, bounds[:-1], bounds[1:], strict=True):
                graph[name] = column.narrow(axis, int(first), int(last) - int(first))
        # Of graphs without features; of all together in `num_nodes`.
        for graph, size in zip(graphs, columns.get("_num_nodes", ()), strict=False):
            graph["num_nodes"] = int(size)
    except (RuntimeError, TypeError, ValueError) as error:
        raise UsageError(
            f"the graphs of the data set are cut in the wrong places: {error}.", "Save it again."
        ) from None
    return graphs


def _columns_of(data: Any) -> Mapping[str, Any]:
    try:
        columns: dict[str, Any] = data.to_dict()
    # Saved by another version, or by hand, it may lack any of its parts.
    except Exception as error:
        raise UsageError(f"the `Data` is broken: {error}.", "Save it again.") from None
    return columns
