"""Executor: what runs evaluations, and the one function that they all run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Protocol, get_args, runtime_checkable

from ...core.device import resolve_device
from ...evaluators import function, returned
from ...evaluators.context import Context
from ...evaluators.evaluation import Evaluation, Status
from ...evaluators.evaluator import Evaluator, evaluate_with
from ...evaluators.returned import number, numbers
from ...spaces import Space

__all__ = ["Executor", "Finished", "Report", "Task", "attempt", "failure"]

LONGEST_REASON = 500
# What these raise is about what came from elsewhere.
OURS = (Path(__file__), Path(returned.__file__), Path(function.__file__))

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
            architecture is not to blame, or its process died and goes on where it was.
        reason: Why there is none.
        judged: Whether the evaluator said what came of it. What it raised, or what ended it, may
            have another cause than the architecture.
    """

    position: int
    evaluation: Evaluation | None
    reason: str = ""
    judged: bool = False


@runtime_checkable
class Executor(Protocol):
    """Runs evaluations; a context manager that leaves nothing running behind.

    Attributes:
        running: How many tasks are submitted and not returned.
        free: How many more can start at once: workers that are ready and idle. A search claims no
            more, so that what it claims is evaluated.
        report: Takes intermediate values of what runs; set by whoever submits.

    One that knows how many threads of torch an evaluation has says so as `threads`; one that runs
    evaluations on other machines has a true `remote`.
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
        told, others = _checked(told, task)
    # A training script that calls sys.exit() ends its trial, not the search.
    except (Exception, SystemExit) as error:
        return failure(evaluator.space, task, _reason(error), time.perf_counter() - start)
    told = replace(told, seconds=told.seconds or time.perf_counter() - start)
    if context.stopped is not None and told.ok:
        reason = f"stopped early at step {context.stopped}"
        told = replace(told, status="pruned", reason=reason, metrics=context.metrics | told.metrics)
    elif told.ok and others:
        # Fails nothing unless it was asked for, which whoever asked finds out.
        told = replace(told, reason="; ".join(f"{name}: {why}" for name, why in others.items()))
    return Finished(task.position, told, judged=True)


def _checked(told: Evaluation, task: Task) -> tuple[Evaluation, dict[str, str]]:
    """The record of what an evaluator returned, and what of it was no number, with the reason."""
    if told.status not in get_args(Status):
        raise ValueError(f"the status {told.status!r} is none of {', '.join(get_args(Status))}")
    if told.fidelity not in (None, task.fidelity):
        asked = "in full" if task.fidelity is None else f"at {task.fidelity}"
        raise ValueError(f"it evaluated at the fidelity {told.fidelity}, not {asked}")
    metrics, others = numbers(told.metrics)
    told = replace(
        told,
        metrics=metrics,
        reason=str(told.reason or ""),
        fidelity=task.fidelity,
        seed=int(told.seed or task.seed),
        seconds=number(told.seconds),
    )
    return told, others


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
    last = Path((frame := traceback.extract_tb(error.__traceback__)[-1]).filename)
    where = "" if last in OURS else f" ({last.name}:{frame.lineno})"
    return f"{kind}{': ' if said else ''}{said}{where}"
