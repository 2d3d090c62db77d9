"""Processes: evaluations in worker processes of this machine, each of which may die."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from types import TracebackType
from typing import Any

from ...core.errors import UsageError
from ...evaluators.evaluator import Evaluator
from ...evaluators.reference import pickled
from ._worker import work
from .executor import Finished, Report, Task, failure
from .setting import Setting

__all__ = ["ProcessExecutor"]

# Children of a server that has imported torch once start in milliseconds; forks of this process
# would share its threads and locks.
START = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
# Seconds that a worker is given to end by itself.
GRACE = 2.0


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    ready: bool = False
    task: Task | None = None
    since: float = 0.0


class ProcessExecutor:
    """Evaluates in worker processes, each with its own copy of the evaluator.

    A worker that hangs is killed after ``timeout``, with the processes it started, and replaced, as
    is one that dies. What it evaluated has failed, unless the evaluator ``resumes``: then that is
    repeated. When this process ends, however it ends, workers end too (on Linux at once,
    elsewhere after their evaluation).

    Args:
        evaluator: The evaluator; pickled, functions and classes of ``__main__`` by value.
        workers: How many at the same time. Each gets its share of the cores for torch.
        timeout: Seconds after which an evaluation has failed.

    Raises:
        UsageError: For fewer than one worker, a timeout that is not positive, or an evaluator that
            cannot be sent to a worker.

    Attributes:
        threads: Threads of torch in each worker, once one is ready.
    """

    def __init__(
        self, evaluator: Evaluator, workers: int = 1, *, timeout: float | None = None
    ) -> None:
        if workers < 1:
            raise UsageError(f"`workers` must be at least 1, got {workers}.", "Give one or more.")
        if timeout is not None and not timeout > 0:
            raise UsageError(f"`timeout` must be positive, got {timeout}.", "Give seconds.")
        self.workers, self.timeout, self._space = workers, timeout, evaluator.space
        self._resumes = evaluator.resumes
        self.report: Report = lambda position, step, metrics: True
        try:
            self._evaluator = pickled(evaluator)
        except Exception as error:
            raise UsageError(
                f"The evaluator cannot be sent to another process: {error}.",
                "Open files and connections in `evaluate`, or use the serial executor.",
            ) from error
        self._context: Any = multiprocessing.get_context(START)
        if START == "forkserver":
            self._context.set_forkserver_preload([work.__module__])
        self._workers: list[_Worker] = []
        self.threads: int | None = None

    @property
    def running(self) -> int:
        return sum(worker.task is not None for worker in self._workers)

    @property
    def free(self) -> int:
        return sum(worker.ready and worker.task is None for worker in self._workers)

    def submit(self, task: Task) -> None:
        worker = next(entry for entry in self._workers if entry.ready and entry.task is None)
        worker.task, worker.since = task, time.monotonic()
        with contextlib.suppress(BrokenPipeError):  # the pipe's end tells it
            worker.pipe.send(task)

    def wait(self, seconds: float) -> Sequence[Finished]:
        done: list[Finished] = []
        until, free = time.monotonic() + seconds, self.free
        while True:
            while len(self._workers) < self.workers:
                self._start()
            left = min([until, *self._deadlines()]) - time.monotonic()
            signalled = wait([worker.pipe for worker in self._workers], max(left, 0.0))
            for worker in [entry for entry in self._workers if entry.pipe in signalled]:
                done += self._receive(worker)
            done += self._overdue()
            if done or self.free > free or time.monotonic() >= until:
                return done

    def _start(self) -> None:
        here, there = self._context.Pipe()
        setting = Setting.of_this_process(self.workers)
        with _without_main():
            process = self._context.Process(target=work, args=(there, setting))
            process.start()
        there.close()
        self._workers.append(_Worker(process, here))
        with contextlib.suppress(BrokenPipeError):
            here.send_bytes(self._evaluator)

    def _receive(self, worker: _Worker) -> list[Finished]:
        try:
            told = worker.pipe.recv()
        except (EOFError, ConnectionResetError):
            return self._died(worker)
        if not worker.ready:
            if isinstance(told, str):
                raise UsageError(
                    f"A worker could not load the evaluator: {told}.",
                    "Put its class or function in a module that workers can import.",
                )
            worker.ready, self.threads = True, told
            return []
        if not isinstance(told, Finished):
            with contextlib.suppress(BrokenPipeError):
                worker.pipe.send(self.report(*told))
            return []
        worker.task = None
        return [told]

    def _died(self, worker: _Worker) -> list[Finished]:
        worker.process.join(GRACE)
        code = worker.process.exitcode
        self._workers.remove(worker)
        self._end(worker)
        if not worker.ready:
            raise UsageError(
                f"A worker could not load the evaluator: {_cause(code)}.",
                "Does it fit into memory, once for each worker?"
                if code == -signal.SIGKILL
                else "What the worker wrote to stderr says more.",
            )
        if worker.task is None:
            return []
        if self._resumes:
            return [Finished(worker.task.position, None, _cause(code))]
        return [self._failed(worker, _cause(code))]

    def _deadlines(self) -> Iterator[float]:
        if self.timeout is not None:
            for worker in self._workers:
                if worker.task is not None:
                    yield worker.since + self.timeout

    def _overdue(self) -> list[Finished]:
        late = [
            worker
            for worker in self._workers
            if worker.task is not None
            and self.timeout is not None
            and time.monotonic() >= worker.since + self.timeout
        ]
        for worker in late:
            self._workers.remove(worker)
            self._end(worker)
        return [self._failed(worker, f"took longer than {self.timeout:g} s") for worker in late]

    def _failed(self, worker: _Worker, reason: str) -> Finished:
        assert worker.task is not None
        seconds = time.monotonic() - worker.since
        return failure(self._space, worker.task, reason, seconds)

    def _end(self, worker: _Worker) -> None:
        """Ends a worker and what it has started."""
        worker.pipe.close()
        if worker.task is None:
            worker.process.join(GRACE)
        assert worker.process.pid is not None
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(worker.process.pid, signal.SIGKILL)
        worker.process.kill()  # where it had not yet made itself a group
        worker.process.join()

    def __enter__(self) -> ProcessExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._workers:
            self._end(self._workers.pop())


def _cause(code: int | None) -> str:
    if code is None or code >= 0:
        return f"its worker ended with exit code {code}"
    name = signal.Signals(-code).name
    if -code == signal.SIGKILL:
        return f"its worker was killed by {name}, most likely because memory ran out"
    return f"its worker was killed by {name}"


@contextlib.contextmanager
def _without_main() -> Iterator[None]:
    """Keeps workers from running the user's script again, which would search in each of them.

    Nothing of ``__main__`` has to be imported there: the evaluator comes by value.
    """
    main = sys.modules["__main__"]
    hidden = {name: main.__dict__.pop(name) for name in ("__file__",) if name in main.__dict__}
    spec, main.__spec__ = main.__spec__, None
    try:
        yield
    finally:
        main.__dict__.update(hidden)
        main.__spec__ = spec
