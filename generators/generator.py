"""Generator: what every source of proposals offers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import Seed
from ..spaces import Space
from .guidance import Guidance

__all__ = ["Generator", "Proposals", "batch_for", "check_counts"]

# One thread is as fast with few rows, whose numbers stay in its caches; an accelerator wants many,
# as long as its memory holds them: about a gigabyte for a million variables.
ROWS_CPU, ROWS, VARIABLES = 256, 32_768, 1 << 20


@dataclass(frozen=True)
class Proposals:
    """What a generator produced, before any repair; on the CPU, wherever it was computed.

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

    def to(self, device: torch.device) -> Generator:
        """Moves whatever it computes with, if anything.

        Args:
            device: Where to.

        Returns:
            Itself.
        """

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
        batch_size: int | None = None,
        seed: Seed = None,
    ) -> Proposals:
        """Produces ``n`` proposals, repeats included.

        Args:
            space: The space.
            n: Number of proposals.
            guidance: What steers them.
            steps: Reverse steps, where there are any.
            batch_size: Proposals computed together; by default 256 on the CPU, else up to 32,768.
            seed: A generator, an integer seed, or None for a fresh one.

        Raises:
            UsageError: For numbers below 1, or guidance it does not take.
            UnknownNameError: For a space it does not know.
        """


def batch_for(device: torch.device, variables: int) -> int:
    """Returns how many architectures to compute together.

    Args:
        device: Where they are computed.
        variables: Of an architecture.

    Example:
        >>> batch_for(torch.device("cpu"), 46), batch_for(torch.device("cuda"), 46)
        (256, 22795)
    """
    return ROWS_CPU if device.type == "cpu" else min(ROWS, max(ROWS_CPU, VARIABLES // variables))


def check_counts(**counts: int | None) -> None:
    """Checks that numbers asked for are at least 1.

    Args:
        **counts: By name; None for one that is not asked for.

    Raises:
        UsageError: For a smaller one.

    Example:
        >>> check_counts(n=1, steps=16)
    """
    for name, value in counts.items():
        if value is not None and value < 1:
            raise UsageError(f"`{name}` must be at least 1, got {value}.", "Ask for one or more.")
