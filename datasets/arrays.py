"""Columns of raw data, checked."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ..core.errors import UsageError
from ..core.npz import Column

__all__ = ["Targets", "classes_or_targets", "integers", "numbers"]

# Most classes that whole numbers saved as floats are taken for.
MOST_CLASSES = 1000


def integers(column: Column, name: str) -> Int[Tensor, "..."]:
    """Takes whole numbers.

    Args:
        column: The column.
        name: What it is called in errors.

    Raises:
        UsageError: For anything else.
    """
    if column.dtype.kind not in "iu":
        raise UsageError(f"`{name}` is of type {column.dtype}.", "Save it as integers.")
    return torch.from_numpy(column.astype(np.int64))


def numbers(column: Column, name: str) -> Shaped[Tensor, "N F"]:
    """Takes a matrix of numbers, as float32.

    Args:
        column: The column.
        name: What it is called in errors.

    Raises:
        UsageError: For anything else.
    """
    if column.dtype.kind not in "iufb" or column.ndim != 2:
        raise UsageError(
            f"`{name}` is of type {column.dtype} and shape {column.shape}.",
            "Save it as numbers, [nodes, features].",
        )
    return torch.from_numpy(column.astype(np.float32))


@dataclass(frozen=True)
class Targets:
    """Labels of a file.

    Args:
        labels: Classes as integers, or the targets of a regression as float32.
        class_names: Names of the classes, where they were saved as text.
    """

    labels: Int[Tensor, " N"] | Float[Tensor, "N ..."]
    class_names: tuple[str, ...] = ()


def classes_or_targets(column: Column, regression: bool | None = None) -> Targets:
    """Takes one class, or the targets of a regression, for each node, image, series or graph.

    Whole numbers and text are classes, floats are targets.

    Args:
        column: ``[N]`` or ``[N, 1]``; targets may be ``[N, K]``.
        regression: Takes whole numbers for targets (True) or classes (False), however they were
            saved.

    Raises:
        UsageError: For other types and shapes, and for floats that look like classes, unless
            ``regression`` is given.

    Example:
        >>> classes_or_targets(np.array(["cat", "dog", "cat"]))
        Targets(labels=tensor([0, 1, 0]), class_names=('cat', 'dog'))
        >>> classes_or_targets(np.array([0.5, 1.5])).labels
        tensor([0.5000, 1.5000])
    """
    if column.ndim == 2 and column.shape[1] == 1:
        column = column[:, 0]
    kind = column.dtype.kind
    if kind in "US" and column.ndim == 1:
        names, labels = np.unique(column.astype(str), return_inverse=True)
        return Targets(torch.from_numpy(labels.astype(np.int64)), tuple(names.tolist()))
    if kind == "f" or (regression and kind in "iub"):
        whole = _whole(column)
        if kind == "f" and regression is None and whole and _like_classes(column):
            raise UsageError(
                f"Labels are floats that look like classes: {_shown(column)}.",
                "Save them as integers, or write regression=true to learn them as numbers.",
            )
        if regression is False:
            if not whole:
                raise UsageError(
                    f"Labels are no classes: {_shown(column)}.", "Leave out regression=false."
                )
            column, kind = np.nan_to_num(column, nan=-1).astype(np.int64), "i"
        else:
            return _targets(column)
    if kind not in "iub":
        raise UsageError(
            f"`labels` is of type {column.dtype}.", "Save it as integers, floats or text."
        )
    if column.ndim != 1:
        raise UsageError(
            f"Labels have the shape {column.shape}.",
            "Give one class number for each, or write regression=true.",
        )
    return Targets(torch.from_numpy(column.astype(np.int64)))


def _targets(column: Column) -> Targets:
    if column.ndim not in (1, 2) or not column.size:
        raise UsageError(
            f"Targets have the shape {column.shape}.",
            "Give one number for each, or a row of them: [N] or [N, K].",
        )
    return Targets(torch.from_numpy(column.astype(np.float32)))


def _whole(column: Column) -> bool:
    return bool(np.array_equal(column, np.round(column), equal_nan=True))


def _like_classes(column: Column) -> bool:
    """Whether whole numbers are 0 to K - 1, or 1 to K, and each more than once in the mean."""
    values = np.unique(column[np.isfinite(column) & (column >= 0)])
    if not len(values) or not (column[np.isfinite(column)] >= -1).all():
        return False
    return (
        column.ndim == 1
        and values[0] in (0, 1)
        and bool((np.diff(values) == 1).all())
        and 2 * len(values) <= max(column.size, 2)
        and len(values) <= MOST_CLASSES
    )


def _shown(column: Column) -> str:
    values = np.unique(column[~np.isnan(column)])
    return ", ".join(f"{value:g}" for value in values[:5]) + (", …" if len(values) > 5 else "")
