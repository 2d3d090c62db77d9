"""Columns of raw data, checked."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Int, Shaped
from torch import Tensor

from ..core.errors import UsageError
from ..core.npz import Column

__all__ = ["classes", "integers", "numbers"]


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


def classes(column: Column) -> Int[Tensor, " N"]:
    """Takes one class number for each node or image.

    Args:
        column: ``[N]`` or ``[N, 1]``.

    Raises:
        UsageError: For anything else.
    """
    labels = integers(column, "labels")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise UsageError(
            f"Labels have the shape {tuple(labels.shape)}.", "Give one class number for each."
        )
    return labels
