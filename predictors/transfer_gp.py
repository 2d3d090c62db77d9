"""Gaussian processes that start from what earlier tasks say, as far as labels bear it out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._seeding import derive_seed, make_generator
from ..encoders.views import Encoded
from .averaged_gp import KEPT, AveragedGP

__all__ = ["TARGET", "TOGETHER", "Told", "TransferGP"]

# What the weights call the process that compares what all sources say, and the target's own.
TOGETHER, TARGET = "together", "target"
# A source is dropped where it errs more than the target's own predictions do in this share of
# the bootstraps (Feurer et al., section 4.2).
CERTAIN = 0.95
# Labels before which a target knows nothing of its own.
FEWEST = 3
# How much a source's slope is held to 1, in squared scores.
HELD = 1.0

Told = Callable[[Encoded], Float[Tensor, "B K"]]


class TransferGP:
    """Rank-weighted mixture of processes: one per source task, one of all, and one without any.

    The ranking-weighted ensemble of Feurer et al. (RGPE, arXiv 1802.02219): every bootstrap of the
    target's labels votes for the member that misranks the fewest pairs of them; votes are weights,
    and sources that err more than the target's own process does nearly always are dropped. Three
    things differ. The ensemble is a mixture, not a weighted sum, so that acquisition functions
    average over who is right. A source is not taken as it is: it is the mean function of a process
    that learns from the labels where the target departs from it, so that a source that misleads is
    overruled label by label. And one member compares architectures by what all sources say of them,
    as one more view: what did alike on earlier tasks is expected to do alike here, even where no
    source ranks the target as it is. Sources are judged as they are, processes of the target by
    their leave-one-out predictions.

    Args:
        names: Of the sources.
        told: Normal scores within each of them, one column a source.
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
        >>> def told(data):
        ...     right = data.x.sum(1).double()
        ...     return torch.stack([right, -right], 1)
        >>> gp = TransferGP(("right", "wrong"), told)
        >>> gp.fit(data, data.x.sum(1) - data.x.sum(1).double().mean()).weights["right"] > 0.5
        True
        >>> gp.dropped
        ('wrong',)
    """

    def __init__(
        self, names: Sequence[str], told: Told, *, kept: int = KEPT, seed: int = 0
    ) -> None:
        self.names, self.kept, self.seed = tuple(names), kept, seed
        self._told = told

    def fit(
        self, data: Encoded, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> TransferGP:
        """Fits to observations of the target.

        Args:
            data: What was observed.
            z: Values, about standard normal.
            task: Number of the fidelity of each; all 0 by default.
        """
        z, told, view = z.double(), self._told(data).double(), self._view(data)
        alone = [
            AveragedGP(kept=self.kept, seed=self.seed).fit(each, z, task) for each in (view, data)
        ]
        own = torch.stack([process.leave_one_out()[0] for process in alone])
        loss = _misranked(torch.cat([told.T, own]), z, self._bootstraps(len(z)))
        self._believed = torch.ones(len(self.names), dtype=torch.bool)
        if len(z) >= FEWEST:
            erring = (loss[:, :-2] > loss[:, -1:]).double().mean(0)
            self._believed = erring < CERTAIN
        else:
            loss[:, -2:] = torch.inf
        loss[:, :-2].masked_fill_(~self._believed, torch.inf)
        # Ties are broken at random.
        luck = torch.rand(loss.shape, generator=self._chance("ties"), dtype=torch.float64)
        chosen = (loss + 0.5 * luck / max(len(z) ** 2, 1)).argmin(1)
        names = [*self.names, TOGETHER, TARGET]
        counts = chosen.bincount(minlength=len(names)).tolist()
        self.weights = {
            name: count / len(chosen) for name, count in zip(names, counts, strict=True)
        }
        self._members = []
        for i in sorted(range(len(names)), key=lambda i: -counts[i]):
            name, count = names[i], counts[i]
            if not count:
                break
            if i < len(self.names):
                process = AveragedGP(kept=count, seed=derive_seed(self.seed, name))
                self._members.append(_Member.following(i, told[:, i], process, data, z, task))
            else:
                process = alone[i - len(self.names)].keeping(count)
                self._members.append(_Member(process, together=name == TOGETHER))
        if self.kept == 1:
            self._members = self.coarse(1)._members
        return self

    @property
    def dropped(self) -> tuple[str, ...]:
        """Sources that were found to mislead."""
        pairs = zip(self.names, self._believed.tolist(), strict=True)
        return tuple(name for name, believed in pairs if not believed)

    def coarse(self, settings: int = 2) -> TransferGP:
        """Returns the members that weigh most, each under one setting, for a first look.

        Args:
            settings: How many.
        """
        rough = copy(self)
        rough._members = [
            replace(member, process=member.process.coarse(1)) for member in self._members[:settings]
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
        return self._mixed(data, lambda process, view: process.marginals(view, task))

    def joint(
        self, data: Encoded, task: int = 0
    ) -> tuple[Float[Tensor, "S P"], Float[Tensor, "S P P"]]:
        """Returns posterior means and covariances (without noise) under every setting.

        Args:
            data: What to predict; the memory grows with the square of their number.
            task: Which fidelity to predict.
        """
        return self._mixed(data, lambda process, view: process.joint(view, task))

    def _mixed(
        self, data: Encoded, believe: Callable[[AveragedGP, Encoded], tuple[Tensor, Tensor]]
    ) -> tuple[Tensor, Tensor]:
        """What every member believes, one setting after the other."""
        told, view = self._told(data).double(), self._view(data)
        means, spreads = [], []
        for member in self._members:
            mean, spread = believe(member.process, view if member.together else data)
            means.append(mean + member.prior(told))
            spreads.append(spread)
        return torch.cat(means), torch.cat(spreads)

    def _view(self, data: Encoded) -> Encoded:
        """Adds what the sources say, so scaled that two draws are at distance 1."""
        told = self._told(data).float()
        return Encoded(data.x, (*data.features, told / (2 * told.shape[1]) ** 0.5))

    def _bootstraps(self, n: int) -> Int[Tensor, "T n"]:
        return torch.randint(n, (KEPT, n), generator=self._chance("bootstraps"))

    def _chance(self, what: str) -> torch.Generator:
        return make_generator(derive_seed(self.seed, what))


@dataclass(frozen=True)
class _Member:
    """A process of what the target adds to a source, ``z = slope (source - centre) + process``."""

    process: AveragedGP
    source: int = 0
    slope: float = 0.0
    centre: float = 0.0
    together: bool = False

    @classmethod
    def following(
        cls,
        source: int,
        told: Float[Tensor, " n"],
        process: AveragedGP,
        data: Encoded,
        z: Float[Tensor, " n"],
        task: Int[Tensor, " n"] | None,
    ) -> _Member:
        centred = told - told.mean()
        # Least squares, held to 1 while labels are few or close together.
        slope = float(((centred * z).sum() + HELD) / (centred.square().sum() + HELD))
        slope = max(slope, 0.0)
        fitted = process.fit(data, z - slope * centred, task)
        return cls(fitted, source, slope, float(told.mean()))

    def prior(self, told: Float[Tensor, "P K"]) -> Float[Tensor, " P"]:
        return self.slope * (told[:, self.source] - self.centre)


def _misranked(
    told: Float[Tensor, "K n"], z: Float[Tensor, " n"], bootstraps: Int[Tensor, "T n"]
) -> Float[Tensor, "T K"]:
    """Pairs of each bootstrap that each task puts in another order than the labels do."""
    wrong = (told[:, :, None] < told[:, None]) ^ (z[:, None] < z[None])
    wrong &= z[:, None] != z[None]
    counts = torch.stack([draw.bincount(minlength=len(z)) for draw in bootstraps]).double()
    return torch.einsum("ti,kij,tj->tk", counts, wrong.double(), counts) / 2
