"""Predictor: what every learned property predictor offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces import Space

__all__ = ["NOISE", "NormalScores", "Predictor", "log_interval"]

# Least variance of a normal score: no label is trusted further than 3 % of a standard deviation.
NOISE = 1e-3
# Farthest bound of a target as a normal score: torch differentiates `log_ndtr` to nonsense from
# -1e9 on, and a deviation of 3 % brings another factor of thirty.
FARTHEST = 1e4


class NormalScores:
    """Maps values to normal scores by rank and back, so that heavy tails do not rule a fit.

    Args:
        values: The labels, ``[n]``.

    Example:
        >>> scores = NormalScores(torch.tensor([1.0, 2.0, 100.0]))
        >>> scores.inverse(scores(torch.tensor([2.0]))).item()
        2.0
    """

    def __init__(self, values: Float[Tensor, " n"]) -> None:
        self.values, counts = values.double().unique(return_counts=True)
        rank = counts.cumsum(0) - counts.double() / 2
        self.z = torch.special.ndtri(rank / len(values))

    def __call__(self, values: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Returns the scores, linear between and beyond the labels.

        Args:
            values: In the unit of the labels.
        """
        return _interpolate(values.double(), self.values, self.z)

    def inverse(self, scores: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Returns the values of scores.

        Args:
            scores: Normal scores.
        """
        return _interpolate(scores.double(), self.z, self.values)


class Predictor(ABC):
    """Predicts one property from an architecture, with uncertainty.

    Labels are turned to normal scores by rank; a subclass models those as a Gaussian. Untouched by
    the units of the property.

    Args:
        space: The space.
        seed: Seed of every random draw.
    """

    name: ClassVar[str]

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        self.space, self.seed = space, seed

    def fit(self, x: Int[Tensor, "n V"], values: Float[Tensor, " n"]) -> Predictor:
        """Fits to labelled architectures.

        Args:
            x: Choice indices.
            values: The property of each, in any unit.

        Raises:
            UsageError: For fewer than three labels or labels that are not finite.
        """
        if len(x) != len(values) or len(x) < 3 or not bool(values.isfinite().all()):
            raise UsageError(
                f"A predictor needs at least 3 finite labels, got {len(values)} for {len(x)} "
                "architectures.",
                "Allow more labels.",
            )
        self.scores = NormalScores(values)
        self._fit(x, self.scores(values).float())
        return self

    def predict(self, x: Int[Tensor, "B V"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns the predicted mean (the median, mapped back) and standard deviation.

        Both are in the unit of the labels.

        Args:
            x: Choice indices.
        """
        mean, std = self.predict_scores(x)
        low, high = self.scores.inverse(mean - std), self.scores.inverse(mean + std)
        return self.scores.inverse(mean), (high - low) / 2

    def log_probability(
        self, x: Int[Tensor, "B V"], low: float, high: float
    ) -> Float[Tensor, " B"]:
        """Returns the log-probability that the property lies in ``[low, high]``.

        Args:
            x: Choice indices.
            low: Lower bound in the unit of the labels, or -inf.
            high: Upper bound, or inf.
        """
        mean, std = self.predict_scores(x)
        return log_interval(mean.double(), std.double(), self._bounds(low, high))

    def _bounds(self, low: float, high: float) -> Float[Tensor, " 2"]:
        bounds = torch.tensor([low, high], dtype=torch.float64).clamp(-1e300, 1e300)
        return self.scores(bounds).clamp(-FARTHEST, FARTHEST)

    @abstractmethod
    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns mean and standard deviation of the normal score.

        Args:
            x: Choice indices.
        """

    @abstractmethod
    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None: ...


def log_interval(
    mean: Float[Tensor, " B"], std: Float[Tensor, " B"], bounds: Float[Tensor, " 2"]
) -> Float[Tensor, " B"]:
    """Log-probability of a Gaussian between two bounds, accurate far in the tails.

    Args:
        mean: Means.
        std: Standard deviations.
        bounds: Lower and upper bound of all; for gradients, at most some million deviations off.

    Example:
        >>> both = torch.zeros(1), torch.ones(1)
        >>> round(log_interval(*both, torch.tensor([-1.96, 1.96])).exp().item(), 3)
        0.95
    """
    low, high = (bounds[0] - mean) / std, (bounds[1] - mean) / std
    # By symmetry the interval is moved to the left tail, where log_ndtr is accurate.
    flip = low + high > 0
    low, high = torch.where(flip, -high, low), torch.where(flip, -low, high)
    upper, lower = torch.special.log_ndtr(high), torch.special.log_ndtr(low)
    return upper + (-torch.expm1((lower - upper).clamp(max=-1e-12))).log()


def _interpolate(x: Tensor, grid: Tensor, values: Tensor) -> Tensor:
    if len(grid) == 1:
        return values[0] + (x - grid[0])
    right = torch.searchsorted(grid, x).clamp(1, len(grid) - 1)
    slope = (values[right] - values[right - 1]) / (grid[right] - grid[right - 1])
    # Beyond the ends the slope is that of the whole range: two close neighbours say little.
    whole = (values[-1] - values[0]) / (grid[-1] - grid[0])
    slope = torch.where((x < grid[0]) | (x > grid[-1]), whole, slope)
    anchor = torch.where(x > grid[-1], len(grid) - 1, right - 1)
    return values[anchor] + slope * (x - grid[anchor])
