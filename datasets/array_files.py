"""Images and series as arrays of a `.npz` file, whole or in parts."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from ..core.errors import UsageError
from ..core.npz import Column, npz_names, read_npz
from .arrays import classes_or_targets
from .disk_features import disk_features
from .graph_files import graph_of_arrays, named_arrays
from .labelled import Splits
from .raw_graph import RawGraph
from .raw_graphs import RawGraphs
from .raw_images import RawImages, as_bytes, channels_first
from .raw_series import RawSeries, series_of

__all__ = ["is_array_file", "read_array_file"]

# How parts are called, and examples with their labels: in parts, and as a whole.
PARTS = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
IN_PARTS = (("x_{}", "y_{}"), ("{}_images", "{}_labels"), ("images_{}", "labels_{}"))
WHOLE = (("images", "labels"), ("series", "labels"), ("x", "y"))

FEATURES = ("memory", "disk")
OF_FEATURES = re.compile(r"x(_|$)").match

_Pair = tuple[str, str]


def is_array_file(path: Path) -> bool:
    """Whether a ``.npz`` file holds a graph, images or series, by the names of its arrays.

    Args:
        path: The file.
    """
    names = npz_names(path)
    return bool(named_arrays(names) or _pairs(names))


def read_array_file(
    path: Path,
    *,
    split: int | None = None,
    regression: bool | None = None,
    features: str = "memory",
) -> RawGraph | RawGraphs | RawImages | RawSeries:
    """Reads a graph, images or series from a ``.npz`` file.

    Arrays with ``edges`` are a graph. Examples are images where they are bytes with three or four
    axes, have four axes, or are called ``images``; else they are series.

    Args:
        path: The file.
        split: Which of several splits in the masks of a graph.
        regression: See `classes_or_targets`.
        features: ``disk`` leaves a graph's features there; see `disk_features`.

    Raises:
        UsageError: For arrays that are none of them, or do not fit each other.
    """
    names = npz_names(path)
    if features not in FEATURES:
        raise UsageError(f"`features` is {features!r}.", f"Use {' or '.join(FEATURES)}.")
    if graph := named_arrays(names):
        on_disk = disk_features(path, graph) if features == "disk" else None
        read = {k: v for k, v in graph.items() if on_disk is None or not OF_FEATURES(k)}
        columns = read_npz(path, tuple(read.values()))
        return graph_of_arrays(
            {ours: columns[theirs] for ours, theirs in read.items()}, split, regression, on_disk
        )
    if features == "disk":
        raise UsageError("Features of graphs alone may stay on disk.", "Leave the option out.")
    if split is not None:
        raise UsageError("`split` is for graphs with several masks.", "Leave the option out.")
    pairs = _pairs(names)
    if not pairs:
        raise UsageError(
            f"neither a graph nor images nor series, its columns are {', '.join(names) or 'none'}.",
            "A graph has `edges`, `x` and `y`; images and series have `x_train` and `y_train`.",
        )
    columns = read_npz(path, [name for pair in pairs.values() for name in pair])
    examples = {part: columns[pair[0]] for part, pair in pairs.items()}
    labels = {part: columns[pair[1]] for part, pair in pairs.items()}
    _check_shapes(pairs, examples, labels)
    x, name = _joined(list(examples.values())), next(iter(pairs.values()))[0]
    targets = classes_or_targets(_joined(list(labels.values())), regression)
    splits = None if "" in pairs else _splits({part: len(y) for part, y in labels.items()})
    notes = _without_labels(names, pairs)
    if "images" in name.lower() or x.ndim == 4 or (x.dtype == np.uint8 and x.ndim == 3):
        pixels, scaled = as_bytes(x)
        return RawImages(
            channels_first(pixels),
            targets.labels,
            splits=splits,
            class_names=targets.class_names,
            notes=(*notes, *scaled),
        )
    if x.ndim == 3 and x.shape[1] == x.shape[2]:
        notes += (
            f"`{name}` {x.shape} is read as series of {x.shape[1]} channels; grey images are saved "
            "as bytes, or called `images`.",
        )
    return RawSeries(
        series_of(x), targets.labels, splits=splits, class_names=targets.class_names, notes=notes
    )


def _pairs(names: Collection[str]) -> dict[str, _Pair]:
    """The arrays of examples and labels of every part; of a whole, the part is ""."""
    known = {name.lower(): name for name in names}
    for forms in IN_PARTS:
        found = {
            part: (known[forms[0].format(called)], known[forms[1].format(called)])
            for part, calls in PARTS.items()
            for called in calls
            if all(form.format(called) in known for form in forms)
        }
        if "train" in found:
            return found
    for pair in WHOLE:
        if set(pair) <= set(known):
            return {"": (known[pair[0]], known[pair[1]])}
    return {}


def _without_labels(names: Collection[str], pairs: Mapping[str, _Pair]) -> tuple[str, ...]:
    """Says which arrays of examples are left out, as none has their labels."""
    taken = {name for pair in pairs.values() for name in pair}
    calls = [called for each in PARTS.values() for called in each]
    forms = [form.format(called) for form, _ in IN_PARTS for called in calls]
    left = [name for name in names if name.lower() in forms and name not in taken]
    return tuple(f"`{name}` has no labels and is left out." for name in left)


def _check_shapes(
    pairs: Mapping[str, _Pair], examples: Mapping[str, Column], labels: Mapping[str, Column]
) -> None:
    first = next(iter(pairs))
    for part, (name, label) in pairs.items():
        x, y = examples[part], labels[part]
        if not (x.ndim and y.ndim and len(x)):
            raise UsageError(
                f"`{name}` is empty.", "Give examples, or leave it out to have the part drawn."
            )
        if len(x) != len(y):
            what = "images" if x.dtype == np.uint8 else "examples"
            raise UsageError(
                f"There are {len(x)} {what} and {len(y)} labels in `{name}` and `{label}`.",
                "Give one label for every one.",
            )
        own, other = x.shape[1:], examples[first].shape[1:]
        if own != other or x.dtype.kind != examples[first].dtype.kind:
            raise UsageError(
                f"`{name}` is of the shape {own} and type {x.dtype}, `{pairs[first][0]}` of "
                f"{other} and {examples[first].dtype}.",
                "Bring all examples to one number of channels, one size and one type.",
            )


def _joined(columns: Sequence[Column]) -> Column:
    return columns[0] if len(columns) == 1 else np.concatenate(columns)


def _splits(sizes: Mapping[str, int]) -> Splits:
    """The parts of arrays that were joined in their order."""
    ends = np.cumsum(list(sizes.values())).tolist()
    return Splits(
        **{
            part: torch.arange(end - size, end)
            for (part, size), end in zip(sizes.items(), ends, strict=True)
        }
    )
