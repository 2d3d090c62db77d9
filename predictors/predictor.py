"""Predictor: what every learned property predictor offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.torch_state import own_torch_state
from ..encoders.feature_sets import Features, feature_sets_of
from ..spaces import Space
from .posterior import Posterior, log_interval
from .transfer_gp import Sources

__all__ = ["NOISE", "NormalScores", "Predictor"]

# Least variance of a normal score: no label is trusted further than 3 % of a standard deviation.
NOISE = 1e-3
# Farthest bound of a target as a normal score: torch differentiates `log_ndtr` to nonsense from
# -1e9 on, and a deviation of 3 % brings another factor of thirty.
FARTHEST = 1e4
# Share of the labels at either end that may be no measurements, and how many times the range of the
# others lies between. Costs of hardware that span orders of magnitude stay.
TAIL, FAR_OFF = 0.1, 1e4
# Nearer than that, values are no measurements (9999 among accuracies) where a gap parts them from
# the others: so many times the range of the others, also on a logarithmic scale, beyond values so
# many times smaller. Of the tables of our benchmarks none has such a gap that is real: costs that
# are 300 ranges away are 4 on the logarithmic scale, and accuracies that collapse grow smaller.
GAP, LOG_GAP, LARGER = 20, 5, 10
# Architectures whose posterior is computed in one go.
CHUNK = 4096


class NormalScores:
    """Maps values to normal scores by rank and back, so that heavy tails do not rule a fit.

    A few values far off from all others (1e30 for a measurement that failed) keep their scores, but
    no score leads back to them: beyond the others, values go on as among these.

    Args:
        values: The labels, ``[n]``.

    Example:
        >>> scores = NormalScores(torch.tensor([1.0, 2.0, 100.0]))
        >>> scores.inverse(scores(torch.tensor([2.0]))).item()
        2.0
    """

    def __init__(self, values: Float[Tensor, " n"]) -> None:
        self._labels, counts = values.double().unique(return_counts=True)
        rank = counts.cumsum(0) - counts.double() / 2
        self.z = torch.special.ndtri(rank / len(values))
        self._inner = _inner(self._labels, rank)
        inside = self._labels[self._inner]
        self.values = _interpolate(self.z, self.z[self._inner], inside)

    def __call__(self, values: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Returns the scores, linear between and beyond the labels.

        Args:
            values: In the unit of the labels.
        """
        values = values.double()
        inside, z = self._labels[self._inner], self.z[self._inner]
        outside = torch.zeros_like(values, dtype=torch.bool)
        if self._inner.start > 0:
            outside |= values < inside[0]
        if self._inner.stop < len(self.z):
            outside |= values > inside[-1]
        among_all = _interpolate(values, self._labels, self.z)
        return torch.where(outside, among_all, _interpolate(values, inside, z))

    def inverse(self, scores: Float[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Returns the values of scores.

        Args:
            scores: Normal scores.
        """
        return _interpolate(scores.double(), self.z, self.values)


class Predictor(ABC):
    """Predicts one property from an architecture: `fit`, then `posterior`.

    Labels are turned to normal scores by rank; a subclass models those as a Gaussian, or as a
    mixture of some. Untouched by the units of the property. Architectures are given as choice
    indices, or as `Features` where a search has encoded them already; what one encodes otherwise
    has to be given the same way to `fit` and to `posterior`.

    Args:
        space: The space.
        seed: Seed of every random draw.

    Attributes:
        name: What it is chosen by.
        learns_fidelities: Whether it learns lower fidelities beside the full one, and how they
            depend on each other; others leave them out.
        learns_tasks: Whether it learns from earlier tasks by itself (see `start_from`).
        averages: Whether it averages over hyper-parameters, and takes ``num_samples`` of them.
        weights: Share of the votes for every earlier task; empty without.
        dropped: Earlier tasks that were found to mislead.
    """

    name: ClassVar[str]
    learns_fidelities: ClassVar[bool] = False
    learns_tasks: ClassVar[bool] = False
    averages: ClassVar[bool] = False
    # Encoders of what `_fit` and `_posterior` are given.
    _inputs: tuple[str, ...] = ()

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        self.space, self.seed = space, seed

    @property
    def weights(self) -> Mapping[str, float]:
        return {}

    @property
    def dropped(self) -> tuple[str, ...]:
        return ()

    @own_torch_state()
    def fit(self, x: Int[Tensor, "n V"] | Features, values: Float[Tensor, " n"]) -> Predictor:
        """Fits to labelled architectures.

        Args:
            x: Choice indices, or what encodes them.
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
        return self.fit_scores(x, self.scores(values).float())

    @own_torch_state()
    def fit_scores(
        self,
        x: Int[Tensor, "n V"] | Features,
        z: Float[Tensor, " n"],
        fidelity: Int[Tensor, " n"] | None = None,
    ) -> Predictor:
        """Fits to normal scores, as a search has them: of several fidelities, and even of two.

        Args:
            x: Choice indices, or what encodes them.
            z: Values, about standard normal within each fidelity.
            fidelity: Number of the fidelity of each; 0, the default, is the full one.
        """
        data = self._encode(x)
        if fidelity is None:
            fidelity = torch.zeros(len(z), dtype=torch.long)
        elif not self.learns_fidelities:
            full = fidelity == 0
            data, z, fidelity = data[full], z[full], fidelity[full]
        self._fit(data, z, fidelity)
        return self

    @own_torch_state()
    def posterior(self, x: Int[Tensor, "B V"] | Features, *, joint: bool = False) -> Posterior:
        """Returns the posterior of the normal scores, at the full fidelity.

        Args:
            x: Choice indices, or what encodes them.
            joint: Whether it shall have the covariance of the architectures with each other; the
                memory then grows with the square of their number.
        """
        return self._posterior(self._encode(x), joint)

    def thinned(self) -> Predictor:
        """Returns the predictor under fewer hyper-parameter samples, for a first look."""
        return self

    def fidelity_correlation(self, x: Int[Tensor, "B V"] | Features) -> Float[Tensor, " B"]:
        """Returns the posterior correlation of the values at the full and the lower fidelity.

        Args:
            x: Choice indices, or what encodes them.

        Raises:
            UsageError: Where it does not learn fidelities.
        """
        raise UsageError(
            f"The predictor {self.name!r} does not know how fidelities depend on each other.",
            "Use one that learns fidelities, such as gp.",
        )

    def start_from(self, sources: Sources) -> None:
        """Makes the next fit start from earlier tasks.

        Args:
            sources: The earlier tasks.

        Raises:
            UsageError: Where it does not learn from them by itself (see `ResidualTransfer`).
        """
        raise UsageError(
            f"The predictor {self.name!r} does not learn from earlier tasks by itself.",
            "Wrap it in a ResidualTransfer.",
        )

    def predict(
        self, x: Int[Tensor, "B V"] | Features
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns the predicted mean (the median, mapped back) and standard deviation.

        Both are in the unit of the labels.

        Args:
            x: Choice indices, or what encodes them.
        """
        mean, std = self.predict_scores(x)
        low, high = self.scores.inverse(mean - std), self.scores.inverse(mean + std)
        return self.scores.inverse(mean), (high - low) / 2

    def predict_scores(
        self, x: Int[Tensor, "B V"] | Features
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns mean and standard deviation of the normal score that an evaluation will show.

        Args:
            x: Choice indices, or what encodes them.
        """
        parts = [
            self.posterior(x[start : start + CHUNK]).moments(observation_noise=True)
            for start in range(0, max(len(x), 1), CHUNK)
        ]
        return torch.cat([mean for mean, _ in parts]), torch.cat([std for _, std in parts])

    def log_probability(
        self, x: Int[Tensor, "B V"] | Features, low: float, high: float
    ) -> Float[Tensor, " B"]:
        """Returns the log-probability that the property lies in ``[low, high]``.

        Args:
            x: Choice indices, or what encodes them.
            low: Lower bound in the unit of the labels, or -inf.
            high: Upper bound, or inf.
        """
        mean, std = self.predict_scores(x)
        return log_interval(mean, std, self._bounds(low, high))

    def _bounds(self, low: float, high: float) -> Float[Tensor, " 2"]:
        bounds = torch.tensor([low, high], dtype=torch.float64).clamp(-1e300, 1e300)
        return self.scores(bounds).clamp(-FARTHEST, FARTHEST)

    def _encode(self, x: Int[Tensor, "B V"] | Features) -> Features:
        data = x if isinstance(x, Features) else Features(x, ())
        if data.features or not self._inputs:
            return data
        return feature_sets_of(self.space, self._inputs)(data.x)

    @abstractmethod
    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None: ...

    @abstractmethod
    def _posterior(self, data: Features, joint: bool) -> Posterior: ...


def _inner(values: Float[Tensor, " U"], rank: Float[Tensor, " U"]) -> slice:
    """Those of sorted values that do not lie far off from what is in the middle."""
    total = rank[-1] + rank[0]
    inside = ((rank >= TAIL * total) & (rank <= (1 - TAIL) * total)).nonzero()[:, 0]
    if len(inside) < 2:
        return slice(0, len(values))
    first, last = int(inside[0]), int(inside[-1])
    low, high = values[first], values[last]
    reach = FAR_OFF * (high - low)
    near = ((values >= low - reach) & (values <= high + reach)).nonzero()[:, 0]
    gaps = _gaps(values, low, high)
    start = max([int(near[0]), *(gaps[gaps <= first].tolist()[-1:])])
    stop = min([int(near[-1]) + 1, *(gaps[gaps > last].tolist()[:1])])
    return slice(start, stop)


def _gaps(
    values: Float[Tensor, " U"], low: Float[Tensor, ""], high: Float[Tensor, ""]
) -> Int[Tensor, " G"]:
    """Where values from ``low`` to ``high``, all of one sign, part from much larger ones."""
    if low * high <= 0:
        return torch.zeros(0, dtype=torch.long)
    sign = low.sign()
    logs = sign * (sign * values).clamp(min=0).log()
    wide = values.diff() >= GAP * (high - low)
    wide &= logs.diff() >= LOG_GAP * (sign * high).log().sub((sign * low).log()).abs()
    large = values.abs() >= LARGER * torch.maximum(low.abs(), high.abs())
    return (wide & (large[1:] | large[:-1])).nonzero()[:, 0] + 1


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
