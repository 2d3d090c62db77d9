"""The average of a Gaussian process, boosted trees and graph networks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from ..spaces import Space
from .boosting import Boosting
from .gaussian_process import GaussianProcess
from .graph_network import GraphNetwork
from .mixture import Mixture
from .predictor import Predictor

__all__ = ["Average", "averaged"]

# Labels from which on trees have a say: with fewer they hardly find splits that hold, and networks
# err more than the process, which then counts twice.
SPLIT = 150


class Average(Mixture):
    """The mixture of a Gaussian process, boosted trees and graph networks.

    Its mean is the mean of theirs, its variance that of the mixture: the mean of theirs plus the
    variance of their means. Kernels, trees and networks err differently, so that the mixture is
    rarely worse than the best of them; it costs as much as all three. With fewer than 150
    labels trees are left out and the process counts twice.

    Args:
        space: The space.
        seed: Seed of every random draw.
        num_samples: As for `GaussianProcess`.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(20, 0)
        >>> Average(cells).fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([20])
    """

    name: ClassVar[str] = "average"
    averages: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int = 0, num_samples: int | None = None) -> None:
        super().__init__(space, seed=seed)
        self.num_samples = num_samples

    def _new_members(self, labels: int) -> Mapping[Predictor, int]:
        return {
            GaussianProcess(self.space, seed=self.seed, num_samples=self.num_samples)
            if kind is GaussianProcess
            else kind(self.space, seed=self.seed): votes
            for kind, votes in averaged(labels).items()
        }


def averaged(labels: int) -> Mapping[type[Predictor], int]:
    """Returns what is averaged and how often each counts.

    Args:
        labels: How many labels there are.
    """
    if labels < SPLIT:
        return {GaussianProcess: 2, GraphNetwork: 1}
    return {GaussianProcess: 1, Boosting: 1, GraphNetwork: 1}
