"""AcquisitionInputs: what is known when a candidate is valued."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from botorch.sampling import SobolQMCNormalSampler
from botorch.utils.multi_objective.pareto import is_non_dominated
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["AcquisitionInputs", "Bound"]

# Samples of the quasi-Monte Carlo estimates.
SAMPLES = 64
# By how much of its range an objective's reference point lies below the worst of the front.
BELOW = 0.1


@dataclass(frozen=True)
class Bound:
    """A constraint on an output of the model.

    Args:
        output: Number of the output.
        low: Least feasible value, or -inf.
        high: Greatest feasible value, or inf.
    """

    output: int
    low: float
    high: float


@dataclass(frozen=True)
class AcquisitionInputs:
    """What is known when a candidate is valued, in the units of the model (more is better).

    Args:
        scores: Objectives of what was observed, ``[n, M]``; the model's first ``M`` outputs.
        feasible: Which of those met every constraint.
        bounds: Constraints on further outputs.
        seed: Of the quasi-Monte Carlo samples and Thompson draws.
    """

    scores: Float[Tensor, "n M"]
    feasible: Bool[Tensor, " n"]
    bounds: tuple[Bound, ...] = ()
    seed: int = 0

    def seeded(self, seed: int) -> AcquisitionInputs:
        """Returns the same with other random draws.

        Args:
            seed: Of the draws.
        """
        return replace(self, seed=seed)

    @property
    def objectives(self) -> int:
        """Number of objectives ``M``."""
        return self.scores.shape[1]

    @cached_property
    def best(self) -> float:
        """Best feasible score of a single objective; the worst score where none is feasible."""
        good = self.scores[self.feasible, 0]
        return float(good.max() if len(good) else self.scores[:, 0].min())

    @cached_property
    def front(self) -> Float[Tensor, "F M"]:
        """The feasible scores that no other dominates."""
        good = self.scores[self.feasible]
        return good[is_non_dominated(good)] if len(good) else good

    @cached_property
    def reference(self) -> Float[Tensor, " M"]:
        """Reference point of the hypervolume: a tenth of the range below the worst of the front.

        Where the front is a single point, below the worst that was observed.
        """
        worst = (self.front if len(self.front) > 1 else self.scores).amin(0)
        extent = self.scores.amax(0) - self.scores.amin(0)
        return worst - BELOW * extent.clamp(min=1e-3)

    def constraints(self) -> list[Callable[[Tensor], Tensor]] | None:
        """Constraints as BoTorch has them: negative where a sample is feasible."""
        made: list[Callable[[Tensor], Tensor]] = []
        for bound in self.bounds:
            if bound.low > -math.inf:
                made.append(_at_least(bound.output, bound.low))
            if bound.high < math.inf:
                made.append(_at_most(bound.output, bound.high))
        return made or None

    def sampler(self) -> SobolQMCNormalSampler:
        """Base samples, the same for every chunk of candidates."""
        return SobolQMCNormalSampler(torch.Size([SAMPLES]), seed=self.seed % 2**31)


def _at_least(output: int, low: float) -> Callable[[Tensor], Tensor]:
    return lambda z: low - z[..., output]


def _at_most(output: int, high: float) -> Callable[[Tensor], Tensor]:
    return lambda z: z[..., output] - high
