"""Executor: what runs evaluations, and the one function that they all run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, runtime_checkable

from ...core.device import resolve_device
from ...evaluators.context import Context
from ...evaluators.evaluation import Evaluation
from ...evaluators.evaluator import Evaluator, evaluate_with
from ...spaces import Space

__all__ = ["Executor", "Finished", "Report", "Task", "attempt", "failure"]

LONGEST_REASON = 500

Report = Callable[[int, int, Mapping[str, float]], bool]
"""Takes a task's position, a step and intermediate values; tells whether to go on."""


@dataclass(frozen=True)
class Task:
    """One evaluation to run.

    Args:
        position: Position of the trial; at most one task of a position runs at a time.
        row: Choice indices.
        fidelity: As for `Evaluator.evaluate`.
        seed: As for `Evaluator.evaluate`.
        folder: Folder of its own for checkpoints; None where the run keeps none.
        timeout: Seconds that it may take; None for any.
    """

    position: int
    row: tuple[int, ...]
    fidelity: int | None = None
    seed: int = 0
    folder: str | None = None
    timeout: float | None = None


@dataclass(frozen=True)
class Finished:
    """What came of a task.

    Args:
        position: Position of the trial.
        evaluation: What was measured; None where its machine went away, for which the
            architecture is not to blame.
        reason: Why there is none.
    """

    position: int
    evaluation: Evaluation | None
    reason: str = ""


@runtime_checkable
class Executor(Protocol):
    """Runs evaluations; a context manager that leaves nothing running behind.

    Attributes:
        running: How many tasks are submitted and not returned.
        free: How many more can start at once: workers that are ready and idle. A search claims no
            more, so that what it claims is evaluated.
        report: Takes intermediate values of what runs; set by whoever submits.
    """

    report: Report

    @property
    def running(self) -> int: ...

    @property
    def free(self) -> int: ...

    def submit(self, task: Task) -> None:
        """Starts a task; call it while `free` is not 0."""

    def wait(self, seconds: float) -> Sequence[Finished]:
        """Starts workers where some are missing, and waits.

        Returns what has finished as soon as anything has; nothing when another worker is free, or
        after some time.

        An evaluator that raises, hangs or dies gives a ``"failed"`` result, never an error here.
        """

    def __enter__(self) -> Executor: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...


def attempt(evaluator: Evaluator, task: Task, report: Report) -> Finished:
    """Evaluates; whatever the evaluator raises becomes the reason of a failure.

    Args:
        evaluator: The evaluator.
        task: The task.
        report: Takes intermediate values.
    """
    start = time.perf_counter()
    context = Context(
        device=str(resolve_device()),
        folder=None if task.folder is None else Path(task.folder),
        deadline=None if task.timeout is None else time.time() + task.timeout,
        reporter=lambda step, metrics: report(task.position, step, metrics),
    )
    try:
        told = evaluate_with(evaluator, task.row, task.fidelity, task.seed, context)
        metrics = {str(name): float(value) for name, value in told.metrics.items()}
    # A training script that calls sys.exit() ends its trial, not the search.
    except (Exception, SystemExit) as error:
        return failure(evaluator.space, task, _reason(error), time.perf_counter() - start)
    told = replace(
        told,
        metrics=metrics,
        fidelity=task.fidelity,
        seed=task.seed,
        seconds=told.seconds or time.perf_counter() - start,
    )
    if context.stopped is not None and told.ok:
        reason = f"stopped early at step {context.stopped}"
        told = replace(told, status="pruned", reason=reason, metrics=context.metrics | metrics)
    return Finished(task.position, told)


def failure(space: Space, task: Task, reason: str, seconds: float) -> Finished:
    """Makes what came of a task that failed.

    Args:
        space: The space of the architecture.
        task: What failed.
        reason: The reason of the failure.
        seconds: How long that took.
    """
    return Finished(
        task.position,
        Evaluation(
            space.architecture(task.row),
            status="failed",
            reason=reason,
            fidelity=task.fidelity,
            seed=task.seed,
            seconds=seconds,
        ),
    )


def _reason(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        kind = "out of memory: MemoryError"
    said = " ".join(str(error).split())[:LONGEST_REASON]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{kind}{': ' if said else ''}{said} ({Path(last.filename).name}:{last.lineno})"
