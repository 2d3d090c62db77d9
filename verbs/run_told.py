"""A run as reports see it: what `show` says of it, and what its storage knows besides."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from ..bo.problem import Problem
from ..bo.result import SearchResult
from ..bo.store import Run, RunConfig
from ..bo.trial import History
from .report_parts import written
from .search import show

__all__ = ["RunTold"]


@dataclass(frozen=True)
class RunTold:
    """A run, and what `show` says of it.

    Args:
        run: The run.
        result: Its result.
    """

    run: Run
    result: SearchResult

    @classmethod
    def of(cls, where: str | Path, storage: str | None = None) -> RunTold:
        """Reads a run.

        Args:
            where: As for `show`.
            storage: As for `show`.
        """
        return cls(Run.open(where, storage, writable=False), show(where, storage))

    @property
    def config(self) -> RunConfig:
        return self.run.config

    @property
    def problem(self) -> Problem:
        return self.result.problem

    @cached_property
    def history(self) -> History:
        return History(self.problem, self.result.trials)

    @cached_property
    def exact(self) -> dict[str, Float[Tensor, " t"]]:
        """Counts of all trials, by metrics that objectives and constraints name."""
        if not self.result.trials:
            return {}
        told = self.problem.exact(self.history.everything)
        return {name: told[name] for name in self.names if name in told}

    @cached_property
    def names(self) -> list[str]:
        """Metrics of objectives, then of constraints."""
        objectives = [entry.metric for entry in self.problem.objectives]
        return list(dict.fromkeys([*objectives, *self.problem.constraints.names]))

    def head(self, name: str) -> str:
        """The name of a metric with its unit."""
        return self.problem.metrics[name].head if name in self.problem.metrics else name

    def text(self, name: str, value: float) -> str:
        """A value with its unit."""
        unit = self.problem.metrics[name].unit if name in self.problem.metrics else ""
        return written(value, unit)

    @cached_property
    def baseline(self) -> float | None:
        """Mean objective of the random architectures that the search began with."""
        name = self.problem.objectives[0].metric
        drawn = [
            self.result.metrics(trial)[name]
            for trial in self.history.ok
            if trial.source == "initial"
        ]
        return sum(drawn) / len(drawn) if drawn else None
