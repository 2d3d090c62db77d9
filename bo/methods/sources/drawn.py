"""What the generator proposes by itself."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from .source import Asked

__all__ = ["Drawn"]


class Drawn:
    """Draws from the generator without guidance: as it learnt what architectures are like."""

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        return asked.proposals(n, seed)
