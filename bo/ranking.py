"""Ranking of what was measured: feasible first, then by domination and crowding."""

from __future__ import annotations

import math

import torch
from botorch.utils.multi_objective.pareto import is_non_dominated
from jaxtyping import Float, Int
from torch import Tensor

from .trial import History

__all__ = ["crowding", "fronts", "merit", "rank"]


def rank(history: History) -> Int[Tensor, " n"]:
    """Ranks what was measured in full, 0 for the best; what is equally good has equal ranks.

    What meets the constraints comes before what does not, and that by how far it misses them
    (Deb, 2000). Among the former the objective decides; where there are several, the front of
    non-domination, then within a front the less crowded first (Deb et al., 2002).

    Args:
        history: The trials, of which those that are ``ok`` are ranked.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Proposal, Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> small = Problem(cells, {}, minimize="params")
        >>> rows = [(3, 3, 3, 3, 3, 3), (0, 0, 0, 0, 0, 0), (2, 2, 2, 2, 2, 2)]
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> rank(History(small, trials)).tolist()
        [2, 0, 1]
    """
    scores = history.scores
    violation = torch.zeros(len(scores), dtype=torch.float64)
    if history.problem.constraints and len(scores):
        violation = history.problem.constraints.violation(history.values)
    feasible = violation == 0
    keys = torch.zeros(len(scores), 3, dtype=torch.float64)
    keys[:, 0] = violation
    if history.problem.multiple:
        front = fronts(scores[feasible])
        keys[feasible, 1] = front.double()
        keys[feasible, 2] = -crowding(scores[feasible], front)
    else:
        keys[feasible, 1] = -scores[feasible, 0]
    if not len(keys):
        return torch.zeros(0, dtype=torch.long)
    return keys.unique(dim=0, return_inverse=True)[1]


def merit(history: History) -> Float[Tensor, " n"]:
    """Returns minus the rank: one number to learn, whatever the objectives and constraints.

    Args:
        history: The trials, of which those that are ``ok`` are ranked.
    """
    return -rank(history).double()


def fronts(scores: Float[Tensor, "n M"]) -> Int[Tensor, " n"]:
    """Numbers the fronts of non-domination from 0.

    Args:
        scores: More is better.

    Example:
        >>> fronts(torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0], [0.0, 0.0]])).tolist()
        [0, 0, 1, 2]
    """
    front = torch.full((len(scores),), -1)
    level = 0
    while (left := front < 0).any():
        members = left.nonzero()[:, 0]
        front[members[is_non_dominated(scores[left], deduplicate=False)]] = level
        level += 1
    return front


def crowding(scores: Float[Tensor, "n M"], front: Int[Tensor, " n"]) -> Float[Tensor, " n"]:
    """Sums over objectives the distance between a member's neighbours within its front.

    Distances are relative to the range of the front; the ends of a front are infinitely far.

    Args:
        scores: More is better.
        front: Number of everyone's front.

    Example:
        >>> scores = torch.tensor([[0.0, 4.0], [1.0, 2.0], [4.0, 0.0]])
        >>> crowding(scores, torch.zeros(3, dtype=torch.long)).tolist()
        [inf, 2.0, inf]
    """
    distance = torch.zeros(len(scores), dtype=torch.float64)
    for level in range(int(front.max()) + 1 if len(front) else 0):
        members = (front == level).nonzero()[:, 0]
        for column in scores[members].double().T:
            value, order = column.sort(stable=True)
            extent = float(value[-1] - value[0]) or 1.0
            distance[members[order[[0, -1]]]] = math.inf
            distance[members[order[1:-1]]] += (value[2:] - value[:-2]) / extent
    return distance
