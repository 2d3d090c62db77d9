"""A graph network that has learned what is free before it sees a label (FBNetV3, GCN fit)."""

from __future__ import annotations

from copy import deepcopy
from functools import lru_cache
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..encoders.features import statistics
from ..encoders.graph_encoder import GraphEncoder
from ..encoders.view import View
from ..spaces import Space
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["Pretrained"]

SIZE, WIDTH = 32, 64
# Architectures that are counted, steps over them, how many at a time, and the learning rate.
COUNTED, COUNTING, BATCH, RATE = 4096, 400, 256, 5e-3
CHUNK = 4096


class Pretrained(Predictor):
    """Predicts from an embedding that was trained on counts (Dai et al., FBNetV3, CVPR 2021).

    A graph network first learns to tell parameters, MACs and depth of random architectures, which
    cost nothing, and what views tell that are looked up, such as scores of weight sharing; where
    they know only some architectures, it learns from those. On the labels a head is then fitted,
    alone at first, and then with the rest, by Huber's loss. Some of them, each with a bootstrap of
    its own, are averaged. Where nothing is free it starts from nothing.

    Args:
        space: The space.
        seed: Seed of every random draw.
        members: Networks in the ensemble.
        frozen: Steps of the head alone.
        steps: Steps in all.
        pretrain: Whether what is free is learned first.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> made = Pretrained(cells, members=1, steps=5).fit(x, cells.statistics(x)["params"])
        >>> made.predict(x)[0].shape
        torch.Size([30])
    """

    name: ClassVar[str] = "pretrained"

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        members: int = 4,
        frozen: int = 50,
        steps: int = 200,
        pretrain: bool = True,
    ) -> None:
        super().__init__(space, seed=seed)
        self.members, self.frozen, self.steps = members, frozen, steps
        self.pretrain = pretrain

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        z = z.float()
        generator = make_generator(derive_seed(self.seed, "pretrained"))
        bootstrap = torch.zeros(self.members, len(z)).exponential_(generator=generator)
        self._networks = [self._trained(data.x, z, member, weight)
            for member, weight in enumerate(bootstrap)]  # fmt: skip
        with torch.no_grad():
            votes = torch.stack([network(data.x)[:, 0] for network in self._networks])
        unseen = bootstrap < 0.3
        residual = (votes - z).square()[unseen]
        self._noise = max(NOISE, float(residual.mean())) if len(residual) else 1.0

    @torch.no_grad()
    def _posterior(self, data: Features, joint: bool) -> Posterior:
        votes = torch.stack(
            [
                torch.cat([network(chunk)[:, 0] for chunk in data.x.split(CHUNK)])
                for network in self._networks
            ]
        )
        deviation = (votes.var(0, unbiased=False) + self._noise).sqrt()
        return Posterior.gaussian(votes.mean(0), deviation, joint=joint)

    def _trained(
        self,
        x: Int[Tensor, "n V"],
        z: Float[Tensor, " n"],
        member: int,
        weight: Float[Tensor, " n"],
    ) -> nn.Sequential:
        free = tuple(view for view in self.views if not view.costly)
        start = _counting(self.space, free, self.seed) if self.pretrain else None
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "head", member))
            body = GraphEncoder(self.space, size=SIZE) if start is None else deepcopy(start)
            network = nn.Sequential(body, nn.ReLU(), nn.Linear(SIZE, WIDTH), nn.ReLU())
            network.append(nn.Linear(WIDTH, 1))
        frozen = self.frozen if start is not None else 0
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=1e-2)
        schedule = CosineAnnealingLR(optimizer, self.steps)
        for step in range(self.steps):
            body.requires_grad_(step >= frozen)
            error = nn.functional.huber_loss(network(x)[:, 0], z, reduction="none")
            optimizer.zero_grad()
            (weight * error).mean().backward()
            optimizer.step()
            schedule.step()
        return network.eval()


def _free(space: Space, views: tuple[View, ...], seed: int) -> Int[Tensor, "n V"]:
    """Random architectures, of those that are listed where a view knows no others."""
    listed = [view.evaluator.rows for view in views if view.evaluator.rows is not None]
    if not listed:
        return space.sample(COUNTED, seed)
    return listed[0][torch.randperm(len(listed[0]), generator=make_generator(seed))[:COUNTED]]


@lru_cache(maxsize=16)
def _counting(space: Space, views: tuple[View, ...], seed: int) -> GraphEncoder | None:
    """A body that tells the counts of a space and what views see, trained once for a seed."""
    x = _free(space, views, derive_seed(seed, "counted"))
    counts = torch.cat([statistics(space, space.canonical(x)), *(view(x) for view in views)], 1)
    if not counts.shape[1]:
        return None
    target = (counts - counts.mean(0)) / counts.std(0).clamp(min=1e-6)
    generator = make_generator(derive_seed(seed, "counting"))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "counting"))
        body = GraphEncoder(space, size=SIZE)
        network = nn.Sequential(body, nn.ReLU(), nn.Linear(SIZE, target.shape[1]))
    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE)
    schedule = CosineAnnealingLR(optimizer, COUNTING)
    for _ in range(COUNTING):
        pick = torch.randint(len(x), (BATCH,), generator=generator)
        error = (network(x[pick]) - target[pick]).square().mean()
        optimizer.zero_grad()
        error.backward()
        optimizer.step()
        schedule.step()
    return body
