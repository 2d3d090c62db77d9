"""A Gaussian process that starts from what earlier tasks say, and compares by it, too."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from .averaged_gp import NUM_SAMPLES, AveragedGP

__all__ = ["Sources", "TransferGP"]

# A source is dropped where it errs more than the target's own predictions do in this share of
# the bootstraps (Feurer et al., section 4.2).
CERTAIN = 0.95
BOOTSTRAPS = 64
# Mean and variance of the weight in the mean function of what all tasks together say. Scores of
# one task, told by others, keep about half of their size.
SLOPE = (0.5, 0.25**2)


@dataclass(frozen=True)
class Sources:
    """Earlier tasks, as far as one metric is concerned.

    Args:
        names: Of the tasks; the last stands for all of them.
        scores: Tells the normal scores of architectures within each, one column a task.

    Example:
        >>> sources = Sources(("size",), lambda data: data.x.sum(1, keepdim=True).double())
        >>> sources.scores(Features(torch.tensor([[1, 2], [0, 1]]), ())).tolist()
        [[3.0], [1.0]]
    """

    names: tuple[str, ...]
    scores: Callable[[Features], Float[Tensor, "B K"]]


class TransferGP(AveragedGP):
    """An `AveragedGP` that starts from what earlier tasks say, and compares by that, too.

    The last source, which stands for all, is in the mean function, where it is expected to count
    half; the process learns where the target departs from it. There, what did alike on earlier
    tasks is expected to do alike, as far as the labels bear it out: how much this feature set
    counts beside those of the DAG is a hyper-parameter like any other, averaged over. Sources are
    weighed as in the ranking-weighted ensemble of Feurer et al. (RGPE, arXiv 1802.02219): every
    bootstrap of the target's labels votes for the source that misranks the fewest pairs of them,
    which tells a user who helps, and a source that misranks more than the target's own
    leave-one-out predictions do, nearly always, is dropped. Without any left this is the process
    that knows of no earlier task.

    The ensemble of that paper adds up predictions, by votes. Here sources are what architectures
    are compared by, all that are believed alike: what two of them agree on is told apart from what
    they do not, and how good it is on the target is more and more left to the labels.

    Args:
        sources: The earlier tasks; the last is in the mean function, where it is believed.
        num_samples: As for `AveragedGP`.
        seed: Of bootstraps and hyper-parameter samples.

    Attributes:
        weights: Share of the votes for each source, after `fit`; 0 for all where none is believed.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> data = FeatureSets(cells)(cells.sample(20, 0))
        >>> def scores(data):
        ...     right = data.x.sum(1).double()
        ...     return torch.stack([right, -right], 1)
        >>> gp = TransferGP(Sources(("right", "wrong"), scores))
        >>> gp = gp.fit(data, data.x.sum(1) - data.x.sum(1).double().mean())
        >>> gp.weights, gp.dropped
        ({'right': 1.0, 'wrong': 0.0}, ('wrong',))
    """

    def __init__(self, sources: Sources, *, num_samples: int = NUM_SAMPLES, seed: int = 0) -> None:
        super().__init__(num_samples=num_samples, seed=seed)
        self.sources = sources

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> TransferGP:
        z, told = z.double(), self.sources.scores(data).double()
        alone = AveragedGP(num_samples=self.num_samples, seed=self.seed).fit(data, z, task)
        said = torch.cat([told.T, alone.leave_one_out()[0][None]])
        chance = make_generator(derive_seed(self.seed, "bootstraps"))
        draws = torch.randint(len(z), (BOOTSTRAPS, len(z)), generator=chance)
        loss = _misranked(said, z, draws)
        self._believed = (loss[:, :-1] > loss[:, -1:]).double().mean(0) < CERTAIN
        votes = torch.zeros(len(self.sources.names), dtype=torch.float64)
        if bool(self._believed.any()):
            loss = loss[:, :-1].masked_fill(~self._believed, torch.inf)
            # Ties share a vote.
            best = (loss == loss.min(1, keepdim=True).values).double()
            votes = (best / best.sum(1, keepdim=True)).mean(0)
        self.weights = dict(zip(self.sources.names, votes.tolist(), strict=True))
        self._centre = float(told[:, -1].mean())
        super().fit(self._embed(data), z, task)
        return self

    @property
    def dropped(self) -> tuple[str, ...]:
        """Sources that were found to mislead."""
        pairs = zip(self.sources.names, self._believed.tolist(), strict=True)
        return tuple(name for name, believed in pairs if not believed)

    def mean_function(self, data: Features) -> Float[Tensor, " P"]:
        """Returns what is expected by the earlier tasks alone; 0 where none is believed.

        Args:
            data: Architectures.
        """
        own = 1 + self._trends
        slopes = self._weight[self._parts, own:].mean(0)
        return self._basis(data)[:, own:] @ slopes

    def _embed(self, data: Features) -> Features:
        """Adds what the believed sources say, so scaled that two draws are at distance 1."""
        count = int(self._believed.sum())
        if not count:
            return data
        scores = self.sources.scores(data).float()[:, self._believed] / (2 * count) ** 0.5
        return replace(data, features=(*data.features, scores))

    @property
    def _weight_prior(self) -> Sequence[tuple[float, float]]:
        given = super()._weight_prior
        return (*given, SLOPE) if bool(self._believed[-1]) else given

    def _basis(self, data: Features) -> Float[Tensor, "P D"]:
        given = super()._basis(data)
        if not bool(self._believed[-1]):
            return given
        return torch.cat([given, self.sources.scores(data)[:, -1:].double() - self._centre], 1)


def _misranked(
    told: Float[Tensor, "K n"], z: Float[Tensor, " n"], bootstraps: Int[Tensor, "T n"]
) -> Float[Tensor, "T K"]:
    """Pairs of each bootstrap that each task puts in another order than the labels do."""
    wrong = (told[:, :, None] < told[:, None]) ^ (z[:, None] < z[None])
    wrong &= z[:, None] != z[None]
    counts = torch.stack([draw.bincount(minlength=len(z)) for draw in bootstraps]).double()
    return torch.einsum("ti,kij,tj->tk", counts, wrong.double(), counts) / 2
