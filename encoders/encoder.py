"""Encoder: what every way to turn architectures into numbers offers."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Encoder"]


@runtime_checkable
class Encoder(Protocol):
    """Maps the architectures of one space to vectors, without any label.

    Isomorphic architectures have one encoding.
    """

    def fit(self, x: Int[Tensor, "B V"]) -> Encoder:
        """Takes what it needs to know of the space from architectures: a vocabulary, weights.

        Args:
            x: Valid choice indices, such as some thousand uniform draws.
        """

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Encodes architectures.

        Args:
            x: Valid choice indices.
        """
