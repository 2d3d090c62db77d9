"""Exact Gaussian process with kernels for DAGs (Ru et al., ICLR 2021, arXiv 2006.07556)."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed
from ..encoders.feature_sets import VIEWS, views_of
from ..spaces import Space
from .averaged_gp import AveragedGP
from .predictor import Predictor

__all__ = ["GaussianProcess"]

CHUNK = 4096
# Settings that are averaged: guidance values hundreds of thousands of architectures.
SETTINGS = 4
# Entries of all covariance matrices together: 128 MB.
ENTRIES = 16 * 1000**2


class GaussianProcess(Predictor):
    """Gaussian process on several views of an architecture, averaged over hyper-parameters.

    See `AveragedGP` for the kernel. The choice for up to some thousand labels; beyond two
    thousand fewer settings are averaged, so that memory stays bounded, and `Boosting` costs less.

    Args:
        space: The space.
        seed: Of the hyper-parameters drawn.
        views: Names of encoders (see `vitruvius.encoders.encoder_names`).

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> gp = GaussianProcess(cells).fit(x, cells.statistics(x)["params"])
        >>> mean, std = gp.predict(cells.sample(3, 1))
        >>> mean.shape, bool((std > 0).all())
        (torch.Size([3]), True)
    """

    name: ClassVar[str] = "gp"

    def __init__(self, space: Space, *, seed: int = 0, views: tuple[str, ...] = VIEWS) -> None:
        super().__init__(space, seed=seed)
        self._views = views_of(space, views)

    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None:
        kept = max(1, min(SETTINGS, ENTRIES // len(x) ** 2))
        self._process = AveragedGP(kept=kept, seed=derive_seed(self.seed, "settings"))
        self._process.fit(self._views(x), z)

    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        means, variances = [], []
        for chunk in x.split(CHUNK):
            mean, variance = self._process.marginals(self._views(chunk))
            average = mean.mean(0)
            variance = variance + self._process.noise()[:, None] + (mean - average).square()
            means.append(average)
            variances.append(variance.mean(0))
        return torch.cat(means), torch.cat(variances).sqrt()
