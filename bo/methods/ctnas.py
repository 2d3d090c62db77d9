"""CTNAS: what most likely beats the best so far (Chen et al., CVPR 2021, arXiv 2103.05471)."""

from __future__ import annotations

from typing import ClassVar

from ...predictors.comparator import Comparator
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import candidates, fresh_uniform

__all__ = ["CTNAS"]

# A predictor takes no fewer labels.
LEAST = 3


class CTNAS:
    """Proposes what a comparator finds likeliest to beat the best architecture so far.

    The comparator learns from pairs (see `Comparator`); with several objectives or constraints the
    rank tells which is better (see `merit`). What it has to beat grows better with every
    improvement, which is the paper's curriculum; its controller is left out, for candidates are the
    whole space, or mutations of the best and uniform draws.

    Args:
        members: Networks of the comparator.
        steps: Steps of each.
        guess: Whether pairs without labels join.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> CTNAS(steps=2).propose(History(problem, trials), seed=0).source
        'exhaustive'
    """

    name: ClassVar[str] = "ctnas"

    def __init__(self, *, members: int = 3, steps: int = 120, guess: bool = True) -> None:
        self.members, self.steps, self.guess = members, steps, guess

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < LEAST:
            return fresh_uniform(history, seed)
        x, sources = candidates(history, seed)
        if not len(x):
            return fresh_uniform(history, seed)
        value = merit(history)
        comparator = Comparator(
            history.problem.space,
            seed=seed,
            members=self.members,
            steps=self.steps,
            guess=self.guess,
        )
        comparator.fit(history.x, value)
        best = history.x[int(value.argmax())][None]
        chosen = int(comparator.beats(x, best)[:, 0].argmax())
        return Proposal(tuple(x[chosen].tolist()), sources[chosen])
