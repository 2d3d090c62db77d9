"""Designs: the architectures to label before anything is known."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ...spaces import Space
from ..trial import History, Proposal

__all__ = ["Design", "initial_design"]

# Draws per missing architecture before a space too large to list counts as exhausted.
PATIENCE = 100


class Design:
    """Proposes a random design fixed beforehand, whatever comes of it: labels to learn from.

    Args:
        n: How many architectures.
        draw: Seed of the design, which does not depend on that of the run.
        exclude: Canonical rows not to propose.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params")
        >>> row = Design(n=3, draw=7).propose(History(problem, []), seed=0).row
        >>> row == tuple(initial_design(problem.space, 3, 7)[0].tolist())
        True
    """

    name: ClassVar[str] = "design"

    def __init__(self, *, n: int, draw: int = 0, exclude: Int[Tensor, "E V"] | None = None) -> None:
        self.n, self.draw, self.exclude = n, draw, exclude

    @property
    def text(self) -> str:
        """The name with its options, by which a run is resumed."""
        return f"{self.name}:n={self.n},draw={self.draw}"

    def propose(self, history: History, seed: int) -> Proposal | None:
        evaluator, space = history.problem.evaluator, history.problem.space
        rows = None if evaluator is None else evaluator.rows
        design = initial_design(space if rows is None else rows, self.n, self.draw, self.exclude)
        left = history.fresh(design)
        return Proposal(tuple(left[0].tolist()), self.name) if len(left) else None


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
