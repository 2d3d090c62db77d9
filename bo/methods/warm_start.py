"""Bayesian optimisation on a new task of which earlier ones are known."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from jaxtyping import Int
from torch import Tensor

from ...encoders.tasks.probes import describe_probes, probe_design
from ...predictors.source_tasks import SourceTasks
from ..problem import Problem
from ..trial import History, Proposal
from .bayesian import BayesianOptimization

__all__ = ["WarmStart"]

# Evaluations that describe a task of which nothing is known.
PROBES = 10
# Where some cannot be evaluated, the next of so many times more; fewest probes, fewest tasks.
SPARE, FEWEST = 10, 3


class WarmStart(BayesianOptimization):
    """Starts from earlier tasks; a task that nothing describes is described by probes first.

    Unless there are fewer than three earlier tasks, among which labels tell soon enough.

    Args:
        tasks: Earlier tasks, with the description of the new one where there is one.
        metric: The metric of the probes.
        **options: As for `BayesianOptimization`.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.evaluators import NASBenchGraphTable
        >>> from vitruvius.predictors.source_tasks import task_of
        >>> cora = NASBenchGraphTable("cora")
        >>> others = [task_of(name, NASBenchGraphTable(name)) for name in ("cs", "photo", "arxiv")]
        >>> method = WarmStart(SourceTasks(others), "valid_perf")
        >>> problem = Problem.of(cora, maximize="valid_perf")
        >>> method.propose(History(problem, []), seed=0).source
        'probe'
    """

    name: ClassVar[str] = "transfer"

    def __init__(self, tasks: SourceTasks, metric: str, **options: Any) -> None:
        super().__init__(tasks=tasks, **options)
        self.metric = metric
        self._design: Tensor | None = None
        self._given = tasks.description is not None or len(tasks.having(metric)) < FEWEST

    def propose(self, history: History, seed: int) -> Proposal | None:
        if not self._given:
            space = history.problem.space
            probes = self._probes(history.problem)
            new = ~torch.isin(space.hashes(probes), history.proposed(None))
            if bool(new.any()):
                return Proposal(tuple(probes[new][0].tolist()), "probe")
        self.described(history)
        return super().propose(history, seed)

    def described(self, history: History) -> SourceTasks:
        """Describes all tasks by the probes that have a result, where nothing else does.

        Args:
            history: All trials.

        Returns:
            The earlier tasks, with what is now known of the new one.
        """
        if self._given:
            return self.tasks
        space, probes = history.problem.space, self._probes(history.problem)
        values = torch.full((len(probes),), math.nan, dtype=torch.float64)
        if len(history.ok):
            same = space.hashes(probes)[:, None] == space.hashes(history.x)
            done = same.any(1)
            values[done] = history.values[self.metric].double()[same.double().argmax(1)[done]]
        if int(values.isfinite().sum()) < FEWEST:
            return self.tasks
        description = describe_probes(values)
        if description != self.tasks.description:
            self.tasks = SourceTasks(
                [
                    task.described(describe_probes(task.scores(self.metric, probes)))
                    if self.metric in task.metrics
                    else task
                    for task in self.tasks
                ],
                description,
            )
            self._last = None
        return self.tasks

    def _probes(self, problem: Problem) -> Int[Tensor, "n V"]:
        """The first of a fixed design that can be evaluated."""
        if self._design is None:
            space = problem.space
            probes = probe_design(space, min(SPARE * PROBES, int(space.architecture_count)))
            probes = probes[problem.possible(probes)]
            whole = problem.whole()
            if whole is not None:
                probes = probes[torch.isin(space.hashes(probes), space.hashes(whole))]
            self._design = probes[:PROBES]
        return self._design
