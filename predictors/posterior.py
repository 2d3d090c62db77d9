"""Posterior: what a fitted predictor says of architectures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.seeding import make_generator

__all__ = ["Posterior", "aligned", "log_interval", "mixture"]

# Variance of what is certain; sampling needs one above 0.
CERTAIN = 1e-10
# Added to the diagonal before a joint draw.
JITTER = 1e-6


@dataclass(frozen=True)
class Posterior:
    """Gaussian under each of ``S`` equally likely hyper-parameter samples: a mixture.

    Args:
        mean: Means, ``[S, P]``.
        variance: Variances without observation noise, ``[S, P]``.
        noise: Variance of an observation beyond that, ``[S]``.
        covariance: Of the points with each other, ``[S, P, P]``; None where it was not asked for.

    Example:
        >>> one = torch.ones(2, 1)
        >>> both = Posterior(torch.tensor([[0.0], [2.0]]), one, 0.5 * one[:, 0])
        >>> [round(part.item(), 4) for part in both.moments()]
        [1.0, 1.4142]
        >>> both.moments(observation_noise=True)[1].square().item()
        2.5
    """

    mean: Float[Tensor, "S P"]
    variance: Float[Tensor, "S P"]
    noise: Float[Tensor, " S"]
    covariance: Float[Tensor, "S P P"] | None = None

    @classmethod
    def gaussian(
        cls, mean: Float[Tensor, " P"], std: Float[Tensor, " P"], *, joint: bool = False
    ) -> Posterior:
        """Makes the posterior of points that are independent given the labels.

        Args:
            mean: Means.
            std: Standard deviations of what an evaluation will show: the noise, which such
                predictors cannot tell from what they have not learnt, is a part of it.
            joint: Whether it shall have a covariance, which is diagonal.
        """
        variance = std.double().square()[None]
        covariance = variance.diag_embed() if joint else None
        return cls(mean.double()[None], variance, variance.new_zeros(1), covariance)

    @classmethod
    def deterministic(cls, values: Float[Tensor, " P"], *, joint: bool = False) -> Posterior:
        """Makes the posterior of what is counted: its value, without doubt.

        Args:
            values: The values.
            joint: Whether it shall have a covariance.
        """
        std = torch.full((len(values),), CERTAIN**0.5, dtype=torch.float64)
        return cls.gaussian(values, std, joint=joint)

    @property
    def num_samples(self) -> int:
        """Number of hyper-parameter samples."""
        return len(self.mean)

    def __getitem__(self, points: slice) -> Posterior:
        """Returns the posterior of some points."""
        covariance = None if self.covariance is None else self.covariance[:, points, points]
        return Posterior(self.mean[:, points], self.variance[:, points], self.noise, covariance)

    def sample(self, number: int) -> Posterior:
        """Returns the posterior under one hyper-parameter sample.

        Args:
            number: Which.
        """
        one = slice(number, number + 1)
        covariance = None if self.covariance is None else self.covariance[one]
        return Posterior(self.mean[one], self.variance[one], self.noise[one], covariance)

    def observed(self) -> Posterior:
        """Returns the posterior of what evaluations will show: the noise moves to the variance."""
        covariance = self.covariance
        if covariance is not None:
            covariance = covariance.clone()
            covariance.diagonal(dim1=1, dim2=2).add_(self.noise[:, None])
        variance = self.variance + self.noise[:, None]
        return Posterior(self.mean, variance, torch.zeros_like(self.noise), covariance)

    def shifted(self, by: Float[Tensor, " P"]) -> Posterior:
        """Returns the posterior with something added to every mean.

        Args:
            by: What is added.
        """
        return replace(self, mean=self.mean + by)

    def moments(
        self, *, observation_noise: bool = False
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
        """Returns mean and standard deviation of the mixture.

        Args:
            observation_noise: Whether of what an evaluation will show.
        """
        mean = self.mean.mean(0)
        variance = self.observed().variance if observation_noise else self.variance
        return mean, (variance + (self.mean - mean).square()).mean(0).sqrt()

    def log_probability(self, low: float, high: float) -> Float[Tensor, " P"]:
        """Returns the log-probability, under the mixture, of lying in ``[low, high]``.

        Args:
            low: Lower bound.
            high: Upper bound.
        """
        edges = torch.tensor([low, high], dtype=self.mean.dtype)
        chance = log_interval(self.mean.flatten(), self.variance.sqrt().flatten(), edges)
        return chance.view_as(self.mean).logsumexp(0) - math.log(self.num_samples)

    def draws(self, n: int, *, seed: int) -> Float[Tensor, "n P"]:
        """Draws from the mixture: jointly where there is a covariance, else point by point.

        Args:
            n: Number of draws.
            seed: Of the draws.

        Example:
            >>> Posterior.deterministic(torch.tensor([3.0])).draws(2, seed=0).round().tolist()
            [[3.0], [3.0]]
        """
        generator, points = make_generator(seed), self.mean.shape[1]
        if self.covariance is None:
            sample = torch.randint(self.num_samples, (n, points), generator=generator)
            deviation = self.variance.gather(0, sample).sqrt()
            noise = torch.randn(n, points, generator=generator, dtype=torch.float64)
            return self.mean.gather(0, sample) + deviation * noise
        sample = torch.randint(self.num_samples, (n,), generator=generator)
        factor = torch.linalg.cholesky(self.covariance[sample] + JITTER * torch.eye(points))
        noise = torch.randn(n, points, generator=generator, dtype=torch.float64)
        return self.mean[sample] + (factor @ noise[:, :, None])[:, :, 0]


def aligned(posteriors: Sequence[Posterior]) -> list[Posterior]:
    """Brings posteriors to one number of hyper-parameter samples, each weighed as before.

    Args:
        posteriors: At least one.

    Example:
        >>> one, two = torch.ones(1, 1), torch.ones(2, 1)
        >>> both = aligned([Posterior(one, one, one[0]), Posterior(two, two, two[:, 0])])
        >>> [each.num_samples for each in both]
        [2, 2]
    """
    count = math.lcm(*(each.num_samples for each in posteriors))
    return [
        Posterior(
            _repeated(each.mean, count),
            _repeated(each.variance, count),
            _repeated(each.noise, count),
            None if each.covariance is None else _repeated(each.covariance, count),
        )
        for each in posteriors
    ]


def mixture(posteriors: Sequence[Posterior], votes: Sequence[int] = ()) -> Posterior:
    """Mixes posteriors of the same points, however many samples each has.

    Args:
        posteriors: At least one; all with a covariance, or none.
        votes: How often each counts; once by default.

    Example:
        >>> three, five = (Posterior.deterministic(torch.tensor([v])) for v in (3.0, 5.0))
        >>> mixture([three, five]).mean.tolist()
        [[3.0], [5.0]]
        >>> mixture([three, five], (2, 1)).mean.tolist()
        [[3.0], [3.0], [5.0]]
    """
    counts = votes or (1,) * len(posteriors)
    voting = zip(aligned(posteriors), counts, strict=True)
    parts = [part for part, count in voting for _ in range(count)]
    covariances = [part.covariance for part in parts if part.covariance is not None]
    return Posterior(
        torch.cat([part.mean for part in parts]),
        torch.cat([part.variance for part in parts]),
        torch.cat([part.noise for part in parts]),
        torch.cat(covariances) if covariances else None,
    )


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


def _repeated(part: Tensor, count: int) -> Tensor:
    if len(part) == 1:
        return part.expand(count, *part.shape[1:])
    return part if len(part) == count else part.repeat_interleave(count // len(part), 0)
