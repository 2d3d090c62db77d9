"""Search by boosted trees (GBDT-NAS, Luo et al., arXiv 2007.04785)."""

from __future__ import annotations

from typing import ClassVar

from ...predictors import Boosting
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import candidates, fresh_uniform

__all__ = ["BoostingSearch"]

# A predictor takes no fewer labels.
LEAST = 3


class BoostingSearch:
    """Proposes where boosted trees see the highest upper confidence bound.

    1. Fit a bagged ensemble of boosted trees to what was measured (see
       `vitruvius.predictors.Boosting`); with several objectives or constraints, to the rank
       (see `merit`).
    2. Score the whole space where it can be listed, else mutations of the best and uniform draws.
    3. Propose the highest mean plus ``beta`` standard deviations.

    Args:
        beta: Weight of the standard deviation.
        members: Boosters in the ensemble.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> BoostingSearch(members=2).propose(History(problem, trials), seed=0).source
        'exhaustive'
    """

    name: ClassVar[str] = "boosting"

    def __init__(self, *, beta: float = 1.0, members: int = 4) -> None:
        self.beta, self.members = beta, members

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < LEAST:
            return fresh_uniform(history, seed)
        x, sources = candidates(history, seed)
        if not len(x):
            return fresh_uniform(history, seed)
        trees = Boosting(history.problem.space, seed=seed, members=self.members)
        mean, std = trees.fit(history.x, merit(history)).predict_scores(x)
        best = int((mean + self.beta * std).argmax())
        return Proposal(tuple(x[best].tolist()), sources[best])
