"""Bayesian ridge regression on the encoding of an architecture."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.feature_sets import FEATURE_SETS, Features
from ..spaces import Space
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["Ridge"]

# Ratios of noise to signal, of which the likeliest is taken.
RATIOS = torch.logspace(-3, 2, 51, dtype=torch.float64)
# Least variance: one of 0 has no logarithm.
LEAST = 1e-10


class Ridge(Predictor):
    """Linear regression with a Gaussian prior on the weights (Bishop, 2006, sections 3.3 and 3.5).

    Signal and noise maximise the marginal likelihood: in the eigenbasis of the inner products, the
    signal is in closed form given the ratio of the two, which is searched on a grid. Says how much
    of a label is a sum of parts, and shows what an encoding is worth by itself.

    Args:
        space: The space.
        seed: Of nothing; the fit is deterministic.
        features: Names of encoders (see `vitruvius.encoders.encoder_names`).

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> Ridge(cells).fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([30])
    """

    name: ClassVar[str] = "ridge"

    def __init__(
        self, space: Space, *, seed: int = 0, features: tuple[str, ...] = FEATURE_SETS
    ) -> None:
        super().__init__(space, seed=seed)
        self._inputs = features

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        self._train = _matrix(data)
        value, basis = torch.linalg.eigh(self._train @ self._train.T)
        turned = basis.T @ z.double()
        total = value.clamp(min=0.0) + RATIOS[:, None]
        signal = (turned.square() / total).mean(1)
        evidence = -0.5 * (len(data) * signal.log() + total.log().sum(1))
        best = int(evidence.argmax())
        self._signal, self._total, self._basis = signal[best], total[best], basis
        self._noise = (signal[best] * RATIOS[best]).clamp(min=NOISE)
        self._weights = basis @ (turned / self._total)

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        features = _matrix(data)
        cross = features @ self._train.T
        turned = cross @ self._basis
        known = turned.square() / self._total
        rest = (features.square().sum(1) - known.sum(1)).clamp(min=0.0)
        variance = (self._signal * rest).clamp(min=LEAST)
        covariance = None
        if joint:
            covariance = features @ features.T - (turned / self._total) @ turned.T
            covariance = (self._signal * covariance)[None]
            covariance.diagonal(dim1=1, dim2=2).copy_(variance)
        mean = (cross @ self._weights)[None]
        return Posterior(mean, variance[None], self._noise[None], covariance)


def _matrix(data: Features) -> Float[Tensor, "B D"]:
    """All features and a constant, in double precision."""
    features = [each.double() for each in data.features]
    return torch.cat([*features, torch.ones(len(data), 1, dtype=torch.float64)], 1)
