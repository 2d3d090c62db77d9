"""Members of an ensemble: which labels each of them sees."""

from __future__ import annotations

import torch
from jaxtyping import Bool
from torch import Tensor

__all__ = ["seen_labels"]

# Share of a member's labels that it does not see, by which its errors are told.
UNSEEN = 0.2
# Fewer labels than this teach nothing.
FEWEST = 3


def seen_labels(n: int, generator: torch.Generator) -> Bool[Tensor, " n"]:
    """Draws the labels that a member sees: four fifths, or all where that leaves too few.

    Args:
        n: Number of labels.
        generator: Of the draw.

    Example:
        >>> seen_labels(2, torch.Generator()).tolist()
        [True, True]
    """
    seen = torch.rand(n, generator=generator) >= UNSEEN
    return seen if int(seen.sum()) >= FEWEST else torch.ones_like(seen)
