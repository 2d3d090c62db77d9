"""Distinct keys, and where each occurs first."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["first_of_each"]


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
