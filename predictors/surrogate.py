"""What a surrogate is."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.feature_sets import Features

__all__ = ["Belief", "Known", "Surrogate"]


@runtime_checkable
class Belief(Protocol):
    """What is believed of one metric: Gaussian under each of ``S`` equally likely settings."""

    def noise(self) -> Float[Tensor, " S"]:
        """Returns the variance of what an evaluation shows beyond what is believed of it."""

    def marginals(self, data: Features) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P"]]:
        """Returns means and variances.

        Args:
            data: Architectures.
        """

    def joint(self, data: Features) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P P"]]:
        """Returns means and covariances.

        Args:
            data: Architectures.
        """


class Known:
    """The belief in what is counted: its value, without doubt.

    Args:
        values: Of the architectures that will be asked for, ``[P]``.

    Example:
        >>> data = Features(torch.tensor([[0], [1]]), ())
        >>> Known(torch.tensor([3.0, 4.0])).marginals(data)[0].tolist()
        [[3.0, 4.0]]
    """

    # A variance that no sample shows; sampling needs one above 0.
    VARIANCE = 1e-10

    def __init__(self, values: Float[Tensor, " P"]) -> None:
        self.values = values.double()

    def noise(self) -> Float[Tensor, " 1"]:
        return torch.zeros(1, dtype=torch.float64)

    def marginals(self, data: Features) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 P"]]:
        return self.values[None], torch.full_like(self.values, self.VARIANCE)[None]

    def joint(self, data: Features) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 P P"]]:
        return self.values[None], self.VARIANCE * torch.eye(len(data), dtype=torch.float64)[None]


@runtime_checkable
class Surrogate(Belief, Protocol):
    """A belief that is fitted to observations."""

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> Surrogate:
        """Fits to observations.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """

    def coarse(self) -> Belief:
        """Returns a belief that is cheaper, for a first look."""
