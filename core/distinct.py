"""Distinct keys, and where each occurs first."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["distinct_rows", "first_of_each"]

LARGEST = 2**62


def first_of_each(keys: Int[Tensor, " n"]) -> tuple[Int[Tensor, " u"], Int[Tensor, " u"]]:
    """Returns the distinct keys in ascending order, and where each occurs first.

    Args:
        keys: Such as hashes of architectures.

    Example:
        >>> first_of_each(torch.tensor([7, 3, 7]))
        (tensor([3, 7]), tensor([1, 0]))
    """
    kinds, owner = keys.unique(return_inverse=True)
    first = torch.full((len(kinds),), len(keys))
    return kinds, first.scatter_reduce(0, owner, torch.arange(len(keys)), "amin")


def distinct_rows(rows: Int[Tensor, "n k"]) -> tuple[Int[Tensor, "u k"], Int[Tensor, " n"]]:
    """Returns the distinct rows in lexicographic order, and which of them each row is.

    As ``rows.unique(dim=0, return_inverse=True)``, but sorting numbers instead of rows.

    Args:
        rows: Of numbers from 0 on, such as choice indices.

    Example:
        >>> distinct_rows(torch.tensor([[1, 0], [0, 2], [1, 0]]))
        (tensor([[0, 2],
                [1, 0]]), tensor([1, 0, 1]))
    """
    keys, bound = rows.new_zeros(len(rows)), 1
    for column in rows.unbind(1):
        size = int(column.max()) + 1 if len(rows) else 1
        if bound > LARGEST // size:
            # Their ranks are in the same order, and smaller.
            kinds, keys = keys.unique(return_inverse=True)
            bound = len(kinds)
        keys, bound = keys * size + column, bound * size
    kinds, inverse = keys.unique(return_inverse=True)
    first = torch.full((len(kinds),), len(rows), device=rows.device)
    first = first.scatter_reduce(0, inverse, torch.arange(len(rows), device=rows.device), "amin")
    return rows[first], inverse
