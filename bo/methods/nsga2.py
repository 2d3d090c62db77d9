"""NSGA-II (Deb et al., IEEE Transactions on Evolutionary Computation 6, 2002)."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.seeding import make_generator
from ..ranking import rank
from ..trial import History, Proposal
from .neighbourhood import fresh_neighbours, fresh_uniform

__all__ = ["NSGA2"]

# A child that is known or impossible is bred again this often before its neighbours are taken.
ATTEMPTS = 32


class NSGA2:
    """Breeds generations from the least dominated and least crowded.

    A generation are ``population`` trials in order of their numbers; the first is drawn
    uniformly. Parents of the next are the best ``population`` of all that came before it and was
    measured. A child has two winners of binary tournaments as parents, takes every variable from
    either, and is then mutated to a random neighbour with the probability that at least one of V
    variables changes when each does with 1/V.

    With one objective it is a plain elitist genetic algorithm.

    Args:
        population: Size of a generation.
        crossover: Probability that a child has two parents.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params", maximize="depth")
        >>> rows = [(3, 3, 3, 3, 3, 3), (2, 2, 2, 2, 2, 2)]
        >>> found = [Evaluation(problem.space.architecture(row)) for row in rows]
        >>> trials = [Trial.of(i, evaluation) for i, evaluation in enumerate(found)]
        >>> NSGA2(population=2).propose(History(problem, trials), seed=0).source
        'crossover'
    """

    name: ClassVar[str] = "nsga2"

    def __init__(self, *, population: int = 20, crossover: float = 0.9) -> None:
        self.population, self.crossover = population, crossover

    def propose(self, history: History, seed: int) -> Proposal | None:
        born = len(history) // self.population * self.population
        before = History(history.problem, history.trials[:born])
        if not before.ok:
            return fresh_uniform(history, seed)
        generator = make_generator(seed)
        parents = before.x[rank(before).argsort(stable=True)[: self.population]]
        for _ in range(ATTEMPTS):
            child = self._child(history, parents, generator)
            found = history.fresh(child[None])
            if len(found):
                return Proposal(tuple(found[0].tolist()), "crossover")
        left = fresh_neighbours(history, child)
        if len(left):
            pick = torch.randint(len(left), (1,), generator=generator)
            return Proposal(tuple(left[int(pick)].tolist()), "mutation")
        return fresh_uniform(history, seed)

    def _child(
        self, history: History, parents: Int[Tensor, "P V"], generator: torch.Generator
    ) -> Int[Tensor, " V"]:
        space = history.problem.space
        # Parents stand in order, so that the smaller index wins.
        one, two = torch.randint(len(parents), (2, 2), generator=generator).amin(1)
        chance = torch.rand(2, generator=generator)
        child = parents[one]
        if chance[0] < self.crossover:
            child = space.crossover(parents[one, None], parents[two, None], generator)[0]
        variables = len(space.variables)
        if chance[1] < 1 - (1 - 1 / variables) ** variables:
            neighbours = space.neighbours(child)
            child = neighbours[int(torch.randint(len(neighbours), (1,), generator=generator))]
        return child
