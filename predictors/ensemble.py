"""An ensemble of boosted trees and graph networks, for thousands of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from .boosting import Boosting
from .graph_network import GraphNetwork
from .mixture import Mixture
from .predictor import Predictor

__all__ = ["Ensemble"]

# Boosters: half as many as by themselves, for networks stand beside them.
BOOSTERS = 4


class Ensemble(Mixture):
    """The even mixture of boosted trees and graph networks.

    The choice for thousands of labels, where exact Gaussian processes grow slow; what is pending
    tells it nothing about its neighbours.

    Args:
        space: The space.
        seed: Seed of every random draw.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(20, 0)
        >>> Ensemble(cells).fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([20])
    """

    name: ClassVar[str] = "ensemble"

    def _new_members(self, labels: int) -> Mapping[Predictor, int]:
        return {
            Boosting(self.space, seed=self.seed, members=BOOSTERS): 1,
            GraphNetwork(self.space, seed=self.seed): 1,
        }
