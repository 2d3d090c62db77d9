"""Regularized evolution (Real et al., AAAI 2019, arXiv 1802.01548)."""

from __future__ import annotations

from typing import ClassVar

import torch

from ...core.seeding import make_generator
from ..ranking import rank
from ..trial import History, Proposal
from .neighbourhood import fresh_neighbours, fresh_uniform

__all__ = ["RegularizedEvolution"]


class RegularizedEvolution:
    """Mutates the best of a random few of the youngest.

    1. Until ``population`` trials are measured or being measured, draw uniformly.
    2. The population are the youngest of what was measured.
    3. Draw ``tournament`` of them; the best is the parent.
    4. Propose a random new neighbour of the parent; where all are known, try the next best.

    Args:
        population: Number of the youngest that may be parents.
        tournament: How many compete to be the parent.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params")
        >>> start = Trial.of(0, Evaluation(problem.space.architecture((3, 3, 3, 3, 3, 3))))
        >>> RegularizedEvolution(population=1).propose(History(problem, [start]), seed=0).source
        'mutation'
    """

    name: ClassVar[str] = "evolution"

    def __init__(self, *, population: int = 30, tournament: int = 10) -> None:
        self.population, self.tournament = population, tournament

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) + len(history.running) < self.population or not history.ok:
            return fresh_uniform(history, seed)
        generator = make_generator(seed)
        youngest = torch.arange(len(history.ok))[-self.population :]
        drawn = youngest[torch.randperm(len(youngest), generator=generator)][: self.tournament]
        for parent in drawn[rank(history)[drawn].argsort(stable=True)]:
            left = fresh_neighbours(history, history.x[parent])
            if len(left):
                pick = torch.randint(len(left), (1,), generator=generator)
                return Proposal(tuple(left[int(pick)].tolist()), "mutation")
        return fresh_uniform(history, seed)
