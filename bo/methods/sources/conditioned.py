"""What the generator proposes when it is told what the best so far count."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ....generators.guidance import ClassifierFree, Guidance
from .source import Asked

__all__ = ["Conditioned"]

# Standard deviation of what the counts asked for are multiplied by, as a logarithm.
SPREAD = 0.05


class Conditioned:
    """Asks the generator for architectures whose exact counts are those of the incumbents.

    Generators are trained with counts as conditions before there is any label: "like the good
    ones" then means alike in parameters, multiply-adds and depth, whatever the wiring. Generators
    without conditions draw.
    """

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        counts = asked.history.problem.exact(asked.incumbents)
        names = [name for name in asked.generator.conditions if name in counts]

        def drawn(count: int, chance: torch.Generator) -> dict[str, Tensor]:
            like = torch.randint(len(asked.incumbents), (count,), generator=chance)
            noise = torch.randn(count, generator=chance, dtype=torch.float64)
            return {name: counts[name][like] * (SPREAD * noise).exp() for name in names}

        guidance = Guidance(classifier_free=ClassifierFree(drawn)) if names else None
        return asked.proposals(n, seed, guidance=guidance)
