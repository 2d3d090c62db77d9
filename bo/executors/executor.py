"""Executor: what runs evaluations, and the one function that they all run."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol, runtime_checkable

from ...evaluators.evaluation import Evaluation
from ...evaluators.evaluator import Evaluator

__all__ = ["Executor", "Finished", "Task", "attempt"]

LONGEST_REASON = 500


@dataclass(frozen=True)
class Task:
    """One evaluation to run.

    Args:
        position: Whose it is; at most one per position runs at a time.
        row: Choice indices.
        fidelity: As for `Evaluator.evaluate`.
        seed: As for `Evaluator.evaluate`.
    """

    position: int
    row: tuple[int, ...]
    fidelity: int | None = None
    seed: int = 0


@dataclass(frozen=True)
class Finished:
    """What came of a task.

    Args:
        position: Whose it is.
        status: As of an `Evaluation`, or ``"lost"`` where its machine went away, for which the
            architecture is not to blame.
        metrics: What was measured.
        reason: Why it is not ``"ok"``.
        seconds: What the evaluation says that it cost, or how long it took.
    """

    position: int
    status: Literal["ok", "failed", "pruned", "lost"]
    metrics: dict[str, float] = field(default_factory=dict)
    reason: str = ""
    seconds: float = 0.0


@runtime_checkable
class Executor(Protocol):
    """Runs evaluations; a context manager that leaves nothing running behind.

    Attributes:
        running: How many tasks are submitted and not returned.
        free: How many more can start at once: workers that are ready and idle. A search claims no
            more, so that what it claims is evaluated.
    """

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


def attempt(evaluator: Evaluator, task: Task) -> Finished:
    """Evaluates; whatever the evaluator raises becomes the reason of a failure.

    Args:
        evaluator: Who evaluates.
        task: What.
    """
    start = time.perf_counter()
    try:
        told = evaluator.evaluate(task.row, task.fidelity, task.seed)
        if not isinstance(told, Evaluation):
            raise TypeError(f"the evaluator returned {type(told).__name__}, not an Evaluation")
        metrics = {str(name): float(value) for name, value in told.metrics.items()}
    # A training script that calls sys.exit() ends its trial, not the search.
    except (Exception, SystemExit) as error:
        return Finished(
            task.position, "failed", reason=_reason(error), seconds=time.perf_counter() - start
        )
    seconds = told.seconds or time.perf_counter() - start
    return Finished(task.position, told.status, metrics, told.reason, seconds)


def _reason(error: BaseException) -> str:
    kind = type(error).__name__
    if isinstance(error, MemoryError):
        kind = "out of memory: MemoryError"
    said = " ".join(str(error).split())[:LONGEST_REASON]
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{kind}{': ' if said else ''}{said} ({Path(last.filename).name}:{last.lineno})"
