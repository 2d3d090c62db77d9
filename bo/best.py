"""The best of what was measured."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .trial import History, Trial

__all__ = ["best_trials", "front"]


def best_trials(history: History) -> list[Trial]:
    """Returns the best feasible trial, or with several objectives the feasible front.

    Args:
        history: All trials.
    """
    feasible = [t for t, good in zip(history.ok, history.feasible.tolist(), strict=True) if good]
    if not feasible:
        return []
    scores = history.scores[history.feasible]
    if not history.problem.multiple:
        return [feasible[int(scores[:, 0].argmax())]]
    return [t for t, there in zip(feasible, front(scores).tolist(), strict=True) if there]


def front(scores: Float[Tensor, "n M"]) -> Bool[Tensor, " n"]:
    """Tells which rows no other row dominates.

    Args:
        scores: More is better in every column.

    Example:
        >>> front(torch.tensor([[1.0, 2.0], [2.0, 1.0], [1.0, 1.0]])).tolist()
        [True, True, False]
    """
    kept = [not bool(((scores >= row).all(1) & (scores > row).any(1)).any()) for row in scores]
    return torch.tensor(kept, dtype=torch.bool)
