"""Local search (White et al., UAI 2021, arXiv 2005.02960)."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.seeding import make_generator
from ..ranking import rank
from ..trial import History, Proposal
from .neighbourhood import fresh_neighbours, fresh_uniform

__all__ = ["LocalSearch"]

RESTART = "restart"


class LocalSearch:
    """Evaluates the neighbours of the current point in random order, and moves once one is better.

    Starts at the best of what it is given, and at a random point again where no neighbour is
    better. The current point is found anew by replaying the trials, so nothing needs to be kept.
    Strong in small smooth spaces; blind to all but one neighbourhood.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params")
        >>> start = Trial.of(0, Evaluation(problem.space.architecture((3, 3, 3, 3, 3, 3))))
        >>> LocalSearch().propose(History(problem, [start]), seed=0).source
        'neighbour'
    """

    name: ClassVar[str] = "local-search"

    def propose(self, history: History, seed: int) -> Proposal | None:
        current = self._current(history)
        if current is not None:
            left = fresh_neighbours(history, current)
            if len(left):
                pick = torch.randint(len(left), (1,), generator=make_generator(seed))
                return Proposal(tuple(left[int(pick)].tolist()), "neighbour")
        return fresh_uniform(history, seed, RESTART)

    def _current(self, history: History) -> Int[Tensor, " V"] | None:
        """Where the search stands after all that is known."""
        current = None
        ranks = rank(history).tolist()
        for i, trial in enumerate(history.ok):
            restarts = trial.source == RESTART
            if current is None or restarts or ranks[i] < ranks[current]:
                current = i
        return None if current is None else history.x[current]
