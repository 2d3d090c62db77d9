"""Bayesian ridge regression on the encoding of an architecture."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.feature_sets import VIEWS, views_of
from ..spaces import Space
from .predictor import NOISE, Predictor

__all__ = ["Ridge"]

# Ratios of noise to signal, of which the likeliest is taken.
RATIOS = torch.logspace(-3, 2, 51, dtype=torch.float64)


class Ridge(Predictor):
    """Linear regression with a Gaussian prior on the weights (Bishop, 2006, sections 3.3 and 3.5).

    Signal and noise maximise the marginal likelihood: in the eigenbasis of the inner products, the
    signal is in closed form given the ratio of the two, which is searched on a grid. Says how much
    of a label is a sum of parts, and shows what an encoding is worth by itself.

    Args:
        space: The space.
        seed: Kept for the interface; the fit is deterministic.
        views: Names of encoders (see `vitruvius.encoders.encoder_names`).

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> Ridge(cells).fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([30])
    """

    name: ClassVar[str] = "ridge"

    def __init__(self, space: Space, *, seed: int = 0, views: tuple[str, ...] = VIEWS) -> None:
        super().__init__(space, seed=seed)
        self._views = views_of(space, views)

    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None:
        self._train = self._features(x)
        value, basis = torch.linalg.eigh(self._train @ self._train.T)
        turned = basis.T @ z.double()
        spread = value.clamp(min=0.0) + RATIOS[:, None]
        signal = (turned.square() / spread).mean(1)
        evidence = -0.5 * (len(x) * signal.log() + spread.log().sum(1))
        best = int(evidence.argmax())
        self._signal, self._spread, self._basis = signal[best], spread[best], basis
        self._noise = (signal[best] * RATIOS[best]).clamp(min=NOISE)
        self._weights = basis @ (turned / self._spread)

    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        features = self._features(x)
        cross = features @ self._train.T
        known = (cross @ self._basis).square() / self._spread
        rest = (features.square().sum(1) - known.sum(1)).clamp(min=0.0)
        return cross @ self._weights, (self._signal * rest + self._noise).sqrt()

    def _features(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        features = torch.cat([view.double() for view in self._views(x).features], 1)
        return torch.cat([features, torch.ones(len(x), 1, dtype=torch.float64)], 1)
