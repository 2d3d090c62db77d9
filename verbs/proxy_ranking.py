"""Ranking without labels, by zero-cost proxies."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from ..evaluators.proxies import ProxyEvaluator, rank_sum
from ..spaces import Space, Task

__all__ = ["RANKED", "ProxyRanking"]

# Architectures that are built and looked at.
RANKED = 64
NAMES = ("expressivity", "progressivity", "trainability", "jacov")


class ProxyRanking:
    """Ranks architectures by proxies of their untrained networks and by their MACs.

    The sum of logarithms of ranks, as in AZ-NAS (Lee and Ham, CVPR 2024), with one more proxy.

    Args:
        space: The space, of networks.
        task: What they are built for.
        seed: Of weights and noise.
        batch: Examples of noise.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> order = ProxyRanking(cells, cells.task, batch=8)(cells.sample(4, 0))
        >>> order.sort().values
        tensor([0, 1, 2, 3])
    """

    def __init__(self, space: Space, task: Task, *, seed: int = 0, batch: int = 32) -> None:
        self.space, self.task, self.seed, self.batch = space, task, seed, batch

    def __call__(self, x: Int[Tensor, "B V"]) -> Int[Tensor, " B"]:
        """Returns the order of architectures, the best first.

        Args:
            x: Valid choice indices.
        """
        told = [self._evaluator.evaluate(tuple(row)).metrics for row in x.tolist()]
        scores = [
            torch.tensor([each.get(name, torch.nan) for each in told], dtype=torch.float64)
            for name in NAMES
        ]
        counts = self.space.statistics(x, self.task)
        if "macs" in counts:
            scores.append(counts["macs"].double())
        return rank_sum(scores).argsort(descending=True, stable=True)

    @cached_property
    def _evaluator(self) -> ProxyEvaluator:
        return ProxyEvaluator(
            self.space, names="+".join(NAMES), task=self.task, batch=self.batch, seed=self.seed
        )
