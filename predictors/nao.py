"""The joint predictor of NAO (Luo et al., NeurIPS 2018) and its semi-supervised form, SemiNAS."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed, make_generator
from ..encoders.autoencoder import Autoencoder
from ..encoders.autoencoding import Labelled, new_autoencoder, train_autoencoder
from ..encoders.feature_sets import Features
from ..spaces import Space
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["NAO", "SemiNAS"]

# Architectures without labels that are reconstructed, too.
ROWS = 4096
# Share of the labels that a member leaves out to tell its error, where there are enough of them.
HELD, ENOUGH = 0.1, 20
CHUNK = 4096


class NAO(Predictor):
    """Encoder, performance predictor and decoder, trained together (NAO, arXiv 1808.07233).

    An ensemble of `Autoencoder`, each trained by `train_autoencoder` on labels and on
    reconstruction, with weights of the labels drawn at random and a tenth of them left out. The
    variance is that of the members plus the squared error on what they left out. The choice for
    hundreds of labels; for tens, `GaussianProcess` costs less.

    Args:
        space: The space.
        seed: Seed of weights, batches and what is left out.
        members: Networks in the ensemble.
        steps: Optimiser steps of each; half as many as labels where that is more.
        trade_off: Weight of the prediction against the reconstruction, ``lambda`` in the paper.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> model = NAO(cells, members=2, steps=5).fit(x, cells.statistics(x)["params"])
        >>> mean, std = model.predict(cells.sample(3, 1))
        >>> mean.shape, bool((std > 0).all())
        (torch.Size([3]), True)
    """

    name: ClassVar[str] = "nao"

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        members: int = 3,
        steps: int = 250,
        trade_off: float = 0.8,
    ) -> None:
        super().__init__(space, seed=seed)
        self.members, self.steps, self.trade_off = members, steps, trade_off
        self.networks: list[Autoencoder] = []

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        x, z = self.space.canonical(data.x), z.float()
        self._most = max(self.steps, len(x) // 2)
        rows = self.space.sample(ROWS, derive_seed(self.seed, "unlabelled"))
        generator = make_generator(derive_seed(self.seed, "members"))
        weight = torch.zeros(self.members, len(x)).exponential_(generator=generator)
        held = torch.zeros(self.members, len(x), dtype=torch.bool)
        if len(x) >= ENOUGH:
            held = torch.rand(held.shape, generator=generator).argsort(1) < HELD * len(x)
        self.networks = [
            new_autoencoder(self.space, seed=derive_seed(self.seed, "member", member))
            for member in range(self.members)
        ]
        for member in range(self.members):
            left = ~held[member]
            self._train(member, rows, Labelled(x[left], z[left], weight[member, left]))
        squares = (self._votes(x) - z).square()
        self._noise = max(NOISE, float(squares[held].mean())) if held.any() else 1.0
        # After what was left out has told the error: guesses of the others give it away.
        self._refine(x, z, weight, held, rows)

    @torch.no_grad()
    def _posterior(self, data: Features, joint: bool) -> Posterior:
        votes = self._votes(self.space.canonical(data.x))
        std = (votes.var(0, correction=0) + self._noise).sqrt()
        return Posterior.gaussian(votes.mean(0), std, joint=joint)

    def _train(self, member: int, rows: Int[Tensor, "A V"], labelled: Labelled) -> None:
        train_autoencoder(
            self.networks[member],
            self.space,
            rows,
            labelled=labelled,
            trade_off=self.trade_off,
            steps=self._most,
            seed=derive_seed(self.seed, "member", member),
        )

    def _refine(
        self,
        x: Int[Tensor, "n V"],
        z: Float[Tensor, " n"],
        weight: Float[Tensor, "E n"],
        held: Tensor,
        rows: Int[Tensor, "A V"],
    ) -> None:
        """Does nothing: all labels there are have been used."""

    @torch.no_grad()
    def _votes(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "E B"]:
        votes = [
            torch.cat([network.score(network.encode(chunk)) for chunk in x.split(CHUNK)])
            for network in self.networks
        ]
        return torch.stack(votes)


class SemiNAS(NAO):
    """NAO that also learns from architectures that it labelled by itself (arXiv 2002.10389).

    1. Train as `NAO` does.
    2. Label architectures drawn uniformly with the mean of the ensemble.
    3. Train on both, as many labelled ones in a batch as others.

    Args:
        space: The space.
        seed: Seed of weights, batches and what is left out.
        members: Networks in the ensemble.
        steps: Optimiser steps of each, before and after; half as many as labels where that is
            more.
        trade_off: Weight of the prediction against the reconstruction.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> model = SemiNAS(cells, members=2, steps=5).fit(x, cells.statistics(x)["params"])
        >>> model.predict(cells.sample(3, 1))[0].shape
        torch.Size([3])
    """

    name: ClassVar[str] = "seminas"

    def _refine(
        self,
        x: Int[Tensor, "n V"],
        z: Float[Tensor, " n"],
        weight: Float[Tensor, "E n"],
        held: Tensor,
        rows: Int[Tensor, "A V"],
    ) -> None:
        guess = self._votes(rows).mean(0)
        for member in range(self.members):
            left = (~held[member]).nonzero()[:, 0]
            # Labelled architectures are few; they come as often as the others.
            left = left.repeat(-(-len(rows) // len(left)))
            both = Labelled(
                torch.cat([x[left], rows]),
                torch.cat([z[left], guess]),
                torch.cat([weight[member, left], torch.ones(len(rows))]),
            )
            self._train(member, rows, both)
