"""Draws: architectures that may be proposed, also where they are a small part of a huge space."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import Seed, derive_seed, make_generator
from ..evaluators.reachable import descend
from ..spaces import Space
from .problem import Problem

__all__ = ["draw_possible", "draw_rare", "initial_design", "possible_neighbours"]

# Draws from a space too large to list grow to this many times what is wanted before they are taken
# to miss what may be proposed.
LARGEST_DRAW = 4**4
# Draws per missing architecture of an initial design before there are taken to be no more.
PATIENCE = 100
# Rows that are looked at together until there are enough.
BLOCK = 4096


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
    return _distinct(shuffled, exclude, n)


def draw_possible(problem: Problem, n: int, seed: int) -> Int[Tensor, "B V"]:
    """Draws distinct architectures that may be proposed, or fewer where no more were found.

    Args:
        problem: The objectives and constraints.
        n: How many.
        seed: Of the draw.
    """
    whole = problem.whole()
    if whole is not None:
        return initial_design(whole[problem.possible(whole)], n, seed)
    draws = n
    while True:
        drawn = initial_design(problem.space, draws, seed)
        found = drawn[problem.possible(drawn)]
        if len(found) >= n:
            return found[:n]
        if draws >= n * LARGEST_DRAW:
            missing = draw_rare(problem, n - len(found), seed, problem.space.hashes(found))
            return torch.cat([found, missing])
        draws *= 4


def draw_rare(
    problem: Problem, n: int, seed: int, exclude: Int[Tensor, " E"]
) -> Int[Tensor, "B V"]:
    """Draws what uniform draws from the space hardly ever meet.

    Where all that may be proposed can be listed, it is, so that fewer than ``n`` means that there
    are no more; elsewhere descents to the counted constraints find some.

    Args:
        problem: The objectives and constraints.
        n: How many.
        seed: Of the draw.
        exclude: Hashes of what is not wanted.
    """
    space = problem.space
    listed = problem.listed()
    if listed is not None:
        left = listed[~torch.isin(space.hashes(listed), exclude)]
        return left[torch.randperm(len(left), generator=make_generator(seed))[:n]]
    found = space.sample(0, 0)
    if problem.exact_constraints:
        # Some of what is found may be excluded.
        wanted = 2 * n + len(exclude)
        seed = derive_seed(seed, "descend")
        found = descend(space, problem.exact_constraints, problem.exact, wanted, seed)
        found = found[problem.possible(found) & ~torch.isin(space.hashes(found), exclude)]
    return found[:n]


def possible_neighbours(problem: Problem, row: Int[Tensor, " V"]) -> Int[Tensor, "K V"]:
    """Lists the architectures near one that may be proposed.

    That is those one changed variable away; among rows too sparse to hold any, the rows with the
    fewest changed variables, as many as there would be neighbours.

    Args:
        problem: The objectives and constraints.
        row: Choice indices.
    """
    near = problem.space.neighbours(row)
    possible = near[problem.possible(near)]
    listed = None if len(possible) or not problem.bounded else problem.listed()
    if listed is None:
        return possible
    changed = (listed != problem.space.canonical(row[None])).sum(1)
    nearest = changed.argsort(stable=True)[: len(near) + 1]
    return listed[nearest[changed[nearest] > 0]]


def _draw_until_enough(
    space: Space, n: int, generator: torch.Generator, exclude: Tensor | None
) -> Tensor:
    drawn = space.sample(n, generator)
    found = _distinct(drawn, exclude, n)
    for _ in range(PATIENCE):
        if len(found) >= n:
            break
        found = _distinct(torch.cat([found, space.sample(n, generator)]), exclude, n)
    return found


def _distinct(rows: Tensor, exclude: Tensor | None, n: int) -> Tensor:
    """First appearance of the first ``n`` different rows, in order, without those to exclude."""
    seen = {tuple(row) for row in exclude.tolist()} if exclude is not None else set()
    chosen: list[int] = []
    for start in range(0, len(rows), BLOCK):
        if len(chosen) >= n:
            break
        for position, row in enumerate(map(tuple, rows[start : start + BLOCK].tolist()), start):
            if row not in seen:
                seen.add(row)
                chosen.append(position)
    return rows[chosen[:n]]
