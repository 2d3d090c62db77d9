"""Failures on a cluster: played by a stand-in, and, where it may take long, by Ray itself."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest

from vitruvius.bo.executors import Finished, Task, executor, ray as module
from vitruvius.bo.executors.ray import RayExecutor
from vitruvius.bo.methods import method
from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.store import Run, RunConfig
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, NASBenchGraphTable
from vitruvius.spaces import space
from vitruvius.verbs import search as searching

cloudpickle.register_pickle_by_value(sys.modules[__name__])


class Slow(NASBenchGraphTable):
    def evaluate(self, architecture, fidelity=None, seed=0) -> Evaluation:  # type: ignore[no-untyped-def]
        time.sleep(0.3)
        return super().evaluate(architecture, fidelity, seed)


@pytest.mark.slow
def test_two_nodes_of_which_one_is_killed() -> None:
    ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")
    from ray.cluster_utils import Cluster

    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    doomed = cluster.add_node(num_cpus=2)
    ray.init(address=cluster.address, log_to_driver=False)
    try:
        problem = Problem.of(Slow("cora"), maximize="valid_perf")
        config = RunConfig(space="nas-bench-graph", batch=4, seed=7)
        search = Search(problem, method("local-search"), Run.in_memory(config, problem.objectives))
        made = executor("ray", Slow("cora"), 4)
        search.run(12, executor=made)
        made = executor("ray", Slow("cora"), 4)
        record, lost = search._record, []

        def kill_after_a_while(finished):  # type: ignore[no-untyped-def]
            if finished.position == 20:
                cluster.remove_node(doomed, allow_graceful=False)
            if finished.evaluation is None:
                lost.append(finished)
            record(finished)

        search._record = kill_after_a_while  # type: ignore[method-assign]
        result = search.run(40, executor=made)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost, "trials ran on the node that was killed"
    assert [trial.status for trial in result.trials] == ["ok"] * 40
    assert len({trial.proposal.row for trial in result.trials}) == 40
    straight = searching.search(
        "nas-bench-graph", evaluator="cora", maximize="valid_perf", method="local-search",
        budget=40, batch=4, seed=7,
    )  # fmt: skip
    assert [t.proposal for t in result.trials] == [t.proposal for t in straight.trials]


class ActorError(Exception):
    actor_init_failed = False


class DiedError(ActorError): ...


class UnavailableError(ActorError): ...


class BrokenError(ActorError):
    actor_init_failed = True


class StandIn:
    """Ray, as far as the executor asks for it; an evaluation ends as ``outcome`` says.

    A reference is a list of its value, or of the error that getting it raises; empty, it is never
    ready.
    """

    exceptions = SimpleNamespace(
        RayActorError=ActorError,
        ActorDiedError=DiedError,
        ActorUnavailableError=UnavailableError,
        GetTimeoutError=TimeoutError,
    )

    def __init__(self, outcome: Callable[[Task], list[Any]], home: Any = "here") -> None:
        self.outcome, self.home = outcome, home
        self.killed, self.reports, self.alive = 0, [(0, 1, {"a": 1.0}), None], ["here"]

    def is_initialized(self) -> bool:
        return True

    def put(self, value: Any) -> Any:
        return value

    def remote(self, kind: type) -> Any:
        def call(answer: Callable[..., Any]) -> Any:
            return SimpleNamespace(remote=lambda *given: Reference(answer(*given)))

        def actor(evaluator: bytes) -> Any:
            reports = iter(self.reports)
            return SimpleNamespace(
                node=call(lambda: [self.home]),
                evaluate=call(self.outcome),
                next_report=call(lambda: [next(reports)]),
                answer=call(lambda go_on: []),
            )

        return SimpleNamespace(options=lambda **kwargs: SimpleNamespace(remote=actor))

    def wait(self, references: list[Any], num_returns: int, timeout: float) -> Any:
        ready = [each for each in references if each.value][:num_returns]
        if not ready:
            time.sleep(timeout)
        return ready, []

    def get(self, reference: Any, timeout: float = 0.0) -> Any:
        if isinstance(reference.value[0], Exception):
            raise reference.value[0]
        return reference.value[0]

    def nodes(self) -> list[dict[str, Any]]:
        return [{"NodeID": name, "Alive": True} for name in self.alive]

    def kill(self, handle: Any) -> None:
        self.killed += 1


class Reference:
    def __init__(self, value: list[Any]) -> None:
        self.value = value


def play(monkeypatch: pytest.MonkeyPatch, ray: StandIn, **options: Any) -> Finished:
    monkeypatch.setattr(module, "optional_import", lambda name, extra: ray)
    with RayExecutor(NASBenchGraphTable("cora"), **options) as made:
        while not made.free:
            made.wait(0.01)
        made.submit(Task(3, space("nas-bench-graph").example))
        assert (made.running, made.free) == (1, 0)
        while not (done := made.wait(0.05)):
            pass
        assert made.running == 0
    return done[0]


def test_reports_are_answered_and_results_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = StandIn(lambda task: [Finished(task.position, None, "for the test")])
    assert play(monkeypatch, ray) == Finished(3, None, "for the test")
    assert ray.killed == 1, "no actor is left"


def test_a_dead_actor_fails_its_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    done = play(monkeypatch, StandIn(lambda task: [DiedError()]))
    assert done.evaluation is not None
    assert done.evaluation.status == "failed"
    assert "memory ran out" in done.evaluation.reason


def test_a_machine_that_went_away_is_not_to_blame(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = StandIn(lambda task: [DiedError()])
    ray.alive = ["there"]
    assert play(monkeypatch, ray) == Finished(3, None, "its machine went away")


def test_what_takes_too_long_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    ray = StandIn(lambda task: [])
    done = play(monkeypatch, ray, timeout=0.05)
    assert done.evaluation is not None
    assert done.evaluation.reason == "took longer than 0.05 s"
    assert ray.killed == 1


def test_an_evaluator_that_no_actor_can_load(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="could not load the evaluator: no module"):
        play(monkeypatch, StandIn(lambda task: [], home=BrokenError("trace\nno module")))


@pytest.mark.parametrize("options", [{"workers": 0}, {"timeout": 0.0}])
def test_numbers_out_of_range(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(options))):
        RayExecutor(NASBenchGraphTable("cora"), **options)
