"""Spaces that labels cover, so that what is labelled is what there is to return."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..evaluators.targets import Targets
from ..generators.pool import Pool
from ..predictors.goal import Goal
from ..spaces import Space
from .labels import Labels

__all__ = ["unlabelled", "whole_space"]

# What is known to miss the targets comes after all that might meet them.
MISSED = -1e6


def unlabelled(space: Space, known: Int[Tensor, "K V"]) -> int:
    """Counts the architectures of a space that are not among others.

    Args:
        space: The space.
        known: Choice indices.
    """
    return space.architecture_count - len(space.hashes(known).unique())


def whole_space(labels: Labels, goal: Goal, targets: Targets, exclude: Int[Tensor, "K V"]) -> Pool:
    """Lists a space: first what is known to meet the targets, then what has no label.

    Args:
        labels: The labels, of almost all of it.
        goal: The targets that can be told.
        targets: All of them.
        exclude: Architectures not to return.
    """
    space = goal.space
    x = torch.cat([labels.x, space.enumerate()])
    hashes = space.hashes(x)
    first = first_of_each(hashes)[1].sort().values
    first = first[~torch.isin(hashes[first], space.hashes(exclude))]
    labelled, x = first[first < len(labels)], x[first]
    likely = goal.log_value(x)
    values = {name: column[labelled] for name, column in labels.values.items()}
    values |= {name: column[: len(labelled)] for name, column in goal.exact(x).items()}
    known = targets.restrict(values)
    missed = ~known.satisfied(values)
    # Of those that meet them, the likeliest are farthest from the bounds.
    score = 1e-9 * likely[: len(labelled)]
    score[missed] = MISSED * (1 + known.violation(values)[missed].nan_to_num(posinf=1e9))
    order = torch.cat([score, likely[len(labelled) :]]).argsort(descending=True, stable=True)
    return Pool(x[order], 0, 0, 0, 0)
