"""BANANAS (White et al., AAAI 2021, arXiv 1910.11858)."""

from __future__ import annotations

from itertools import pairwise
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.normal_scores import NormalScores
from ...core.seeding import derive_seed, make_generator
from ...encoders import PathEncoding, one_hot
from ...spaces import Space
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import fresh_neighbours, fresh_uniform

__all__ = ["Bananas"]

# Fewer labels than this say nothing about an ensemble's deviation.
LEAST = 3
LEARNING_RATE = 0.01


class Bananas:
    """Independent Thompson sampling from an ensemble of networks on truncated paths.

    1. Fit an ensemble of small networks, each from its own initial weights, to the normal scores
       of what was measured.
    2. Take the new neighbours of the best architectures as candidates.
    3. Draw every candidate's value from the Gaussian of the ensemble's mean and deviation, each
       by itself, and propose the best draw.

    Where paths cannot branch, the one-hot choices stand in for paths. Networks have two hidden
    layers, the paper's ten. With several objectives or constraints it learns the rank (see
    `merit`).

    Args:
        members: Networks in the ensemble.
        width: Hidden units of each of two layers.
        steps: Steps of Adam on all labels at once.
        paths: Most paths to keep.
        parents: How many of the best are mutated.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> Bananas(steps=5).propose(History(problem, trials), seed=0).source
        'mutation'
    """

    name: ClassVar[str] = "bananas"

    def __init__(
        self,
        *,
        members: int = 5,
        width: int = 32,
        steps: int = 150,
        paths: int = 64,
        parents: int = 10,
    ) -> None:
        self.members, self.width, self.steps = members, width, steps
        self.paths, self.parents = paths, parents

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < LEAST:
            return fresh_uniform(history, seed)
        value = merit(history)
        best = value.argsort(descending=True, stable=True)[: self.parents]
        x = history.fresh(torch.cat([fresh_neighbours(history, row) for row in history.x[best]]))
        if not len(x):
            return fresh_uniform(history, seed)
        known, new = self._features(history.problem.space, history.x, x)
        mean, std = self._ensemble(known, NormalScores(value)(value).float(), new, seed)
        draw = torch.randn(len(x), generator=make_generator(derive_seed(seed, "draw")))
        chosen = x[(mean + std * draw).argmax()]
        return Proposal(tuple(chosen.tolist()), "mutation")

    def _features(
        self, space: Space, known: Int[Tensor, "n V"], new: Int[Tensor, "P V"]
    ) -> tuple[Float[Tensor, "n D"], Float[Tensor, "P D"]]:
        encoding = PathEncoding(space, self.paths)
        if not encoding.branches:
            return one_hot(space, known), one_hot(space, new)
        encoding.fit(known)
        return encoding.transform(known), encoding.transform(new)

    def _ensemble(
        self,
        known: Float[Tensor, "n D"],
        z: Float[Tensor, " n"],
        new: Float[Tensor, "P D"],
        seed: int,
    ) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
        """Mean and deviation over the members, which are trained side by side."""
        generator = make_generator(derive_seed(seed, "weights"))
        sizes = (known.shape[1], self.width, self.width, 1)
        parameters = []
        for fan_in, fan_out in pairwise(sizes):
            weight = torch.randn(self.members, fan_in, fan_out, generator=generator)
            parameters.append((weight * (2.0 / max(fan_in, 1)) ** 0.5).requires_grad_())
            parameters.append(torch.zeros(self.members, 1, fan_out, requires_grad=True))

        def forward(features: Tensor) -> Tensor:
            out = features.expand(self.members, -1, -1)
            for layer in range(0, len(parameters), 2):
                out = torch.baddbmm(parameters[layer + 1], out, parameters[layer])
                out = out.relu() if layer + 2 < len(parameters) else out
            return out[..., 0]

        optimizer = torch.optim.Adam(parameters, lr=LEARNING_RATE)
        for _ in range(self.steps):
            optimizer.zero_grad()
            (forward(known) - z).square().mean(1).sum().backward()
            optimizer.step()
        with torch.no_grad():
            votes = forward(new)
        return votes.mean(0), votes.std(0)
