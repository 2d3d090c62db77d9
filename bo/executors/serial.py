"""Serial: evaluations in this process, one after the other."""

from __future__ import annotations

import time
from collections.abc import Sequence
from types import TracebackType

import torch

from ...core.errors import UsageError
from ...core.output import talk_to_stderr
from ...evaluators.evaluator import Evaluator
from .executor import Finished, Report, Task, attempt

__all__ = ["SerialExecutor"]


class SerialExecutor:
    """Evaluates in this process, one at a time.

    For tables and for debugging: what kills the evaluator kills the search, and there is no
    time-out.

    Args:
        evaluator: The evaluator. What it prints goes to stderr.
        workers: 1.
        timeout: None.

    Raises:
        UsageError: For more workers, or a time limit.

    Example:
        >>> from ...evaluators import evaluator
        >>> from ...spaces import space
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> executor = SerialExecutor(cora)
        >>> executor.submit(Task(0, tuple(cora.rows[0].tolist())))
        >>> [(done.position, done.evaluation.status) for done in executor.wait(1.0)]
        [(0, 'ok')]
    """

    def __init__(
        self, evaluator: Evaluator, workers: int = 1, *, timeout: float | None = None
    ) -> None:
        if workers != 1:
            raise UsageError(
                f"The serial executor has one worker, {workers} were asked for.",
                "Use the process executor.",
            )
        if timeout is not None:
            raise UsageError(
                "The serial executor cannot end what takes too long.", "Use the process executor."
            )
        self._evaluator = evaluator
        self._tasks: list[Task] = []
        self.threads = torch.get_num_threads()
        self.report: Report = lambda position, step, metrics: True

    @property
    def running(self) -> int:
        return len(self._tasks)

    @property
    def free(self) -> int:
        return 1 - len(self._tasks)

    def submit(self, task: Task) -> None:
        self._tasks.append(task)

    def wait(self, seconds: float) -> Sequence[Finished]:
        if not self._tasks:
            time.sleep(seconds)
            return []
        with talk_to_stderr():
            finished = attempt(self._evaluator, self._tasks[0], self.report)
        del self._tasks[0]
        return [finished]

    def __enter__(self) -> SerialExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._tasks.clear()
