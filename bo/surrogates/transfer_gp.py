"""Gaussian processes that start from what earlier tasks say, as far as labels bear it out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..._seeding import derive_seed, make_generator
from ...encoders.views import Encoded
from ...predictors.averaged_gp import KEPT, AveragedGP

__all__ = ["TARGET", "Source", "TransferGP"]

# What the weights call the target's own process.
TARGET = "target"
# A source is dropped where it errs more than the target's own predictions do in this share of
# the bootstraps (Feurer et al., section 4.2).
CERTAIN = 0.95
# Labels before which a target knows nothing of its own.
FEWEST = 3
# How much a source's slope is held to 1, in squared scores.
HELD = 1.0

Source = Callable[[Int[Tensor, "B V"]], Float[Tensor, " B"]]


class TransferGP:
    """Rank-weighted mixture of processes, one per source task and one without any.

    The ranking-weighted ensemble of Feurer et al. (RGPE, arXiv 1802.02219): every bootstrap of the
    target's labels votes for the task that misranks the fewest pairs of them, where the target's
    own process is judged by its leave-one-out predictions; votes are weights, and sources that err
    more than the target does nearly always are dropped. Two things differ. The ensemble is a
    mixture, not a weighted sum, so that acquisition functions average over who is right. And a
    source is not taken as it is: it is the mean function of a process that learns from the labels
    where the target departs from it, so that a source that misleads is overruled label by label.

    Args:
        sources: Normal scores within each earlier task, by name.
        kept: Settings of all processes together, 16 or 1.
        seed: Of bootstraps and settings.

    Attributes:
        weights: Share of each source, and of the target alone, after `fit`.
        dropped: Sources that were found to mislead.

    Example:
        >>> from vitruvius.encoders.views import Views
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> data = Views(cells)(cells.sample(20, 0))
        >>> right, wrong = (lambda x: x.sum(1).double()), (lambda x: -x.sum(1).double())
        >>> gp = TransferGP({"right": right, "wrong": wrong})
        >>> gp.fit(data, right(data.x) - right(data.x).mean()).weights["right"] > 0.5
        True
        >>> gp.dropped
        ('wrong',)
    """

    def __init__(self, sources: Mapping[str, Source], *, kept: int = KEPT, seed: int = 0) -> None:
        self.sources, self.kept, self.seed = dict(sources), kept, seed

    def fit(
        self, data: Encoded, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> TransferGP:
        """Fits to observations of the target.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the fidelity of each; all 0 by default.
        """
        told = {name: source(data.x).double() for name, source in self.sources.items()}
        own = torch.zeros_like(z).double()
        if len(z) >= FEWEST:
            alone = AveragedGP(kept=self.kept, seed=self.seed).fit(data, z, task)
            own = alone.leave_one_out()[0]
        names = [*told, TARGET]
        loss = _misranked(torch.stack([*told.values(), own]), z.double(), self._bootstraps(len(z)))
        erring = (loss[:, :-1] > loss[:, -1:]).double().mean(0) >= CERTAIN
        worse = erring & (len(z) >= FEWEST)
        self.dropped = tuple(name for name, out in zip(told, worse.tolist(), strict=True) if out)
        votes = loss.masked_fill(torch.cat([worse, torch.zeros(1).bool()]), torch.inf)
        if len(z) < FEWEST:
            votes[:, -1] = torch.inf
        # Ties are broken at random.
        luck = torch.rand(votes.shape, generator=self._chance("ties"), dtype=torch.float64)
        chosen = (votes + 0.5 * luck / max(len(z) ** 2, 1)).argmin(1)
        counts = chosen.bincount(minlength=len(names)).tolist()
        self.weights = {
            name: count / len(chosen) for name, count in zip(names, counts, strict=True)
        }
        self._members = []
        for name, count in zip(names, counts, strict=True):
            if not count:
                continue
            member = _Member.fit(
                self.sources.get(name),
                AveragedGP(kept=count, seed=derive_seed(self.seed, name)),
                data,
                z.double(),
                task,
            )
            self._members.append(member)
        self._members.sort(key=lambda member: -member.process.kept)
        if self.kept == 1:
            self._members = self.coarse(1)._members
        return self

    def coarse(self, settings: int = 2) -> TransferGP:
        """Returns the members that weigh most, each under one setting, for a first look.

        Args:
            settings: How many.
        """
        rough = copy(self)
        rough._members = [
            _Member(member.source, member.slope, member.centre, member.process.coarse(1))
            for member in self._members[:settings]
        ]
        return rough

    def noise(self) -> Float[Tensor, " S"]:
        """Returns the variance of what an evaluation shows beyond the processes."""
        return torch.cat([member.process.noise() for member in self._members])

    def marginals(
        self, data: Encoded, task: int = 0
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P"]]:
        """Returns posterior means and variances (without noise) under every setting.

        Args:
            data: What to predict.
            task: Which fidelity to predict.
        """
        parts = [member.process.marginals(data, task) for member in self._members]
        means = [
            mean + member.prior(data.x)
            for member, (mean, _) in zip(self._members, parts, strict=True)
        ]
        return torch.cat(means), torch.cat([variance for _, variance in parts])

    def joint(
        self, data: Encoded, task: int = 0
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P P"]]:
        """Returns posterior means and covariances (without noise) under every setting.

        Args:
            data: What to predict; the memory grows with the square of their number.
            task: Which fidelity to predict.
        """
        parts = [member.process.joint(data, task) for member in self._members]
        means = [
            mean + member.prior(data.x)
            for member, (mean, _) in zip(self._members, parts, strict=True)
        ]
        return torch.cat(means), torch.cat([covariance for _, covariance in parts])

    def _bootstraps(self, n: int) -> Int[Tensor, "T n"]:
        return torch.randint(n, (KEPT, n), generator=self._chance("bootstraps"))

    def _chance(self, what: str) -> torch.Generator:
        return make_generator(derive_seed(self.seed, what))


@dataclass(frozen=True)
class _Member:
    """A process of what the target adds to a source, ``z = slope (source - centre) + process``."""

    source: Source | None
    slope: float
    centre: float
    process: AveragedGP

    @classmethod
    def fit(
        cls,
        source: Source | None,
        process: AveragedGP,
        data: Encoded,
        z: Float[Tensor, " n"],
        task: Int[Tensor, " n"] | None,
    ) -> _Member:
        if source is None:
            return cls(None, 0.0, 0.0, process.fit(data, z, task))
        told = source(data.x).double()
        centred = told - told.mean()
        # Least squares, held to 1 while labels are few or close together.
        slope = float(((centred * z).sum() + HELD) / (centred.square().sum() + HELD))
        slope = max(slope, 0.0)
        fitted = process.fit(data, z - slope * centred, task)
        return cls(source, slope, float(told.mean()), fitted)

    def prior(self, x: Int[Tensor, "P V"]) -> Float[Tensor, " P"]:
        if self.source is None:
            return torch.zeros(len(x), dtype=torch.float64)
        return self.slope * (self.source(x).double() - self.centre)


def _misranked(
    told: Float[Tensor, "K n"], z: Float[Tensor, " n"], bootstraps: Int[Tensor, "T n"]
) -> Float[Tensor, "T K"]:
    """Pairs of each bootstrap that each task puts in another order than the labels do."""
    wrong = (told[:, :, None] < told[:, None]) ^ (z[:, None] < z[None])
    wrong &= z[:, None] != z[None]
    counts = torch.stack([draw.bincount(minlength=len(z)) for draw in bootstraps]).double()
    return torch.einsum("ti,kij,tj->tk", counts, wrong.double(), counts) / 2
