"""Data sets of torch-geometric, by the names of their classes."""

from __future__ import annotations

import inspect
from typing import Any

from ..core.errors import TableError, UnknownNameError, UsageError
from .cache import cache_folder
from .raw_graph import RawGraph, graph_of_tensors
from .raw_graphs import RawGraphs, graphs_of_tensors

__all__ = ["pyg_set"]

# Names that stand alone, and the class that has them.
CLASS_OF = {"Cora": "Planetoid", "CiteSeer": "Planetoid", "PubMed": "Planetoid"}


def pyg_set(
    name: str = "", *, root: str = "", split: int | None = None, regression: bool | None = None
) -> RawGraph | RawGraphs:
    """Reads a data set of torch-geometric, and downloads it where it is not on disk.

    Args:
        name: ``"Cora"``, or a class of ``torch_geometric.datasets``, with the name of one of its
            data sets where it has several: ``"KarateClub"``, ``"TUDataset/MUTAG"``.
        root: Folder that holds it; by default one in the `cache_folder`.
        split: Which of several splits in masks; by default the first.
        regression: See `classes_or_targets`.

    Raises:
        UnknownNameError: For another name.
        TableError: Where it cannot be downloaded.
        UsageError: For what is no graph with one label for each node or graph.
    """
    import torch_geometric.datasets as sets
    from torch_geometric.data import Data

    family, _, member = name.partition("/")
    family = {each.lower(): each for each in (*sets.__all__, *CLASS_OF)}.get(family.lower(), family)
    if family in CLASS_OF and not member:
        family, member = CLASS_OF[family], family
    if family not in sets.__all__:
        raise UnknownNameError.of(
            "data set of torch-geometric", name, [*CLASS_OF, *sets.__all__], "Try pyg:Cora."
        )
    kind = getattr(sets, family)
    takes = inspect.signature(kind).parameters
    if "name" in takes and not member:
        raise UsageError(f"{family} holds several data sets.", f"Name one: pyg:{family}/NAME.")
    options: dict[str, Any] = {"name": member} if member else {}
    if "root" in takes:
        options["root"] = str(root or cache_folder() / "pyg" / family)
    try:
        made = kind(**options)
        graphs = [made[place] for place in range(len(made))]
    except (AssertionError, KeyError, TypeError) as error:
        raise UsageError(
            f"torch-geometric makes no data set {name}: {error!r}.", "Is the name right?"
        ) from error
    except (OSError, RuntimeError, ValueError) as error:
        raise TableError(
            f"{name} is not in {options.get('root')} and cannot be downloaded: {error}.",
            "Give the folder that holds it: root=FOLDER.",
        ) from error
    if wrong := [each for each in graphs if not isinstance(each, Data)]:
        raise UsageError(
            f"{name} holds {type(wrong[0]).__name__}, no plain graph.", "Choose another."
        )
    if len(graphs) == 1:
        return graph_of_tensors(graphs[0].to_dict(), split, regression)
    if split is not None:
        raise UsageError("`split` is for one graph with several masks.", "Leave the option out.")
    return graphs_of_tensors([each.to_dict() for each in graphs], regression)
