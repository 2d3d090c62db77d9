"""A comparator of architectures: which of two is better (CTNAS)."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..encoders.graph_encoder import GraphEncoder
from ..spaces import Space
from .members import seen_labels
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["Comparator"]

# Pairs of a step, numbers in an embedding, learning rate, and architectures embedded at a time.
PAIRS, SIZE, RATE, CHUNK = 2048, 32, 5e-3, 2048
# Architectures without labels that pairs are guessed of, the share that is believed, and how far
# from even chances have to be.
GUESSED, BELIEVED, SURE = 256, 0.5, 0.1
# Chances closer to certain than this say no more.
LEAST = 0.01


class Comparator(Predictor):
    """Learns from pairs which is better, and ranks by how many labels it beats (Chen et al., 2021).

    A graph network embeds both, and a small network that changes its sign with their order tells
    the chance that the first is better. Half way through the training, pairs of labelled and other
    architectures join, those of which the network is surest, as it judges them. Normal scores are
    those of the share of the labels that an architecture is expected to beat.

    Args:
        space: The space.
        seed: Seed of every random draw.
        members: Networks, each of which some labels are kept from.
        steps: Optimiser steps.
        guess: Whether pairs without labels join.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> made = Comparator(cells, steps=5).fit(x, cells.statistics(x)["params"])
        >>> chances = made.beats(x[:4], x[:3])
        >>> chances.shape, bool((chances.diagonal() == 0.5).all())
        (torch.Size([4, 3]), True)
    """

    name: ClassVar[str] = "comparator"

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        members: int = 3,
        steps: int = 120,
        guess: bool = True,
    ) -> None:
        super().__init__(space, seed=seed)
        self.members, self.steps, self.guess = members, steps, guess

    @torch.no_grad()
    def beats(self, x: Int[Tensor, "A V"], y: Int[Tensor, "B V"]) -> Float[Tensor, "A B"]:
        """Returns the chance that each of some is better than each of others.

        Args:
            x: Valid choice indices.
            y: Those they are compared with.
        """
        votes = [
            network.chance(_embedded(network, x), _embedded(network, y)) for network in self._all
        ]
        return torch.stack(votes).mean(0)

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        x, z = data.x, z.float()
        self._all: list[_Pairs] = []
        self._x = x
        errors = []
        others = self.space.sample(GUESSED, derive_seed(self.seed, "guessed"))
        for member in range(self.members):
            generator = make_generator(derive_seed(self.seed, "comparator", member))
            seen = seen_labels(len(x), generator)
            network = self._trained(x[seen], z[seen], others, generator)
            self._all.append(network)
            if not bool(seen.all()):
                with torch.no_grad():
                    errors.append(_scores(network, x[~seen], x[seen]) - z[~seen])
        residual = torch.cat(errors) if errors else torch.ones(1)
        self._noise = max(NOISE, float(residual.square().mean()))

    @torch.no_grad()
    def _posterior(self, data: Features, joint: bool) -> Posterior:
        votes = torch.stack([_scores(network, data.x, self._x) for network in self._all])
        deviation = (votes.var(0, unbiased=False) + self._noise).sqrt()
        return Posterior.gaussian(votes.mean(0), deviation, joint=joint)

    def _trained(
        self,
        x: Int[Tensor, "n V"],
        z: Float[Tensor, " n"],
        others: Int[Tensor, "G V"],
        generator: torch.Generator,
    ) -> _Pairs:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(torch.randint(1 << 62, (), generator=generator)))
            network = _Pairs(self.space)
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-3)
        schedule = CosineAnnealingLR(optimizer, self.steps)
        guessed: tuple[Tensor, Tensor, Tensor] | None = None
        for step in range(self.steps):
            if self.guess and step == self.steps // 2:
                guessed = _sure(network, others, x)
            first, second = (torch.randint(len(x), (PAIRS,), generator=generator) for _ in range(2))
            embedded = network.embed(x)
            logit = network.logit(embedded[first], embedded[second])
            # What is alike is as often better as worse.
            target = 0.5 + 0.5 * (z[first] - z[second]).sign()
            loss = F.binary_cross_entropy_with_logits(logit, target)
            if guessed is not None and len(guessed[0]):
                i, j, better = guessed
                pick = torch.randint(len(i), (PAIRS // 2,), generator=generator)
                logit = network.logit(network.embed(others)[i[pick]], embedded[j[pick]])
                loss = loss + 0.5 * F.binary_cross_entropy_with_logits(logit, better[pick])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
        return network.eval()


class _Pairs(nn.Module):
    """Tells of two embeddings which is of the better architecture."""

    def __init__(self, space: Space) -> None:
        super().__init__()
        self.embed = GraphEncoder(space, size=SIZE)
        self.compare = nn.Sequential(nn.Linear(2 * SIZE, SIZE), nn.ReLU(), nn.Linear(SIZE, 1))

    def logit(self, a: Float[Tensor, "*B D"], b: Float[Tensor, "*B D"]) -> Float[Tensor, " *B"]:
        ahead = self.compare(torch.cat([a, b], -1))
        behind = self.compare(torch.cat([b, a], -1))
        logit: Tensor = (ahead - behind)[..., 0]
        return logit

    def chance(self, a: Float[Tensor, "A D"], b: Float[Tensor, "B D"]) -> Float[Tensor, "A B"]:
        """Of every pair."""
        shape = len(a), len(b), SIZE
        return self.logit(a[:, None].expand(shape), b[None].expand(shape)).sigmoid()


def _embedded(network: _Pairs, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
    return torch.cat([network.embed(chunk) for chunk in x.split(CHUNK)])


def _scores(
    network: _Pairs, x: Int[Tensor, "B V"], labelled: Int[Tensor, "n V"]
) -> Float[Tensor, " B"]:
    """Normal scores of the share of the labels that each is expected to beat."""
    known = network.embed(labelled)
    few = max(1, (1 << 22) // max(len(labelled) * 2 * SIZE, 1))
    share = torch.cat(
        [network.chance(part, known).mean(1) for part in _embedded(network, x).split(few)]
    )
    return torch.special.ndtri(share.clamp(LEAST, 1 - LEAST))


@torch.no_grad()
def _sure(
    network: _Pairs, others: Int[Tensor, "G V"], x: Int[Tensor, "n V"]
) -> tuple[Int[Tensor, " K"], Int[Tensor, " K"], Float[Tensor, " K"]]:
    """The pairs of unlabelled and labelled ones that it is surest of, and how they end."""
    chance = network.chance(network.embed(others), network.embed(x))
    margin = (chance - 0.5).abs()
    sure: Bool[Tensor, "G n"] = margin >= max(SURE, float(margin.quantile(1 - BELIEVED)))
    i, j = sure.nonzero().T
    return i, j, (chance[sure] > 0.5).float()
