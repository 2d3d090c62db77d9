"""A BoTorch model over a finite pool, so that its acquisition functions work on architectures."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any

import torch
from botorch.models.model import Model
from botorch.posteriors import GPyTorchPosterior
from botorch.posteriors.fully_bayesian import GaussianMixturePosterior
from gpytorch.distributions import MultitaskMultivariateNormal, MultivariateNormal
from jaxtyping import Float
from torch import Tensor

from ...encoders.feature_sets import Features
from ...predictors.surrogate import Belief

__all__ = ["PoolModel"]


class PoolModel(Model):
    """BoTorch model whose inputs are row numbers of a pool.

    A model of BoTorch takes points of a vector space and, for every candidate by itself, copies
    the training data beside it. Over a pool all covariances can be computed once instead, and
    evaluating a candidate is a look-up. Several settings of a belief become the mixture of a fully
    Bayesian model, over which acquisition functions average.

    Args:
        data: The pool.
        beliefs: One per output.
        correlated: Whether points will be asked for together; without, only variances are
            computed.
        shown: Whether the posterior is of what an evaluation will show, with its noise.

    Example:
        >>> from vitruvius.predictors.surrogate import Known
        >>> data = Features(torch.tensor([[0], [1], [2]]), ())
        >>> model = PoolModel(data, [Known(torch.tensor([1.0, 2.0, 3.0]))])
        >>> model.posterior(torch.tensor([[2.0], [0.0]])).mean.flatten().tolist()
        [3.0, 1.0]
    """

    def __init__(
        self,
        data: Features,
        beliefs: Sequence[Belief],
        *,
        correlated: bool = True,
        shown: bool = False,
    ) -> None:
        super().__init__()
        parts = [b.joint(data) if correlated else b.marginals(data) for b in beliefs]
        if shown:
            for belief, (_, spread) in zip(beliefs, parts, strict=True):
                variance = spread.diagonal(dim1=1, dim2=2) if correlated else spread
                variance += belief.noise()[:, None]
        settings = max(len(mean) for mean, _ in parts)
        self.mean = [mean.expand(settings, *mean.shape[1:]) for mean, _ in parts]
        self.spread = [spread.expand(settings, *spread.shape[1:]) for _, spread in parts]
        self.correlated = correlated
        self._is_fully_bayesian = self._is_ensemble = settings > 1

    def subset_output(self, idcs: list[int]) -> PoolModel:
        """Returns the model of some outputs.

        Args:
            idcs: Their numbers.
        """
        some = copy(self)
        some.mean = [self.mean[i] for i in idcs]
        some.spread = [self.spread[i] for i in idcs]
        return some

    @property
    def num_outputs(self) -> int:
        return len(self.mean)

    def variance(self, output: int) -> Float[Tensor, "S P"]:
        """Returns the variances of an output over the pool.

        Args:
            output: Its number.
        """
        spread = self.spread[output]
        return spread.diagonal(dim1=1, dim2=2) if self.correlated else spread

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([len(self.mean[0])] if self._is_ensemble else [])

    def settings(self) -> list[PoolModel]:
        """Returns one model for each setting of the beliefs."""
        parted = []
        for setting in range(len(self.mean[0])):
            part = copy(self)
            part.mean = [mean[setting, None] for mean in self.mean]
            part.spread = [spread[setting, None] for spread in self.spread]
            part._is_fully_bayesian = part._is_ensemble = False
            parted.append(part)
        return parted

    def posterior(
        self,
        X: Float[Tensor, "... q 1"],
        output_indices: list[int] | None = None,
        observation_noise: bool | Tensor = False,
        posterior_transform: Any = None,
    ) -> GPyTorchPosterior:
        """Returns the joint posterior of each set of ``q`` points.

        Args:
            X: Row numbers of the pool.
            output_indices: Which outputs; all by default.
            observation_noise: Ignored: acquisition functions ask for the noise-free value.
            posterior_transform: As BoTorch has it.
        """
        rows = X[..., 0].round().long()
        chosen = range(self.num_outputs) if output_indices is None else output_indices
        normals = [self._normal(output, rows) for output in chosen]
        if len(normals) == 1:
            normal = normals[0]
        else:
            normal = MultitaskMultivariateNormal.from_independent_mvns(normals)
        kind = GaussianMixturePosterior if self._is_ensemble else GPyTorchPosterior
        posterior = kind(normal)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def _normal(self, output: int, rows: Tensor) -> MultivariateNormal:
        mean = self.mean[output][:, rows].movedim(0, -2)
        if self.correlated:
            covariance = self.spread[output][:, rows[..., :, None], rows[..., None, :]]
        else:
            covariance = self.spread[output][:, rows].diag_embed()
        covariance = covariance.movedim(0, -3)
        if not self._is_ensemble:
            mean, covariance = mean[..., 0, :], covariance[..., 0, :, :]
        return MultivariateNormal(mean, covariance)
