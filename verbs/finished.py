"""Finished runs: what they have measured, and what they teach about the next task."""

from __future__ import annotations

from pathlib import Path

import torch

from ..bo.problem import Problem
from ..bo.store import Run, RunConfig, SourceConfig, TrialLog
from ..bo.trial import Trial
from ..core.errors import UsageError
from ..core.torch_state import own_torch_state
from ..evaluators.function import metrics_named
from ..evaluators.metric import metric_of
from ..predictors.source_task import SourceTask
from ..spaces import Space

__all__ = ["finished_trials", "named_problem", "source_of_run", "task_of_source", "warm_start_task"]


@own_torch_state()
def warm_start_task(space: Space, run: str | Path) -> SourceTask:
    """Makes a source task of a run.

    Args:
        space: The space.
        run: The folder of a run on it.

    Raises:
        UsageError: Where there is no such run, or it is of another space or too short.
    """
    return task_of_source(space, source_of_run(space, run))


def task_of_source(space: Space, source: SourceConfig) -> SourceTask:
    """Makes a source task of labels that were kept.

    Args:
        space: The space.
        source: The labels.
    """
    values = {
        name: torch.tensor(column, dtype=torch.float64) for name, column in source.values.items()
    }
    rows = torch.tensor(source.rows)
    return SourceTask(source.name, space, rows, values, lower=source.lower)


def source_of_run(space: Space, run: str | Path) -> SourceConfig:
    """Returns what a run has measured, of every metric that all its results have.

    Args:
        space: The space.
        run: The folder of a run on it.
    """
    done = finished_trials(space, run)
    config = Run.open(run, writable=False).config
    maximize, minimize = (
        metrics_named(space, config.maximize),
        metrics_named(space, config.minimize),
    )
    shared = set.intersection(*(set(t.metrics) for t in done)) if done else set()
    return SourceConfig(
        name=str(run),
        rows=tuple(t.proposal.row for t in done),
        values={name: tuple(t.metrics[name] for t in done) for name in sorted(shared)},
        lower=tuple(
            name
            for name in sorted(shared)
            if name in minimize or (name not in maximize and metric_of(name).better == "lower")
        ),
    )


@own_torch_state()
def finished_trials(space: Space, run: str | Path, storage: str | None = None) -> list[Trial]:
    """Returns what a run has measured in full, whatever made it.

    Args:
        space: The space that it is on.
        run: Its folder, or with ``storage`` its name there.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such run, or it is of another space.
    """
    opened = Run.open(run, storage, writable=False)
    config = opened.config
    if config.space.partition(":")[0] != space.name:
        raise UsageError(
            f"{run} is a run on {config.space}, not {space.name}.", "Give runs on the same space."
        )
    config = config.model_copy(update={"where": ""})
    problem = named_problem(config, space)
    trials = [entry.trial for entry in TrialLog(opened, problem).read()]
    return [t for t in trials if t.status == "ok" and t.fidelity is None]


def named_problem(config: RunConfig, space: Space) -> Problem:
    """Returns the problem of a run as far as it can be told without an evaluator.

    Args:
        config: The run's configuration.
        space: Its space.
    """
    named = ", ".join((config.maximize, config.minimize, config.where))
    return Problem(
        space,
        metrics_named(space, named),
        maximize=config.maximize,
        minimize=config.minimize,
        where=config.where,
    )
