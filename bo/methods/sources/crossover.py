"""Crossover of the best so far."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ....core.seeding import derive_seed, make_generator
from .source import Asked

__all__ = ["Crossover"]


class Crossover:
    """Mixes pairs of incumbents variable by variable."""

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        best = asked.incumbents
        chance = make_generator(derive_seed(seed, "pairs"))
        mothers, fathers = torch.randint(len(best), (2, n), generator=chance)
        return asked.space.crossover(best[mothers], best[fathers], make_generator(seed))
