"""Generator: what every source of proposals offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxtyping import Bool, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import Seed
from ..spaces import Space
from .guidance import Guidance

__all__ = ["Generator", "Proposals", "check_counts"]


@dataclass(frozen=True)
class Proposals:
    """What a generator produced, before any repair.

    Args:
        x: Choice indices, ``[n, V]``.
        valid: Which rows are architectures of the space.
    """

    x: Int[Tensor, "n V"]
    valid: Bool[Tensor, " n"]


@runtime_checkable
class Generator(Protocol):
    """A source of proposals for one or several spaces."""

    @property
    def name(self) -> str:
        """What results call it."""

    @property
    def guidable(self) -> bool:
        """Whether it takes guidance while it proposes."""

    @property
    def conditions(self) -> tuple[str, ...]:
        """Names of the properties it can be conditioned on."""

    def seen(self, space: Space, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"] | None:
        """Tells which architectures were in its training set; None where that is not recorded.

        Args:
            space: The space.
            x: Valid choice indices.
        """

    def propose(
        self,
        space: Space,
        n: int,
        *,
        guidance: Guidance | None = None,
        steps: int = 16,
        batch: int = 256,
        seed: Seed = None,
    ) -> Proposals:
        """Produces ``n`` proposals, repeats included.

        Args:
            space: The space.
            n: Number of proposals.
            guidance: What steers them.
            steps: Reverse steps, where there are any.
            batch: Proposals computed together.
            seed: A generator, an integer seed, or None for a fresh one.

        Raises:
            UsageError: For numbers below 1, or guidance it does not take.
            UnknownNameError: For a space it does not know.
        """


def check_counts(**counts: int) -> None:
    """Checks that numbers asked for are at least 1.

    Args:
        **counts: By name.

    Raises:
        UsageError: For a smaller one.

    Example:
        >>> check_counts(n=1, steps=16)
    """
    for name, value in counts.items():
        if value < 1:
            raise UsageError(f"`{name}` must be at least 1, got {value}.", "Ask for one or more.")
