"""What the generator proposes when the acquisition value guides it."""

from __future__ import annotations

from jaxtyping import Int
from torch import Tensor

from ....generators.guidance import Guidance, Resampling
from .source import Asked

__all__ = ["Guided"]

# How often survivors are regenerated.
ROUNDS = 3


class Guided:
    """Resamples the generator's particles by their acquisition value while they form.

    A generator that takes no guidance proposes without. NAO (`vitruvius.generators.nao`) climbs the
    value in its embedding instead.
    """

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        steered = Resampling(asked.worth, rounds=ROUNDS)
        guidance = Guidance(resampling=steered) if asked.generator.guidable else None
        return asked.proposals(n, seed, guidance=guidance)
