"""Measures of a search: the best so far, regret, hypervolume."""

from __future__ import annotations

import torch
from botorch.utils.multi_objective.hypervolume import Hypervolume
from botorch.utils.multi_objective.pareto import is_non_dominated
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .trial import History

__all__ = [
    "best_so_far",
    "hypervolume",
    "incumbents",
    "pareto_mask",
    "reference_point",
    "regret",
]


def incumbents(history: History) -> Int[Tensor, " n"]:
    """Returns, after each measurement, which one so far is the best that meets all constraints.

    Args:
        history: Of a problem with one objective.

    Returns:
        Index into ``history.ok``, the first where several are equal; -1 while nothing is
        feasible.
    """
    best, found = -1, []
    scores, feasible = history.scores[:, 0].tolist(), history.feasible.tolist()
    for i, score in enumerate(scores):
        if feasible[i] and (best < 0 or score > scores[best]):
            best = i
        found.append(best)
    return torch.tensor(found, dtype=torch.long)


def best_so_far(history: History) -> Float[Tensor, " n"]:
    """Returns the objective of the `incumbents`, in its unit; NaN while nothing is feasible.

    Args:
        history: Of a problem with one objective.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Proposal, Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> rows = [(3, 3, 3, 3, 3, 3), (0, 0, 0, 0, 0, 0), (2, 2, 2, 2, 2, 2)]
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> best_so_far(History(Problem(cells, {}, minimize="depth"), trials)).tolist()
        [51.0, 6.0, 6.0]
    """
    index = incumbents(history)
    values = history.scores[:, 0] * history.problem.objectives[0].sign
    return torch.where(index < 0, torch.nan, values[index])


def regret(history: History, best: float) -> Float[Tensor, " n"]:
    """Returns how far the `best_so_far` is from the best there is.

    Args:
        history: Of a problem with one objective.
        best: The best feasible value.
    """
    return (best_so_far(history) - best).abs()


def pareto_mask(
    scores: Float[Tensor, "n M"], feasible: Bool[Tensor, " n"] | None = None
) -> Bool[Tensor, " n"]:
    """Tells which are feasible and dominated by nothing that is.

    Args:
        scores: More is better.
        feasible: Which meet all constraints; all by default.

    Example:
        >>> pareto_mask(torch.tensor([[1.0, 2.0], [2.0, 1.0], [0.0, 0.0]])).tolist()
        [True, True, False]
    """
    if feasible is None:
        feasible = torch.ones(len(scores), dtype=torch.bool)
    mask = feasible.clone()
    mask[feasible] = is_non_dominated(scores[feasible], deduplicate=False)
    return mask


def reference_point(scores: Float[Tensor, "n M"]) -> Float[Tensor, " M"]:
    """Returns the worst value of every objective, from which hypervolumes are measured.

    For a benchmark give the scores of the whole table, so that all methods and seeds share the
    point and everything measured counts.

    Args:
        scores: More is better.
    """
    return scores.amin(0)


def hypervolume(scores: Float[Tensor, "n M"], reference: Float[Tensor, " M"]) -> float:
    """Returns the volume that is dominated by the scores and dominates the reference point.

    Args:
        scores: More is better.
        reference: Values that are no gain at all.

    Example:
        >>> hypervolume(torch.tensor([[1.0, 2.0], [2.0, 1.0]]), torch.zeros(2))
        3.0
    """
    front = scores[pareto_mask(scores)]
    volume: float = Hypervolume(reference).compute(front)
    return volume
