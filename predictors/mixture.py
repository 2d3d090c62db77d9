"""Mixtures of surrogates, and predictors as surrogates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.feature_sets import Features
from .predictor import Predictor
from .surrogate import Belief, Surrogate

__all__ = ["Blend", "Independent", "Mixture"]

B = TypeVar("B", bound=Belief)


@dataclass(frozen=True)
class Independent:
    """A predictor as a surrogate: points are independent given the labels.

    What is pending hence tells nothing about its neighbours.

    Args:
        predictor: Tells mean and standard deviation of what an evaluation shows.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.predictors.ridge import Ridge
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> views = FeatureSets(cells, ("one-hot",))
        >>> model = Independent(Ridge(cells))
        >>> model = model.fit(views(cells.sample(20, 0)), torch.linspace(-2, 2, 20))
        >>> model.marginals(views(cells.sample(5, 1)))[0].shape
        torch.Size([1, 5])
    """

    predictor: Predictor

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> Independent:
        """Fits to observations; those of other tasks are left out.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """
        here = torch.ones(len(data), dtype=torch.bool) if task is None else task == 0
        self.predictor.fit(data.x[here], z[here])
        return self

    def coarse(self) -> Independent:
        """Returns itself: a first look costs as much as a second."""
        return self

    def noise(self) -> Float[Tensor, " 1"]:
        """Returns nothing: the spread of predictors is of what an evaluation will show."""
        return torch.zeros(1, dtype=torch.float64)

    def marginals(self, data: Features) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 P"]]:
        mean, std = self.predictor.predict_scores(data.x)
        return mean.double()[None], std.double().square()[None]

    def joint(self, data: Features) -> tuple[Float[Tensor, "1 P"], Float[Tensor, "1 P P"]]:
        mean, variance = self.marginals(data)
        return mean, torch.diag_embed(variance)


class Blend(Generic[B]):
    """The even mixture of some beliefs, which count alike however many settings each has.

    Args:
        beliefs: At least one.

    Example:
        >>> from vitruvius.predictors.surrogate import Known
        >>> data = Features(torch.tensor([[0], [1]]), ())
        >>> blend = Blend(Known(torch.tensor([3.0, 4.0])), Known(torch.tensor([5.0, 4.0])))
        >>> blend.marginals(data)[0]
        tensor([[3., 4.],
                [5., 4.]], dtype=torch.float64)
    """

    def __init__(self, *beliefs: B) -> None:
        self.beliefs = beliefs

    def noise(self) -> Float[Tensor, " S"]:
        return _alike([(belief.noise(),) for belief in self.beliefs])[0]

    def marginals(self, data: Features) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P"]]:
        mean, variance = _alike([belief.marginals(data) for belief in self.beliefs])
        return mean, variance

    def joint(self, data: Features) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P P"]]:
        mean, covariance = _alike([belief.joint(data) for belief in self.beliefs])
        return mean, covariance


class Mixture(Blend[Surrogate]):
    """The even mixture of some surrogates, over which acquisition functions average.

    Args:
        beliefs: At least one.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.predictors.averaged_gp import AveragedGP
        >>> from vitruvius.predictors.ridge import Ridge
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> views = FeatureSets(cells, ("one-hot",))
        >>> model = Mixture(AveragedGP(), Independent(Ridge(cells)))
        >>> model = model.fit(views(cells.sample(20, 0)), torch.linspace(-2, 2, 20))
        >>> model.marginals(views(cells.sample(5, 1)))[0].shape
        torch.Size([32, 5])
    """

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> Mixture:
        """Fits all of them.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """
        for belief in self.beliefs:
            belief.fit(data, z, task)
        return self

    def coarse(self) -> Blend[Belief]:
        """Returns the mixture of cheaper beliefs, for a first look."""
        return Blend(*(belief.coarse() for belief in self.beliefs))


def _alike(parts: Sequence[tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Joins settings, those of each part repeated to the same number."""
    count = math.lcm(*(len(part[0]) for part in parts))
    return tuple(
        torch.cat([each.repeat_interleave(count // len(each), 0) for each in kind])
        for kind in zip(*parts, strict=True)
    )
