"""Initial designs: the architectures to label before anything is known."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ...spaces import Space

__all__ = ["initial_design"]

# Draws per missing architecture before a space too large to list counts as exhausted.
PATIENCE = 100


def initial_design(
    candidates: Int[Tensor, "A V"] | Space,
    n: int,
    seed: Seed = None,
    exclude: Int[Tensor, "E V"] | None = None,
) -> Int[Tensor, "B V"]:
    """Draws distinct architectures uniformly without replacement.

    Args:
        candidates: Canonical rows to draw from (such as a table's), or a whole space.
        n: How many.
        seed: A generator, an integer seed, or None for a fresh one.
        exclude: Canonical rows not to draw.

    Returns:
        ``n`` canonical rows in random order, or fewer where there are no more.

    Raises:
        UsageError: For a negative ``n``.

    Example:
        >>> from vitruvius.spaces import space
        >>> initial_design(space("nasbench201"), 10, seed=0).shape
        torch.Size([10, 6])
    """
    if n < 0:
        raise UsageError(f"`n` must be at least 0, got {n}.", "Ask for none or more.")
    generator = make_generator(seed)
    if isinstance(candidates, Space) and not candidates.enumerable:
        return _draw_until_enough(candidates, n, generator, exclude)
    rows = candidates.enumerate() if isinstance(candidates, Space) else candidates
    shuffled = rows[torch.randperm(len(rows), generator=generator)]
    return _distinct(shuffled, exclude)[:n]


def _draw_until_enough(
    space: Space, n: int, generator: torch.Generator, exclude: Tensor | None
) -> Tensor:
    drawn = space.sample(n, generator)
    found = _distinct(drawn, exclude)
    for _ in range(PATIENCE):
        if len(found) >= n:
            break
        found = _distinct(torch.cat([found, space.sample(n, generator)]), exclude)
    return found[:n]


def _distinct(rows: Tensor, exclude: Tensor | None) -> Tensor:
    """First appearance of every row, in order, without those to exclude."""
    seen = {tuple(row) for row in exclude.tolist()} if exclude is not None else set()
    chosen = []
    for position, row in enumerate(map(tuple, rows.tolist())):
        if row not in seen:
            seen.add(row)
            chosen.append(position)
    return rows[chosen]
