"""Source: what brings candidates where a space is too large to score whole."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ....core.distinct import first_of_each
from ....generators.generator import Generator
from ....generators.guidance import Guidance
from ....spaces import Space
from ...ranking import rank
from ...trial import History

__all__ = ["PARENTS", "PROPOSALS", "STEPS", "Asked", "Source", "Value"]

# Incumbents that candidates are made of.
PARENTS = 10
# Most proposals of a generator, and its reverse steps.
PROPOSALS, STEPS = 256, 8

Value = Callable[[Int[Tensor, "B V"]], Float[Tensor, " B"]]


@dataclass(frozen=True)
class Asked:
    """What candidates are wanted for.

    Args:
        history: All trials so far.
        value: Log-acquisition of valid choice indices.
        generator: Of the space.
    """

    history: History
    value: Value
    generator: Generator

    @property
    def space(self) -> Space:
        """The space that is searched."""
        return self.history.problem.space

    @cached_property
    def incumbents(self) -> Int[Tensor, "I V"]:
        """The best so far, best first."""
        return self.history.x[rank(self.history).argsort(stable=True)[:PARENTS]]

    def possible(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "F V"]:
        """Returns those within exact constraints, each once, in canonical form.

        Args:
            x: Valid choice indices.
        """
        x = self.space.canonical(x)
        x = x[first_of_each(self.space.hashes(x))[1].sort().values]
        return x[self.history.problem.possible(x)]

    def proposals(
        self,
        n: int,
        seed: int,
        *,
        guidance: Guidance | None = None,
        generator: Generator | None = None,
    ) -> Int[Tensor, "B V"]:
        """Lets a generator propose, and keeps what is an architecture.

        Args:
            n: How many, of which at most 256 are asked for.
            seed: Of the draws.
            guidance: What steers them.
            generator: Another than that of the space.
        """
        made = (generator or self.generator).propose(
            self.space, min(n, PROPOSALS), guidance=guidance, steps=STEPS, seed=seed
        )
        return made.x[made.valid]

    def worth(self, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """Values any choice indices: -inf where they are not an architecture, or not possible.

        Args:
            x: Choice indices.
        """
        total = torch.full((len(x),), -torch.inf, dtype=torch.float64)
        there = self.space.is_valid(x)
        there[there.clone()] = self.history.problem.possible(x[there])
        if there.any():
            total[there] = self.value(x[there])
        return total


@runtime_checkable
class Source(Protocol):
    """One way to come by candidates; made once for a search."""

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        """Brings valid choice indices; what is known or not possible among them is left out later.

        Args:
            asked: What they are wanted for.
            n: About how many.
            seed: Of all draws.
        """
