"""Uniform draws."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from ..neighbourhood import fresh_draws
from .source import Asked

__all__ = ["UniformDraws"]


class UniformDraws:
    """Draws uniformly among what is possible: starts that no incumbent is near to."""

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        return fresh_draws(asked.history, n, seed)
