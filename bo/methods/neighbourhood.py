"""Candidates: what methods choose from, all possible and none proposed before."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.seeding import make_generator
from ..draws import draw_rare, possible_neighbours
from ..ranking import rank
from ..trial import History, Proposal

__all__ = ["Pool", "candidates", "fresh_draws", "fresh_neighbours", "fresh_uniform"]

# Rows looked at in one go, and how often, before uniform draws are taken to miss what is possible.
BLOCK, PATIENCE = 256, 16
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
        The proposal; None where nothing new is left or, in spaces too large to list, found.
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
    if whole is not None:
        return None
    rare = draw_rare(history.problem, 1, seed, history.proposed(None))
    return Proposal(tuple(rare[0].tolist()), source) if len(rare) else None


def fresh_neighbours(history: History, row: Int[Tensor, " V"]) -> Int[Tensor, "K V"]:
    """Lists the `possible_neighbours` of an architecture that were never proposed.

    Args:
        history: All trials so far.
        row: Choice indices.
    """
    return history.fresh(possible_neighbours(history.problem, row))


def fresh_draws(history: History, n: int, seed: int) -> Int[Tensor, "B V"]:
    """Draws up to ``n`` architectures that are possible and new.

    Args:
        history: All trials so far.
        n: How many.
        seed: Of the draw.
    """
    found = history.fresh(history.problem.space.sample(n, make_generator(seed)))
    return found if len(found) else draw_rare(history.problem, n, seed, history.proposed(None))


def candidates(history: History, seed: int) -> Pool:
    """Lists what is possible and new: everything, or mutations of the best and uniform draws.

    Args:
        history: All trials so far.
        seed: Of the draws.

    Returns:
        Choice indices, and where each comes from.
    """
    whole = history.problem.whole()
    if whole is not None:
        x = history.fresh(whole)
        return x, ["exhaustive"] * len(x)
    best = rank(history).argsort(stable=True)[:PARENTS]
    mutated = history.fresh(torch.cat([fresh_neighbours(history, row) for row in history.x[best]]))
    x = history.fresh(torch.cat([mutated, fresh_draws(history, DRAWN, seed)]))
    return x, ["mutation"] * len(mutated) + ["uniform"] * (len(x) - len(mutated))
