"""Candidates: what methods choose from, all possible and none proposed before."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.seeding import make_generator
from ..ranking import rank
from ..trial import History, Proposal

__all__ = ["Pool", "candidates", "fresh_neighbours", "fresh_uniform"]

# Rows looked at in one go, and how often, before a space too large to list counts as exhausted.
BLOCK, PATIENCE = 256, 100
# Without the whole space: neighbours of this many of the best, and as many uniform draws.
PARENTS, DRAWN = 10, 500

Pool = tuple[Int[Tensor, "P V"], list[str]]


def fresh_uniform(history: History, seed: int, source: str = "uniform") -> Proposal | None:
    """Draws one architecture uniformly among what is possible and new.

    Args:
        history: All trials so far.
        seed: Of the draw.
        source: What the proposal says.

    Returns:
        The proposal; None where nothing new is left, or, in spaces too large to list, where
        25,600 draws found nothing.
    """
    generator = make_generator(seed)
    whole = history.problem.whole()
    if whole is not None:
        blocks = iter(whole[torch.randperm(len(whole), generator=generator)].split(BLOCK))
    else:
        blocks = (history.problem.space.sample(BLOCK, generator) for _ in range(PATIENCE))
    for block in blocks:
        found = history.fresh(block)
        if len(found):
            return Proposal(tuple(found[0].tolist()), source)
    return None


def fresh_neighbours(history: History, row: Int[Tensor, " V"]) -> Int[Tensor, "K V"]:
    """Lists the possible neighbours of an architecture that were never proposed.

    Args:
        history: All trials so far.
        row: Choice indices.
    """
    return history.fresh(history.problem.space.neighbours(row))


def candidates(history: History, seed: int) -> Pool:
    """Lists what is possible and new: everything, or mutations of the best and uniform draws.

    Args:
        history: All trials so far.
        seed: Of the draws.

    Returns:
        Choice indices, and where each comes from.
    """
    space, whole = history.problem.space, history.problem.whole()
    if whole is not None:
        x = history.fresh(whole)
        return x, ["exhaustive"] * len(x)
    best = rank(history).argsort(stable=True)[:PARENTS]
    mutated = history.fresh(torch.cat([space.neighbours(row) for row in history.x[best]]))
    drawn = history.fresh(space.sample(DRAWN, make_generator(seed)))
    x = history.fresh(torch.cat([mutated, drawn]))
    return x, ["mutation"] * len(mutated) + ["uniform"] * (len(x) - len(mutated))
