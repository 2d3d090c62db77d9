"""Ray: evaluations on the machines of a Ray cluster."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from queue import Queue
from types import TracebackType
from typing import Any

import cloudpickle

from ...core.errors import UsageError
from ...core.optional import optional_import
from ...evaluators.evaluator import Evaluator
from ...evaluators.reference import code_of_files
from .executor import Finished, Report, Task, attempt, failure

__all__ = ["RayExecutor"]


# Seconds to wait for what should be there.
SOON = 5.0


@dataclass
class _Actor:
    handle: Any
    home: Any
    task: Task | None = None
    result: Any = None
    mail: Any = None
    started: bool = False
    since: float = 0.0


class RayExecutor:
    """Evaluates in actors of Ray (arXiv 1712.05889), each with its own copy of the evaluator.

    Connects to the cluster that ``RAY_ADDRESS`` names, or starts Ray on this machine. An actor
    that hangs is killed after ``timeout``; one that dies is replaced, and its trial has failed; one
    whose machine went away is replaced too, and its trial is to be run again.

    Args:
        evaluator: The evaluator.
        workers: How many at the same time.
        timeout: Seconds after which an evaluation has failed.
        resources: What an actor needs, as options of ``ray.remote``, e.g. ``{"num_gpus": 1}``.

    Raises:
        UsageError: For fewer than one worker or a timeout that is not positive.
        MissingExtraError: Where Ray is not installed.
    """

    # Evaluations may run on other machines than this one.
    remote = True

    def __init__(
        self,
        evaluator: Evaluator,
        workers: int = 1,
        *,
        timeout: float | None = None,
        resources: dict[str, Any] | None = None,
    ) -> None:
        if workers < 1:
            raise UsageError(f"`workers` must be at least 1, got {workers}.", "Give one or more.")
        if timeout is not None and not timeout > 0:
            raise UsageError(f"`timeout` must be positive, got {timeout}.", "Give seconds.")
        self.workers, self.timeout, self._space = workers, timeout, evaluator.space
        self.report: Report = lambda position, step, metrics: True
        self._ray = optional_import("ray", extra="ray")
        self._mine = not self._ray.is_initialized()
        if self._mine:
            # Without an address Ray would also join what an earlier program left behind.
            self._ray.init(os.environ.get("RAY_ADDRESS", "local"), log_to_driver=False)
        # By our own pickler, with the code of files that other machines cannot import.
        with code_of_files():
            self._evaluator = self._ray.put(cloudpickle.dumps(evaluator))
        # One more restart of an actor would evaluate a second time without our knowing.
        options = {"num_cpus": 1, "max_restarts": 0, "max_task_retries": 0, **(resources or {})}
        # One evaluates, the others carry its reports and the answers to them.
        options["max_concurrency"] = 3
        self._class = self._ray.remote(_Evaluating).options(**options)
        self._actors: list[_Actor] = []

    @property
    def running(self) -> int:
        return sum(actor.task is not None for actor in self._actors)

    @property
    def free(self) -> int:
        return sum(actor.started and actor.task is None for actor in self._actors)

    def submit(self, task: Task) -> None:
        actor = next(entry for entry in self._actors if entry.started and entry.task is None)
        actor.task, actor.since = task, time.monotonic()
        actor.result = actor.handle.evaluate.remote(task)
        actor.mail = actor.handle.next_report.remote()

    def wait(self, seconds: float) -> Sequence[Finished]:
        done: list[Finished] = []
        until, free = time.monotonic() + seconds, self.free
        while True:
            # The cluster may have no place for some of them; the others do not wait for those.
            while len(self._actors) < self.workers:
                handle = self._class.remote(self._evaluator)
                self._actors.append(_Actor(handle, handle.node.remote()))
            busy = [actor for actor in self._actors if actor.task is not None]
            awaited = {actor.result: actor for actor in busy}
            awaited |= {actor.mail: actor for actor in busy if actor.mail is not None}
            awaited |= {actor.home: actor for actor in self._actors if not actor.started}
            left = min([until, *(d for a in busy if (d := self._deadline(a)))]) - time.monotonic()
            if awaited:
                ready, _ = self._ray.wait(list(awaited), num_returns=1, timeout=max(left, 0.0))
                for reference in ready:
                    done += self._received(awaited[reference], reference)
            else:
                time.sleep(max(left, 0.0))
            done += self._overdue()
            if done or self.free > free or time.monotonic() >= until:
                return done

    def _received(self, actor: _Actor, reference: Any) -> list[Finished]:
        try:
            if not actor.started:
                self._ray.get(actor.home)
                actor.started = True
                return []
            if reference == actor.mail:
                told, actor.mail = self._ray.get(actor.mail), None
                if told is not None:
                    actor.handle.answer.remote(self.report(*told))
                    actor.mail = actor.handle.next_report.remote()
                return []
            finished = self._ray.get(actor.result)
        except self._ray.exceptions.RayActorError as error:
            if error.actor_init_failed:
                raise UsageError(
                    f"An actor could not load the evaluator: {str(error).splitlines()[-1]}.",
                    "Install what it imports on every machine.",
                ) from error
            found = [self._died(actor, error)] if actor.task is not None else []
            self._drop(actor)
            return found
        actor.task = actor.mail = None
        return [finished]

    def _died(self, actor: _Actor, error: Exception) -> Finished:
        assert actor.task is not None
        seconds = time.monotonic() - actor.since
        if isinstance(error, self._ray.exceptions.ActorUnavailableError):
            # The cluster may not have noticed yet whether actor or machine died.
            try:
                self._ray.get(actor.handle.node.remote(), timeout=SOON)
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.GetTimeoutError) as e:
                error = e
        if not isinstance(error, self._ray.exceptions.ActorDiedError) or self._stranded(actor):
            return Finished(actor.task.position, None, "its machine went away")
        reason = "its worker was killed, most likely because memory ran out, or crashed"
        return failure(self._space, actor.task, reason, seconds)

    def _stranded(self, actor: _Actor) -> bool:
        """Whether the machine of an actor is no more."""
        home = self._ray.get(actor.home, timeout=SOON)
        return home not in {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _deadline(self, actor: _Actor) -> float | None:
        if self.timeout is None:
            return None
        return actor.since + self.timeout

    def _overdue(self) -> list[Finished]:
        late = [
            actor
            for actor in self._actors
            if actor.task and (end := self._deadline(actor)) and time.monotonic() >= end
        ]
        done = []
        for actor in late:
            assert actor.task is not None
            self._drop(actor)
            reason = f"took longer than {self.timeout:g} s"
            seconds = time.monotonic() - actor.since
            done.append(failure(self._space, actor.task, reason, seconds))
        return done

    def _drop(self, actor: _Actor) -> None:
        self._actors.remove(actor)
        self._ray.kill(actor.handle)

    def __enter__(self) -> RayExecutor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        while self._actors:
            self._drop(self._actors[-1])
        if self._mine:
            self._ray.shutdown()


class _Evaluating:
    """What runs in an actor."""

    def __init__(self, evaluator: bytes) -> None:
        self._evaluator: Evaluator = cloudpickle.loads(evaluator)
        self._reports: Queue[tuple[int, int, dict[str, float]] | None] = Queue()
        self._answers: Queue[bool] = Queue()

    def node(self) -> str:
        ray = optional_import("ray", extra="ray")
        return str(ray.get_runtime_context().get_node_id())

    def evaluate(self, task: Task) -> Finished:
        try:
            return attempt(self._evaluator, task, self._report)
        finally:
            self._reports.put(None)

    def next_report(self) -> tuple[int, int, dict[str, float]] | None:
        """Waits for the next report, or None once the evaluation is over."""
        return self._reports.get()

    def answer(self, go_on: bool) -> None:
        self._answers.put(go_on)

    def _report(self, position: int, step: int, metrics: Mapping[str, float]) -> bool:
        self._reports.put((position, step, dict(metrics)))
        return self._answers.get()
