"""Refining: proposals improved by evolution on what is counted and predicted, without a label."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..predictors.goal import Goal
from ..spaces import Space

__all__ = ["refined"]

# Architectures that are kept, at least, and how often they have children.
KEPT, ROUNDS = 512, 16
# Children that change a variable besides what they take of two parents.
MUTATED = 0.75


def refined(
    goal: Goal, x: Int[Tensor, "P V"], n: int, generator: torch.Generator
) -> Int[Tensor, "R V"]:
    """Improves architectures by the value of a goal.

    In every round each of those that are kept has a child with another of them, which changes one
    variable more or less often; of all, the best are kept. Values count how far counted targets
    are missed, and how likely predicted ones are met, so that both are looked for at once: where
    they are at odds, few of many draws meet both.

    Args:
        goal: What is asked for.
        x: Valid architectures.
        n: How many are wanted.
        generator: Of the changes.

    Returns:
        Distinct canonical architectures, best first.

    Example:
        >>> from vitruvius.evaluators import Targets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> goal = Goal(cells, Targets(), cells.statistics, {})
        >>> refined(goal, cells.sample(8, 0), 4, torch.Generator().manual_seed(0)).shape[1]
        6
    """
    space, kept = goal.space, max(KEPT, 2 * n)
    x = space.canonical(x)
    x, value = _best(space, x, goal.log_value(x), kept)
    for _ in range(ROUNDS):
        other = torch.randperm(len(x), generator=generator)
        children = _mutated(space, space.crossover(x, x[other], generator), generator)
        both = torch.cat([x, children])
        x, value = _best(space, both, torch.cat([value, goal.log_value(children)]), kept)
    return x


def _best(space: Space, x: Tensor, value: Tensor, kept: int) -> tuple[Tensor, Tensor]:
    first = first_of_each(space.hashes(x))[1].sort().values
    order = value[first].argsort(descending=True, stable=True)[:kept]
    return x[first][order], value[first][order]


def _mutated(space: Space, x: Tensor, generator: torch.Generator) -> Tensor:
    """Changes a variable of most rows, where that leads to an architecture."""
    rows = torch.arange(len(x))
    sizes = space.choice_mask.sum(1)
    column = torch.randint(x.shape[1], (len(x),), generator=generator)
    choice = (torch.rand(len(x), generator=generator, dtype=torch.float64) * sizes[column]).long()
    changed = x.clone()
    changed[rows, column] = choice
    fine = space.is_valid(changed) & (torch.rand(len(x), generator=generator) < MUTATED)
    return space.canonical(torch.where(fine[:, None], changed, x))
