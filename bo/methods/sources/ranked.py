"""What the generator proposes once adapters have taught it what was seen, the best above all."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from ....core.seeding import derive_seed
from ....generators.adapters import adapt
from ....generators.diffusion import GraphDiffusion
from ....generators.generator import Generator
from ...ranking import rank
from ...trial import History
from .source import Asked

__all__ = ["Ranked"]

# Observations from which on adapters learn; anew whenever their number has doubled.
FIRST = 20
# Optimiser steps of the adapters.
LEARNING = 60
# Weights are 1 / (SHARPNESS * N + rank): the best tenth has about half of them.
SHARPNESS = 0.05


class Ranked:
    """Draws from a generator whose adapters learnt what was seen, weighted by rank.

    Weighted retraining (Tripp et al., NeurIPS 2020, arXiv 2006.09191, eq. 2) of low-rank adapters
    (`vitruvius.generators.adapters`): of ``N`` observations that of rank ``r`` has weight
    ``1 / (k N + r)``. They learn from the first 20, 40, 80, … observations; before, and where there
    is no graph diffusion, nothing is brought.
    """

    def __init__(self) -> None:
        self._adapted: tuple[bytes, Generator] | None = None

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        generator = asked.generator
        if len(asked.history.ok) < FIRST or not isinstance(generator, GraphDiffusion):
            return asked.incumbents[:0]
        return asked.proposals(n, seed, generator=self._learnt(asked, generator))

    def _learnt(self, asked: Asked, generator: GraphDiffusion) -> Generator:
        """The generator that is adapted to the first 20, 40, 80, … observations."""
        seen = FIRST
        while 2 * seen <= len(asked.history.ok):
            seen *= 2
        first = History(asked.history.problem, asked.history.ok[:seen])
        key = first.x.numpy().tobytes() + str(first.ok).encode()
        if self._adapted is None or self._adapted[0] != key:
            weights = 1.0 / (SHARPNESS * seen + rank(first).argsort().argsort().double())
            seed = derive_seed(0, "ranked", seen)
            adapted = adapt(generator, asked.space, first.x, weights, steps=LEARNING, seed=seed)
            self._adapted = key, adapted
        return self._adapted[1]
