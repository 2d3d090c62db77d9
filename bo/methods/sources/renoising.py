"""Incumbents that the generator corrupts in part and generates anew."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from ....core.seeding import Seed, derive_seed
from ....generators.generator import Proposals
from ....spaces import Space
from .source import PROPOSALS, STEPS, Asked

__all__ = ["Renoising"]

# Shares of the reverse process that incumbents go through again, a third of the candidates each.
SHARES = (0.1, 0.2, 0.4)


class Renoising:
    """Changes several variables of the incumbents at once, to what goes with the rest of them.

    Generators that cannot (see `vitruvius.generators.GraphDiffusion.renoise`) bring nothing.
    """

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        best, generator = asked.incumbents, asked.generator
        if not isinstance(generator, _Renoises) or not len(best):
            return best[:0]
        rows = best[torch.arange(-(-min(n, PROPOSALS) // len(SHARES))) % len(best)]
        made = []
        for turn, share in enumerate(SHARES):
            drawn = derive_seed(seed, turn)
            again = generator.renoise(asked.space, rows, share=share, steps=STEPS, seed=drawn)
            made.append(again.x[again.valid])
        return torch.cat(made)


@runtime_checkable
class _Renoises(Protocol):
    def renoise(
        self, space: Space, x: Tensor, *, share: float, steps: int, seed: Seed
    ) -> Proposals: ...
