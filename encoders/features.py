"""Hand-made feature vectors of architectures."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..spaces import Space

__all__ = ["one_hot", "statistics"]


def one_hot(space: Space, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
    """Concatenates the one-hot choices of the canonical form.

    Args:
        space: The space.
        x: Choice indices.

    Returns:
        One column per choice of every variable.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> one_hot(cells, cells.sample(2, 0)).shape
        torch.Size([2, 30])
    """
    relaxed = F.one_hot(space.canonical(x), space.choice_mask.shape[1]).float()
    return relaxed[:, space.choice_mask]


def statistics(space: Space, x: Int[Tensor, "B V"]) -> Float[Tensor, "B S"]:
    """Stacks the logarithms of what can be counted exactly (parameters, MACs, depth).

    Args:
        space: The space.
        x: Valid choice indices.

    Returns:
        One column per statistic, in the order of their names.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> statistics(cells, cells.sample(2, 0)).shape
        torch.Size([2, 3])
    """
    counts = space.statistics(x)
    columns = [counts[name].log1p() for name in sorted(counts)]
    return torch.stack(columns, 1).float() if columns else torch.zeros(len(x), 0)
