"""NormalScores: values by their rank, so that heavy tails rule no fit."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["NormalScores"]

# Share of the labels at either end that may be no measurements, and how many times the range of the
# others lies between. Costs of hardware that span orders of magnitude stay.
TAIL, FAR_OFF = 0.1, 1e4
# Nearer than that, values are no measurements (9999 among accuracies) where a gap parts them from
# the others: so many times the range of the others, also on a logarithmic scale, beyond values so
# many times smaller. Of the tables of our benchmarks none has such a gap that is real: costs that
# are 300 ranges away are 4 on the logarithmic scale, and accuracies that collapse grow smaller.
GAP, LOG_GAP, LARGER = 20, 5, 10


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
