"""What a surrogate is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from ...encoders.views import Encoded
from .pool_model import Belief

__all__ = ["Surrogate"]


@runtime_checkable
class Surrogate(Belief, Protocol):
    """A belief that is fitted to observations."""

    def fit(
        self, data: Encoded, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> Surrogate:
        """Fits to observations.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """

    def coarse(self) -> Belief:
        """Returns a belief that is cheaper, for a first look."""
