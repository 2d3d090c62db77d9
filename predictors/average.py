"""Averages of predictors."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..spaces import Space
from .boosting import Boosting
from .gaussian_process import GaussianProcess
from .graph_network import GraphNetwork
from .predictor import Predictor

__all__ = ["Average", "averaged", "mixture"]

# Labels from which on trees have a say: with fewer they hardly find splits that hold.
SPLIT = 150


class Average(Predictor):
    """The even mixture of a Gaussian process, boosted trees and graph networks.

    Its mean is the mean of theirs, its variance that of the mixture: the mean of theirs plus the
    variance of their means. Kernels, trees and networks err differently, so that the mixture is
    rarely worse than the best of them; it costs as much as all three. With fewer than 150
    labels trees are left out.

    Args:
        space: The space.
        seed: Seed of every random draw.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(20, 0)
        >>> Average(cells).fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([20])
    """

    name: ClassVar[str] = "average"

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self.members: tuple[Predictor, ...] = ()

    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None:
        # In the unit of the labels, so that each member can also be asked by itself.
        values = self.scores.inverse(z)
        self.members = tuple(kind(self.space, seed=self.seed) for kind in averaged(len(x)))
        for member in self.members:
            member.fit(x, values)

    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns mean and standard deviation of the mixture.

        Args:
            x: Choice indices.
        """
        return mixture([member.predict_scores(x) for member in self.members])


def averaged(labels: int) -> tuple[type[Predictor], ...]:
    """Returns what is averaged, given how many labels there are.

    Args:
        labels: Their number.
    """
    if labels < SPLIT:
        return GaussianProcess, GraphNetwork
    return GaussianProcess, Boosting, GraphNetwork


def mixture(
    parts: list[tuple[Float[Tensor, " B"], Float[Tensor, " B"]]],
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Mean and standard deviation of the even mixture of Gaussians.

    Args:
        parts: Mean and standard deviation of each.
    """
    means = torch.stack([mean.double() for mean, _ in parts])
    variances = torch.stack([std.double().square() for _, std in parts])
    mean = means.mean(0)
    return mean, (variances + (means - mean).square()).mean(0).sqrt()
