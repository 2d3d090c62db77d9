"""Exact Gaussian process on several feature sets of a DAG, averaged over its hyper-parameters."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.gaussian_process import condition, factorise
from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from .posterior import Posterior

__all__ = ["AveragedGP", "Hyperparameters", "posterior_draws"]

# Samples drawn from the prior, and the most that the average is over.
DRAWN, NUM_SAMPLES = 256, 16
# Steps of the walk that moves the latter, and how far one goes.
MOVES, STEP = 16, 0.35
# Standard deviation of the logarithm of a feature set's share: often one or two have most of it.
UNEVEN = 2.0
# As many likelihoods are computed in one go; more do not fit the cache, and take twice the time.
TOGETHER = 16
# Likelihoods are of at most this many observations; some hundred decide as a thousand would.
FEW = 200
# Entries of a block of the kernel, its rows where half of a matrix is computed, and columns of
# what is summed at a time: as much as fits the cache.
BLOCK, ROWS, COLUMNS = 2**16, 32, 256
# Standard deviation of the logarithm of a length scale around that of two random architectures.
SCALE_DEVIATION = 1.0
# Variance of the noise as a share of the signal's.
NOISE = (1e-3, 0.3)
# Mean and variance of the constant in the mean function.
CONSTANT = (0.0, 0.25)
# The same of the slope of what a view says.
SLOPE = (0.0, 0.25)
JITTER, JOINT_JITTER = 1e-8, 1e-6


@dataclass(frozen=True)
class Hyperparameters:
    """Hyper-parameters of a kernel, ``S`` samples of them.

    Args:
        weight: Share of each feature set in the sum, ``[S, W]``.
        scale: Squared length scale of each feature set, ``[S, W]``.
        amplitude: Variance of the signal, ``[S]``.
        noise: Variance of the noise, ``[S]``.
        correlation: Between tasks (fidelities), ``[S]``.
    """

    weight: Float[Tensor, "S W"]
    scale: Float[Tensor, "S W"]
    amplitude: Float[Tensor, " S"]
    noise: Float[Tensor, " S"]
    correlation: Float[Tensor, " S"]

    @classmethod
    def of(cls, normal: Float[Tensor, "S D"]) -> Hyperparameters:
        """Maps standard normal numbers to hyper-parameters, which then follow the prior.

        Shares are logistic-normal, length scales and amplitudes log-normal, the noise is
        log-uniform.

        Args:
            normal: Two numbers a feature set and three more.

        Example:
            >>> Hyperparameters.of(torch.zeros(1, 7).double()).weight.tolist()
            [[0.5, 0.5]]
        """
        sets = (normal.shape[1] - 3) // 2
        low, high = map(math.log, NOISE)
        uniform = torch.special.ndtr(normal[:, -2:])
        return cls(
            weight=(UNEVEN * normal[:, :sets]).softmax(1),
            scale=(SCALE_DEVIATION * normal[:, sets : 2 * sets]).exp(),
            amplitude=(0.5 * normal[:, -3]).exp(),
            noise=(low + (high - low) * uniform[:, 0]).exp(),
            correlation=0.3 + 0.7 * uniform[:, 1],
        )

    def __getitem__(self, index: Tensor) -> Hyperparameters:
        return Hyperparameters(
            self.weight[index],
            self.scale[index],
            self.amplitude[index],
            self.noise[index],
            self.correlation[index],
        )


class AveragedGP:
    """Exact Gaussian process whose posterior is averaged over hyper-parameters.

    The kernel is a sum over feature sets of an architecture (`FeatureSets`),

    ``k(x, x') = a sum_v w_v m(|x_v - x'_v|^2 / l_v)``,  ``m(s) = (1 + sqrt(3s)) exp(-sqrt(3s))``

    (Matérn of smoothness 3/2), whose shares ``w``, squared length scales ``l``, amplitude ``a``
    and noise are drawn from their posterior (see `posterior_draws`), so that which of them matters
    is averaged over, not chosen, while labels are few. Several tasks (fidelities of one metric)
    share the kernel, times a correlation that is averaged over too (Bonilla et al., NIPS 2007).
    The mean function is linear in basis functions with Gaussian weights (Rasmussen & Williams,
    2006, section 2.7), whose most probable values are plugged in: a constant, and the
    trend of every view.

    Values shall be about standard normal, such as normal scores by rank.

    Args:
        num_samples: Most hyper-parameter samples in the average; 1 is the likeliest alone, 16 the
            most.
        seed: Of the samples drawn.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> encode = FeatureSets(cells)
        >>> gp = AveragedGP().fit(encode(cells.sample(20, 0)), torch.linspace(-2, 2, 20))
        >>> posterior = gp.posterior(encode(cells.sample(5, 1)))
        >>> posterior.mean.shape[1], bool((posterior.variance > 0).all())
        (5, True)
    """

    def __init__(self, *, num_samples: int = NUM_SAMPLES, seed: int = 0) -> None:
        self.num_samples, self.seed = num_samples, seed

    def fit(
        self,
        data: Features,
        z: Float[Tensor, " n"],
        task: Int[Tensor, " n"] | None = None,
    ) -> AveragedGP:
        """Fits to observations.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """
        self.data = data
        self.task = torch.zeros(len(data), dtype=torch.long) if task is None else task
        self.z = z.double()
        self._trends = 0 if data.trend is None else data.trend.shape[1]
        basis = self._basis(data)
        few: Tensor | slice = slice(None)
        if len(data) > FEW:
            few = torch.linspace(0, len(data) - 1, FEW).long()
        exact = data.double()
        distances = _distances(exact[few], exact[few])

        def likelihood(normal: Float[Tensor, "S D"]) -> Float[Tensor, " S"]:
            hyper = Hyperparameters.of(normal)
            kernel = self._kernel(hyper, distances, self.task[few], self.task[few], lower=True)
            factor = factorise(kernel, hyper.noise)
            return condition(factor, self.z[few], basis[few], self._weight_prior).log_likelihood

        size = 2 * len(data.features) + 3
        samples = posterior_draws(likelihood, size, self.num_samples, self.seed)
        # Samples that stand for several of the equal parts are computed once.
        samples, self._parts = samples.unique(dim=0, return_inverse=True)
        self.hyper = Hyperparameters.of(samples)
        if len(data) > FEW:
            distances = _distances(exact, exact)
        kernel = self._kernel(self.hyper, distances, self.task, self.task, lower=True)
        self._factor = factorise(kernel, self.hyper.noise)
        conditioned = condition(self._factor, self.z, basis, self._weight_prior)
        self._weight, self._alpha = conditioned.weight, conditioned.alpha
        return self

    def thinned(self, num_samples: int = 2) -> AveragedGP:
        """Returns the process under the few samples that weigh most, for a first look.

        Args:
            num_samples: How many.
        """
        parts = self._parts.bincount().argsort(descending=True, stable=True)[:num_samples]
        some = copy(self)
        some.num_samples = len(parts)
        used, some._parts = parts.unique(return_inverse=True)
        some.hyper, some._factor = self.hyper[used], self._factor[used]
        some._weight, some._alpha = self._weight[used], self._alpha[used]
        return some

    def posterior(self, data: Features, *, task: int = 0, joint: bool = False) -> Posterior:
        """Returns the posterior under every hyper-parameter sample.

        Args:
            data: What to predict.
            task: Which task to predict.
            joint: Whether it shall have a covariance; the memory then grows with the square of the
                number of architectures.
        """
        data = self._embed(data)
        mean, projected = self._project(data, task)
        covariance = None
        if joint:
            tasks = torch.full((len(data),), task)
            exact = data.double()
            prior = self._kernel(self.hyper, _distances(exact, exact), tasks, tasks)
            cross = projected.double()
            covariance = prior - cross.transpose(1, 2) @ cross
            # The projection is in single precision.
            covariance.diagonal(dim1=1, dim2=2).add_(JOINT_JITTER)
            covariance = covariance[self._parts]
            variance = covariance.diagonal(dim1=1, dim2=2)
        else:
            variance = self.hyper.amplitude[:, None] - _squared_norms(projected)
            variance = variance.clamp(min=JITTER)[self._parts]
        noise = self.hyper.noise[self._parts]
        return Posterior(mean[self._parts], variance, noise, covariance)

    def correlation(self, data: Features, task: int) -> Float[Tensor, " P"]:
        """Returns the posterior correlation of each architecture's values in two tasks.

        Near 1 where the other task would tell the value; near 0 where it told what it can.

        Args:
            data: Architectures.
            task: The other task; the first is 0.
        """
        data = self._embed(data)
        here, there = (self._project(data, which)[1].double() for which in (0, task))
        amplitude = self.hyper.amplitude[:, None]
        # What is seen of the other task is noisy.
        noisy = amplitude + self.hyper.noise[:, None] - there.square().sum(1)
        exact = (amplitude - here.square().sum(1)).clamp(min=JITTER)
        covariance = amplitude * self.hyper.correlation[:, None] - (here * there).sum(1)
        correlation = covariance / (exact * noisy.clamp(min=JITTER)).sqrt()
        return correlation.clamp(0.0, 1.0)[self._parts].mean(0)

    def leave_one_out(self) -> tuple[Float[Tensor, " n"], Float[Tensor, " n"]]:
        """Returns mean and variance (with noise) of every value given all the others.

        In closed form (Rasmussen & Williams, 2006, eq. 5.10 to 5.12), averaged over the samples.
        """
        inverse = torch.cholesky_inverse(self._factor)
        variance = 1 / inverse.diagonal(dim1=1, dim2=2)
        means, variance = (self.z - self._alpha * variance)[self._parts], variance[self._parts]
        mean = means.mean(0)
        return mean, (variance + (means - mean).square()).mean(0)

    def _embed(self, data: Features) -> Features:
        """What kernels compare."""
        return data

    @property
    def _weight_prior(self) -> Sequence[tuple[float, float]]:
        """Mean and variance of the weight of each basis function."""
        return (CONSTANT, *[SLOPE] * self._trends)

    def _basis(self, data: Features) -> Float[Tensor, "P D"]:
        """What the mean function is linear in."""
        constant = torch.ones(len(data), 1, dtype=torch.float64)
        return constant if data.trend is None else torch.cat([constant, data.trend.double()], 1)

    def _project(
        self, data: Features, task: int
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S n P"]]:
        distances = _distances(self.data, data)
        tasks = torch.full((len(data),), task)
        # In single precision, which halves the cost of what is by far the most work.
        cross = self._kernel(self.hyper, distances, self.task, tasks)
        mean = self._weight @ self._basis(data).T
        mean += (self._alpha[:, None].float() @ cross)[:, 0].double()
        projected = torch.linalg.solve_triangular(self._factor.float(), cross, upper=False)
        return mean, projected

    def _kernel(
        self,
        hyper: Hyperparameters,
        distances: Float[Tensor, "W A B"],
        left: Int[Tensor, " A"],
        right: Int[Tensor, " B"],
        *,
        lower: bool = False,
    ) -> Float[Tensor, "S A B"]:
        """The kernel between two sets, or what lies on and below its diagonal and 0 above."""
        kernel = _sum_of_kernels(hyper, distances, lower)
        if bool(left.any()) or bool(right.any()):
            other = (left[:, None] != right[None]).to(kernel.dtype)
            kernel *= 1 - other * (1 - hyper.correlation.to(kernel.dtype))[:, None, None]
        return kernel


def _sum_of_kernels(
    hyper: Hyperparameters, distances: Float[Tensor, "W A B"], lower: bool
) -> Float[Tensor, "S A B"]:
    """The kernel within a task, computed in blocks that fit the cache, which is most of the speed.

    Of a symmetric matrix that will be factorised, half is enough.
    """
    kind, (sets, height, width) = distances.dtype, distances.shape
    share = (hyper.amplitude[:, None] * hyper.weight).to(kind)
    inverse = 3 / hyper.scale.to(kind)
    kernel = torch.empty(len(share), height, width, dtype=kind)
    if lower:
        kernel.zero_()
    rows = ROWS if lower else max(1, BLOCK // width)
    memory = torch.empty(3, max(BLOCK, rows * width), dtype=kind)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        across = bottom if lower else width
        area = (bottom - top) * across
        for block in torch.arange(len(share)).split(max(1, BLOCK // max(area, 1))):
            some = slice(int(block[0]), int(block[-1]) + 1)
            shape = (len(block), bottom - top, across)
            r, smooth, total = (part[: len(block) * area].view(shape) for part in memory)
            for v in range(sets):
                distance = distances[v, top:bottom, :across]
                torch.mul(distance, inverse[some, v, None, None], out=r).sqrt_()
                torch.add(r, 1, out=smooth).mul_(share[some, v, None, None])
                r.neg_().exp_()
                total.addcmul_(smooth, r) if v else torch.mul(smooth, r, out=total)
            kernel[some, top:bottom, :across] = total
    return kernel


def _distances(a: Features, b: Features) -> Float[Tensor, "W A B"]:
    pairs = zip(a.features, b.features, strict=True)
    return torch.stack([_squared_distance(u, v) for u, v in pairs])


def _squared_distance(a: Float[Tensor, "A D"], b: Float[Tensor, "B D"]) -> Float[Tensor, "A B"]:
    square = a.square().sum(1)[:, None] + b.square().sum(1)[None]
    return torch.addmm(square, a, b.T, alpha=-2.0).clamp_(min=0.0)


def _squared_norms(projected: Float[Tensor, "S n P"]) -> Float[Tensor, "S P"]:
    """Squared lengths of the columns in double precision, which few at a time have room for."""
    return torch.stack(
        [
            torch.cat([part.double().square_().sum(0) for part in sample.split(COLUMNS, 1)])
            for sample in projected
        ]
    )


def posterior_draws(
    log_likelihood: Callable[[Tensor], Tensor], size: int, n: int, seed: int
) -> Float[Tensor, "n D"]:
    """Draws from a posterior whose prior is standard normal.

    Quasi-random draws from the prior are resampled by their likelihood and then moved by a
    preconditioned Crank-Nicolson walk, which leaves the prior as it is (Cotter et al., 2013,
    arXiv 1202.0709, eq. 4.4): one resample-move step (Gilks & Berzuini, 2001).

    Args:
        log_likelihood: Of some samples ``[S, D]`` at a time.
        size: Numbers in a sample.
        n: How many draws, at most 16; 1 is the likeliest that was come across.
        seed: Of everything random.

    Example:
        >>> around_two = lambda x: -50 * (x[:, 0] - 2).square()
        >>> posterior_draws(around_two, 1, 16, seed=0).mean().round(decimals=1).item()
        2.0
    """
    engine = torch.quasirandom.SobolEngine(size, scramble=True, seed=seed)
    uniform = engine.draw(DRAWN, dtype=torch.float64).clamp(1e-6, 1 - 1e-6)
    normal = torch.special.ndtri(uniform)
    value = torch.cat([log_likelihood(block) for block in normal.split(TOGETHER)])
    chosen = _equal_weights(value.log_softmax(0), NUM_SAMPLES)
    normal, value = normal[chosen], value[chosen]
    generator = make_generator(derive_seed(seed, "walk"))
    for _ in range(MOVES):
        noise = torch.randn(normal.shape, generator=generator, dtype=torch.float64)
        moved = (1 - STEP**2) ** 0.5 * normal + STEP * noise
        found = log_likelihood(moved)
        luck = torch.rand(len(value), generator=generator, dtype=torch.float64)
        accepted = luck.log() < found - value
        normal = torch.where(accepted[:, None], moved, normal)
        value = torch.where(accepted, found, value)
    return normal[value.argmax()][None] if n == 1 else normal[:n]


def _equal_weights(log_weight: Float[Tensor, " S"], n: int) -> Int[Tensor, " n"]:
    """Systematic resampling at the midpoints, so that equal weights stand for those given."""
    edges = log_weight.exp().cumsum(0)
    points = (torch.arange(n, dtype=torch.float64) + 0.5) / n * edges[-1]
    return torch.searchsorted(edges, points).clamp(max=len(edges) - 1)
