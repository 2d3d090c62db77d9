"""The log on every kind of storage: claims, results, interruptions, races."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from vitruvius.bo.problem import Problem
from vitruvius.bo.store import Entry, Run, RunConfig, TrialLog, state_of
from vitruvius.bo.store.log import ATTEMPTS
from vitruvius.bo.trial import Proposal, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.evaluators.evaluation import Status
from vitruvius.spaces import space

CELLS = space("nasbench201")
PROBLEM = Problem(
    CELLS,
    {"accuracy": Metric("accuracy", "%", "higher")},
    maximize="accuracy",
    minimize="params",
    where="params<=1M",
)
CONFIG = RunConfig(space=CELLS.name, maximize="accuracy", minimize="params", budget=10)
ROWS = [tuple(row) for row in CELLS.sample(200, 0).unique(dim=0).tolist()]

Open = Callable[[], TrialLog]


@pytest.fixture(params=["memory", "sqlite", "journal"])
def open_log(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens the same run again and again, as other processes do."""
    if request.param == "memory":
        run = Run.in_memory(CONFIG, PROBLEM.objectives)
        return lambda: TrialLog(run, PROBLEM)
    if request.param == "sqlite":
        place = (tmp_path / "run", None)
    else:
        place = ("shared", f"journal://{tmp_path}/journal.log")
    return lambda: TrialLog(Run.create(CONFIG, PROBLEM.objectives, *place), PROBLEM)


def evaluation(row: int, metrics: dict[str, float], **options: Any) -> Evaluation:
    return Evaluation(CELLS.architecture(ROWS[row]), metrics, **options)


def result(entry: Entry, metrics: dict[str, float], status: Status = "ok") -> Evaluation:
    return Evaluation(CELLS.architecture(entry.trial.proposal.row), metrics, status)


def reaped(log: TrialLog) -> int:
    log.read()
    return log.reap()


def claimed(log: TrialLog, position: int, **options: int) -> Trial:
    entry = log.claim(position, Proposal(ROWS[position], "test"), **options)
    assert entry is not None
    return entry.trial


def test_what_is_written_is_read_by_others(open_log: Open) -> None:
    log = open_log()
    told = [
        Trial.of(0, evaluation(0, {"accuracy": 93.25}, seconds=1.5, seed=7)),
        Trial.of(1, evaluation(1, {"accuracy": 80.0}, fidelity=12), "bo"),
        Trial.of(2, evaluation(2, {"accuracy": 1.0}, status="failed", reason="nan"), "bo"),
        Trial.of(3, evaluation(3, {}, status="pruned", reason="hopeless"), "bo"),
        Trial(4, Proposal(ROWS[4], "bo")),
    ]
    for trial in told:
        entry = log.claim(trial.number, trial.proposal, rejected=trial.number)
        assert entry is not None
        if trial.evaluation is not None:
            assert log.finish(entry, trial.evaluation)
    read = open_log().read()
    assert [entry.trial for entry in read] == told
    assert [entry.rejected for entry in read] == [0, 1, 2, 3, 4]
    state = state_of(open_log().run)
    assert (state.evaluated, state.failed, state.budget) == (4, 1, 10)
    assert state.best.keys() <= {"accuracy", "params"}


def test_optuna_sees_choices_values_and_states(tmp_path: Path) -> None:
    log = TrialLog(Run.create(CONFIG, PROBLEM.objectives, tmp_path / "run"), PROBLEM)
    entry = log.claim(0, Proposal(ROWS[0], "initial"))
    assert entry is not None
    log.finish(entry, result(entry, {"accuracy": 93.25}))
    import optuna

    study = optuna.load_study(study_name="run", storage=f"sqlite:///{tmp_path}/run/run.sqlite")
    trial = study.trials[0]
    assert trial.params == {
        v.name: v.choices[i] for v, i in zip(CELLS.variables, ROWS[0], strict=True)
    }
    assert [way.name for way in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    assert study.metric_names == ["accuracy", "params"]
    params = float(CELLS.statistics(CELLS.rows([CELLS.to_string(ROWS[0])]))["params"])
    assert trial.values == [93.25, params]


def test_one_result_counts(open_log: Open) -> None:
    log, other = open_log(), open_log()
    entry = log.claim(0, Proposal(ROWS[0], "test"))
    assert entry is not None
    assert other.finish(entry, result(entry, {"accuracy": 1.0}))
    assert not log.finish(entry, result(entry, {"accuracy": 2.0}))
    assert not log.interrupt(entry, "late")
    assert [e.trial.metrics for e in log.read()] == [{"accuracy": 1.0}]


def test_an_interrupted_attempt_is_due_again_and_its_late_result_is_refused(
    open_log: Open,
) -> None:
    log = open_log()
    first = log.claim(0, Proposal(ROWS[0], "test"))
    assert first is not None
    assert log.interrupt(first, "stopped")
    (entry,) = open_log().read()
    assert (entry.interrupted, entry.trial.done, entry.vanished) == (True, False, 0)
    second = log.claim(0, entry.trial.proposal, attempt=1)
    assert second is not None
    assert not log.finish(first, result(first, {"accuracy": 1.0}))
    assert log.finish(second, result(second, {"accuracy": 2.0}))
    (entry,) = open_log().read()
    assert (entry.attempt, entry.trial.metrics) == (1, {"accuracy": 2.0})


def test_what_makes_processes_vanish_is_given_up(open_log: Open) -> None:
    log = open_log()
    for attempt in range(ATTEMPTS):
        assert not attempt or log.read()[0].interrupted
        entry = log.claim(0, Proposal(ROWS[0], "test"), attempt=attempt)
        assert entry is not None
        log.interrupt(entry, "gone", vanished=True)
    (entry,) = open_log().read()
    assert (entry.interrupted, entry.trial.status) == (False, "failed")
    assert "vanished" in entry.trial.reason


def test_rows_of_the_dead_are_taken_over_and_those_of_the_living_are_not(open_log: Open) -> None:
    log, other = open_log(), open_log()
    with log.alive():
        claimed(log, 0)
        assert reaped(other) == 0
    assert reaped(other) == 1
    assert other.read()[0].interrupted


def test_the_silent_on_another_machine_are_dead_after_the_grace(
    open_log: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = open_log()
    other = TrialLog(open_log().run, PROBLEM, grace=0.2)
    log.owner = type(log.owner)("elsewhere", 1, "1", "token")
    claimed(log, 0)
    log.run.beat(log.owner)
    assert reaped(other) == 0
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 0.3)
    log.run.beat(log.owner)
    assert reaped(other) == 0, "a new heartbeat"
    monkeypatch.setattr(time, "monotonic", lambda: clock() + 1.3)
    assert reaped(other) == 1


def test_what_a_person_evaluates_never_vanishes(open_log: Open) -> None:
    log = open_log()
    assert log.claim(0, Proposal(ROWS[0], "test"), asked=True)
    other = open_log()
    assert reaped(other) == 0
    assert other.read()[0].asked


def test_of_many_who_claim_a_position_one_gets_it(open_log: Open) -> None:
    logs = [open_log() for _ in range(6)]
    barrier, won = threading.Barrier(6), []

    def race(log: TrialLog, own: int) -> None:
        for position in range(4):
            barrier.wait()
            if log.claim(position, Proposal(ROWS[10 * position + own], "test")):
                won.append((position, own))

    threads = [threading.Thread(target=race, args=(log, i)) for i, log in enumerate(logs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(position for position, _ in won) == [0, 1, 2, 3]
    expected = [ROWS[10 * position + own] for position, own in sorted(won)]
    for log in logs:
        assert [entry.trial.proposal.row for entry in log.read()] == expected


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["claim", "ok", "fail", "cut", "vanish", "again"]), max_size=25))
def test_any_order_of_events_leaves_a_log_that_all_read_alike(events: list[str]) -> None:
    log = TrialLog(Run.in_memory(CONFIG, PROBLEM.objectives), PROBLEM)
    results: dict[int, str] = {}
    for event in events:
        entries = log.read()
        running = [e for e in entries if not e.trial.done and not e.interrupted]
        if event == "claim":
            claimed(log, len(entries))
        elif event == "again":
            for entry in [e for e in entries if e.interrupted][:1]:
                log.claim(entry.trial.number, entry.trial.proposal, attempt=entry.attempt + 1)
        elif running:
            entry = running[0]
            if event in ("cut", "vanish"):
                assert log.interrupt(entry, event, vanished=event == "vanish")
            else:
                state = "ok" if event == "ok" else "failed"
                assert log.finish(entry, result(entry, {"accuracy": 1.0}, state))
                results[entry.trial.number] = state
    mine, fresh = log.read(), TrialLog(log.run, PROBLEM).read()
    assert mine == fresh
    assert [e.trial.number for e in mine] == list(range(events.count("claim")))
    told = {e.trial.number: e.trial.status for e in mine if e.trial.done and e.vanished < ATTEMPTS}
    assert told == results


def test_what_a_search_abandons_is_due_again_without_blame(open_log: Open) -> None:
    log, other = open_log(), open_log()
    claimed(log, 0)
    claimed(other, 1)
    done = log.claim(2, Proposal(ROWS[2], "test"))
    assert done is not None
    log.finish(done, result(done, {"accuracy": 1.0}))
    log.abandon("stopped")
    told = [(e.interrupted, e.trial.status, e.vanished) for e in open_log().read()]
    assert told == [(True, "running", 0), (False, "running", 0), (False, "ok", 0)]
