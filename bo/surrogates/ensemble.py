"""Predictors as surrogates: boosted trees and graph networks, without correlations."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...encoders.views import Encoded
from ...predictors.boosting import Boosting
from ...predictors.graph_network import GraphNetwork
from ...predictors.predictor import Predictor
from ...spaces import Space

__all__ = ["Ensemble"]


class Ensemble:
    """The even mixture of boosted trees and an ensemble of graph networks.

    For thousands of labels, where exact Gaussian processes grow slow. Points are independent given
    the labels, so that what is pending tells nothing about its neighbours.

    Args:
        space: The space.
        seed: Of the fits.

    Example:
        >>> from vitruvius.encoders.views import Views
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> views = Views(cells, ("one-hot",))
        >>> model = Ensemble(cells).fit(views(cells.sample(20, 0)), torch.linspace(-2, 2, 20))
        >>> model.marginals(views(cells.sample(5, 1)))[0].shape
        torch.Size([2, 5])
    """

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        self.members: tuple[Predictor, ...] = (
            Boosting(space, seed=seed, members=4),
            GraphNetwork(space, seed=seed),
        )

    def fit(
        self, data: Encoded, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> Ensemble:
        """Fits to observations; those of other tasks are left out.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the task of each; all 0 by default.
        """
        here = torch.ones(len(data), dtype=torch.bool) if task is None else task == 0
        for member in self.members:
            member.fit(data.x[here], z[here])
        return self

    def coarse(self) -> Ensemble:
        """Returns itself: a first look costs as much as a second."""
        return self

    def noise(self) -> Float[Tensor, " S"]:
        """Returns nothing: the spread of predictors is of what an evaluation will show."""
        return torch.zeros(len(self.members), dtype=torch.float64)

    def marginals(
        self, data: Encoded, task: int = 0
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P"]]:
        parts = [member.predict_scores(data.x) for member in self.members]
        means = torch.stack([mean.double() for mean, _ in parts])
        return means, torch.stack([std.double().square() for _, std in parts])

    def joint(
        self, data: Encoded, task: int = 0
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P P"]]:
        mean, variance = self.marginals(data)
        return mean, torch.diag_embed(variance)
