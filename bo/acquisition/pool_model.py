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

from ...predictors.posterior import Posterior, aligned

__all__ = ["PoolModel"]


class PoolModel(Model):
    """BoTorch model whose inputs are row numbers of a pool.

    A model of BoTorch takes points of a vector space and, for every candidate by itself, copies
    the training data beside it. Over a pool all covariances can be computed once instead, and
    evaluating a candidate is a look-up. Several hyper-parameter samples become the mixture of a
    fully Bayesian model, over which acquisition functions average.

    Args:
        posteriors: Of the pool, one per output; those without a covariance are for points that
            are asked for one by one.
        observation_noise: Whether it is about what an evaluation will show, with its noise.

    Example:
        >>> model = PoolModel([Posterior.deterministic(torch.tensor([1.0, 2.0, 3.0]))])
        >>> model.posterior(torch.tensor([[2.0], [0.0]])).mean.flatten().tolist()
        [3.0, 1.0]
    """

    def __init__(self, posteriors: Sequence[Posterior], *, observation_noise: bool = False) -> None:
        super().__init__()
        outputs = [each.observed() if observation_noise else each for each in posteriors]
        self.outputs = aligned(outputs)
        self._is_fully_bayesian = self._is_ensemble = self.num_samples > 1

    def subset_output(self, idcs: list[int]) -> PoolModel:
        """Returns the model of some outputs.

        Args:
            idcs: Their numbers.
        """
        some = copy(self)
        some.outputs = [self.outputs[i] for i in idcs]
        return some

    @property
    def num_outputs(self) -> int:
        return len(self.outputs)

    @property
    def num_samples(self) -> int:
        """Number of hyper-parameter samples, the same for all outputs."""
        return self.outputs[0].num_samples

    @property
    def batch_shape(self) -> torch.Size:
        return torch.Size([self.num_samples] if self._is_ensemble else [])

    def split_samples(self) -> list[PoolModel]:
        """Returns one model for each hyper-parameter sample."""
        parted = []
        for sample in range(self.num_samples):
            part = copy(self)
            part.outputs = [each.sample(sample) for each in self.outputs]
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
        normals = [self._normal(self.outputs[output], rows) for output in chosen]
        if len(normals) == 1:
            normal = normals[0]
        else:
            normal = MultitaskMultivariateNormal.from_independent_mvns(normals)
        kind = GaussianMixturePosterior if self._is_ensemble else GPyTorchPosterior
        posterior = kind(normal)
        return posterior if posterior_transform is None else posterior_transform(posterior)

    def _normal(self, output: Posterior, rows: Tensor) -> MultivariateNormal:
        mean = output.mean[:, rows].movedim(0, -2)
        if output.covariance is not None:
            covariance = output.covariance[:, rows[..., :, None], rows[..., None, :]]
        else:
            covariance = output.variance[:, rows].diag_embed()
        covariance = covariance.movedim(0, -3)
        if not self._is_ensemble:
            mean, covariance = mean[..., 0, :], covariance[..., 0, :, :]
        return MultivariateNormal(mean, covariance)
