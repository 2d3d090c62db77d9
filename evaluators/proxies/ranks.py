"""Ranks of several proxies together, which need no label."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["rank_sum"]


def rank_sum(scores: Sequence[Float[Tensor, " B"]]) -> Float[Tensor, " B"]:
    """Sums logarithms of ranks, as AZ-NAS does (Lee and Ham, CVPR 2024).

    What one proxy finds bad is hardly made up for by the others. NaN ranks last.

    Args:
        scores: One tensor a proxy, of which more is better.

    Example:
        >>> rank_sum([torch.tensor([1.0, 2.0]), torch.tensor([5.0, 3.0])]).exp()
        tensor([0.5000, 0.5000], dtype=torch.float64)
    """
    total = torch.zeros(len(scores[0]), dtype=torch.float64)
    for each in scores:
        values = each.double().nan_to_num(-torch.inf)
        # Equal scores share the best rank that they have together.
        rank = (values[None] <= values[:, None]).sum(1)
        total += (rank.double() / len(values)).log()
    return total
