"""Exact Gaussian process with kernels for DAGs (Ru et al., ICLR 2021, arXiv 2006.07556)."""

from __future__ import annotations

import math
from typing import ClassVar

import gpytorch
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.features import one_hot, statistics
from ..encoders.weisfeiler_lehman import WeisfeilerLehman
from ..spaces import Space
from .predictor import Predictor

__all__ = ["GaussianProcess"]


class GaussianProcess(Predictor):
    """Gaussian process whose kernel adds what three views of an architecture say.

    ``k = s_1 exp(-|a - a'| / l_1) + s_2 exp(-|b - b'| / l_2) + s_3 matern52(|c - c'| / l_3)`` over
    the one-hot choices, the Weisfeiler-Lehman counts (of unit length, so that distance is by
    cosine) and the exact statistics, with scales and noise by marginal likelihood under weak
    log-normal priors. The choice for up to some thousand labels; beyond that use `Boosting`.

    Args:
        space: The space.
        seed: Kept for the interface; the fit is deterministic.
        rounds: Rounds of Weisfeiler-Lehman refinement.
        steps: Optimiser steps of the marginal likelihood.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> gp = GaussianProcess(cells, steps=5).fit(x, cells.statistics(x)["params"])
        >>> mean, std = gp.predict(cells.sample(3, 1))
        >>> mean.shape, bool((std > 0).all())
        (torch.Size([3]), True)
    """

    name: ClassVar[str] = "gp"

    def __init__(self, space: Space, *, seed: int = 0, rounds: int = 2, steps: int = 80) -> None:
        super().__init__(space, seed=seed)
        self.rounds, self.steps = rounds, steps

    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None:
        self._wl = WeisfeilerLehman(self.space, self.rounds).fit(x)
        raw = statistics(self.space, x)
        self._centre = raw.mean(0)
        self._spread = (raw - self._centre).square().mean(0).sqrt().clamp(min=1e-6)
        views = self._views(x)
        likelihood = gpytorch.likelihoods.GaussianLikelihood(
            noise_prior=gpytorch.priors.LogNormalPrior(-2.0, 1.0),
            noise_constraint=gpytorch.constraints.GreaterThan(1e-3),
        )
        likelihood.noise = 0.2
        model = _ExactGP(views, z, likelihood, [view.shape[1] for view in self._split])
        objective = gpytorch.mlls.ExactMarginalLogLikelihood(likelihood, model)
        model.train()
        optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
        # By Cholesky whatever the size: the iterative solver draws from the global random state.
        with gpytorch.settings.fast_computations(False, False, False):
            for _ in range(self.steps):
                optimizer.zero_grad()
                loss = -objective(model(views), z)
                loss.backward()
                optimizer.step()
        with torch.no_grad():
            covariance = model.kernel(views).to_dense().double()
            covariance.diagonal().add_(likelihood.noise.double())
            factor = torch.linalg.cholesky(covariance)
            constant = model.mean_module.constant
            centred = (z - constant).double()[:, None]
            self._weights = torch.cholesky_solve(centred, factor)[:, 0].float()
            self._inverse = torch.linalg.inv(factor).float()
        self._kernel, self._constant, self._train = model.kernel.eval(), constant.detach(), views
        self._noise = likelihood.noise.detach()

    @torch.no_grad()
    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        means, variances = [], []
        # Chunks bound the memory by 4,096 rows however large the pool.
        for chunk in x.split(4096):
            views = self._views(chunk)
            cross = self._kernel(views, self._train).to_dense()
            prior = self._kernel(views, diag=True)
            means.append(self._constant + cross @ self._weights)
            variances.append(prior - (cross @ self._inverse.T).square().sum(1) + self._noise)
        return torch.cat(means), torch.cat(variances).clamp(min=1e-6).sqrt()

    def _views(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        counts = self._wl.transform(x)
        counts = counts / counts.norm(dim=1, keepdim=True).clamp(min=1e-9)
        scaled = (statistics(self.space, x) - self._centre) / self._spread
        self._split = (one_hot(self.space, x), counts, scaled)
        return torch.cat(self._split, 1)


class _ExactGP(gpytorch.models.ExactGP):
    def __init__(
        self,
        x: Tensor,
        z: Tensor,
        likelihood: gpytorch.likelihoods.GaussianLikelihood,
        widths: list[int],
    ) -> None:
        super().__init__(x, z, likelihood)
        self.mean_module = gpytorch.means.ConstantMean()
        kernels, start = [], 0
        for width, smoothness, scale in zip(widths, (0.5, 0.5, 2.5), (2.0, 0.7, 2.0), strict=True):
            if not width:
                continue
            base = gpytorch.kernels.MaternKernel(
                nu=smoothness,
                active_dims=tuple(range(start, start + width)),
                lengthscale_prior=gpytorch.priors.LogNormalPrior(math.log(scale), 0.7),
            )
            base.lengthscale = scale
            kernel = gpytorch.kernels.ScaleKernel(
                base, outputscale_prior=gpytorch.priors.LogNormalPrior(-1.0, 1.0)
            )
            kernel.outputscale = 0.3
            kernels.append(kernel)
            start += width
        self.kernel = gpytorch.kernels.AdditiveKernel(*kernels)

    def forward(self, x: Tensor) -> gpytorch.distributions.MultivariateNormal:
        return gpytorch.distributions.MultivariateNormal(self.mean_module(x), self.kernel(x))
