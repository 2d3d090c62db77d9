"""A Bayesian mixer of what views tell layer by layer (ParZC)."""

from __future__ import annotations

from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.optim.lr_scheduler import CosineAnnealingLR

from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..spaces import Space
from .losses import kendall
from .members import seen_labels
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["Mixer"]

# Numbers that features are brought to, parts of them, channels of a part, and blocks.
PROJECTED, PATCH, WIDTH, BLOCKS = 128, 16, 64, 2
RATE, DECAY, ROUGH = 2e-3, 1e-3, -5.0
# Weights that a prediction averages over.
DRAWN = 8


class Mixer(Predictor):
    """Mixes what views tell, with weights that are Gaussian (Dong et al., ParZC, 2024).

    Features of all views are projected and cut into parts, which blocks mix along parts and along
    channels in turn (MLP-Mixer). Weights of the projection and the head are drawn anew at each
    step; a prediction is the mean over some draws. Squared errors and Kendall's tau are made better
    together. Its inputs are views such as ``proxy:snip+synflow;nodes=32``.

    Args:
        space: The space.
        seed: Seed of every random draw.
        members: Networks, each of which some labels are kept from.
        steps: Optimiser steps.

    Example:
        >>> from vitruvius.encoders import views_of
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> made = Mixer(cells, steps=3)
        >>> made.views = views_of(cells, "proxy:l2_norm;nodes=4;batch=2")
        >>> x = cells.sample(10, 0)
        >>> made.fit(x, cells.statistics(x)["params"]).predict(x)[0].shape
        torch.Size([10])
    """

    name: ClassVar[str] = "mixer"
    needs_views: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int = 0, members: int = 3, steps: int = 200) -> None:
        super().__init__(space, seed=seed)
        self.members, self.steps = members, steps

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        features, z = self._seen(data), z.float()
        self._all = []
        errors = []
        for member in range(self.members):
            seed = derive_seed(self.seed, "mixer", member)
            seen = seen_labels(len(z), make_generator(seed))
            network = _trained(features[seen], z[seen], seed, self.steps)
            self._all.append((network, seed))
            if not bool(seen.all()):
                errors.append(_mean(network, features[~seen], seed)[0] - z[~seen])
        residual = torch.cat(errors) if errors else torch.ones(1)
        self._noise = max(NOISE, float(residual.square().mean()))

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        features = self._seen(data)
        told = [_mean(network, features, seed) for network, seed in self._all]
        means = torch.stack([mean for mean, _ in told])
        variance = torch.stack([own for _, own in told]).mean(0) + means.var(0, unbiased=False)
        return Posterior.gaussian(means.mean(0), (variance + self._noise).sqrt(), joint=joint)

    def _seen(self, data: Features) -> Float[Tensor, "B D"]:
        return torch.cat([view(data.x) for view in self.views], 1)


class _Gaussian(nn.Module):
    """A linear map whose weights are drawn."""

    def __init__(self, size: int, out: int) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.randn(size, out) * size**-0.5)
        self.rough = nn.Parameter(torch.full((size, out), ROUGH))
        self.bias = nn.Parameter(torch.zeros(out))

    def forward(self, x: Tensor) -> Tensor:
        noise = torch.randn_like(self.mean)
        return x @ (self.mean + F.softplus(self.rough) * noise) + self.bias


class _Block(nn.Module):
    """Mixes parts, then channels."""

    def __init__(self, parts: int) -> None:
        super().__init__()
        self.first, self.second = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        wide, half = 4 * parts, WIDTH // 2
        self.parts = nn.Sequential(nn.Linear(parts, wide), nn.GELU(), nn.Linear(wide, parts))
        self.channels = nn.Sequential(nn.Linear(WIDTH, half), nn.GELU(), nn.Linear(half, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.parts(self.first(x).transpose(1, 2)).transpose(1, 2)
        return x + self.channels(self.second(x))


class _Network(nn.Module):
    def __init__(self, size: int) -> None:
        super().__init__()
        parts = PROJECTED // PATCH
        self.project, self.embed = _Gaussian(size, PROJECTED), nn.Linear(PATCH, WIDTH)
        self.blocks = nn.Sequential(*(_Block(parts) for _ in range(BLOCKS)))
        self.head = _Gaussian(WIDTH, 1)

    def forward(self, x: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        parts = self.embed(self.project(x).unflatten(1, (-1, PATCH)))
        mixed: Tensor = self.head(self.blocks(parts).mean(1))[:, 0]
        return mixed


def _trained(
    features: Float[Tensor, "n D"], z: Float[Tensor, " n"], seed: int, steps: int
) -> _Network:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = _Network(features.shape[1])
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, weight_decay=DECAY)
        once = torch.ones(1, len(z))
        schedule = CosineAnnealingLR(optimizer, steps)
        for _ in range(steps):
            scores = network(features)
            loss = (scores - z).square().mean() + kendall(scores[None], z, once)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return network.eval()


@torch.no_grad()
def _mean(
    network: _Network, features: Float[Tensor, "B D"], seed: int
) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
    """Mean and variance over draws of the weights, the same for whatever is asked together."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        votes = torch.stack([network(features) for _ in range(DRAWN)])
    return votes.mean(0), votes.var(0)
