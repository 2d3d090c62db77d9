"""From a name to a surrogate, and the choice among them by cross-validation."""

from __future__ import annotations

import torch
from jaxtyping import Float
from scipy.stats import kendalltau
from torch import Tensor

from ..core.errors import UnknownNameError
from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..spaces import Space
from .averaged_gp import KEPT, AveragedGP
from .boosting import Boosting
from .deep_kernel import DeepKernelGP
from .graph_network import GraphNetwork
from .latent import LatentGP
from .mixture import Independent, Mixture
from .predictor import NormalScores
from .surrogate import Surrogate

__all__ = ["AUTO", "Choice", "surrogate", "surrogate_names"]

AUTO = "auto"
# What `auto` chooses among; the latent space is known before any label, and has to be asked for.
_TRIED = ("gp", "average", "deep-kernel", "ensemble")
FOLDS = 5
# Rank correlation by which another must be better than the Gaussian process, which alone knows
# how points depend on each other; and observations from which on others are tried.
MARGIN, FEWEST = 0.03, 20


def surrogate_names() -> list[str]:
    """Lists the names `surrogate` knows, and ``auto``.

    Example:
        >>> surrogate_names()
        ['auto', 'gp', 'average', 'deep-kernel', 'ensemble', 'latent']
    """
    return [AUTO, *_TRIED, "latent"]


def surrogate(name: str, space: Space, *, kept: int = KEPT, seed: int = 0) -> Surrogate:
    """Returns an unfitted surrogate.

    Args:
        name: ``gp``; ``average``, its even mixture with graph networks; ``deep-kernel``;
            ``ensemble``, that of boosted trees and graph networks, for thousands of labels, where
            exact Gaussian processes grow slow; or ``latent``.
        space: The space.
        kept: Most settings that Gaussian processes average over.
        seed: Of everything random.

    Raises:
        UnknownNameError: For another name.
    """
    if name == "gp":
        return AveragedGP(kept=kept, seed=seed)
    if name == "deep-kernel":
        return DeepKernelGP(space, kept=kept, seed=seed)
    if name == "average":
        networks = Independent(GraphNetwork(space, seed=seed))
        return Mixture(AveragedGP(kept=kept, seed=seed), networks)
    if name == "ensemble":
        trees = Independent(Boosting(space, seed=seed, members=4))
        return Mixture(trees, Independent(GraphNetwork(space, seed=seed)))
    if name == "latent":
        return LatentGP(space, kept=kept, seed=seed)
    raise UnknownNameError.of("surrogate", name, surrogate_names())


class Choice:
    """Chooses a surrogate by rank correlation on what was seen.

    Five folds of the first 20, 40, 80, … observations, so that the choice is made anew whenever
    their number has doubled, and once for each. The Gaussian process stays unless another's Kendall
    tau is higher by 0.03.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> Choice(cells)(FeatureSets(cells)(cells.sample(10, 0)), torch.linspace(-1, 1, 10))
        'gp'
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self._made: dict[bytes, str] = {}

    def __call__(self, data: Features, values: Float[Tensor, " n"]) -> str:
        """Chooses for observations of one metric.

        Args:
            data: What was observed, in order.
            values: In any unit.

        Returns:
            A name for `surrogate`.
        """
        if len(data) < FEWEST:
            return "gp"
        seen = FEWEST
        while 2 * seen <= len(data):
            seen *= 2
        first = slice(0, seen)
        key = data.x[first].numpy().tobytes() + values[first].numpy().tobytes()
        if key not in self._made:
            self._made[key] = self._best(data[first], values[first])
        return self._made[key]

    def _best(self, data: Features, values: Float[Tensor, " n"]) -> str:
        z = NormalScores(values)(values)
        order = torch.randperm(
            len(data), generator=make_generator(derive_seed(0, "folds", len(data)))
        )
        tau = {}
        for name in _TRIED:
            predicted = torch.zeros(len(data), dtype=torch.float64)
            for fold in range(FOLDS):
                held = torch.zeros(len(data), dtype=torch.bool)
                held[order[fold::FOLDS]] = True
                left, out = (~held).nonzero()[:, 0], held.nonzero()[:, 0]
                fitted = surrogate(name, self.space).fit(data[left], z[left])
                predicted[out] = fitted.marginals(data[out])[0].mean(0)
            tau[name] = float(kendalltau(predicted.numpy(), z.numpy()).statistic)
        best = max(tau, key=lambda name: tau[name])
        return best if tau[best] > tau["gp"] + MARGIN else "gp"
