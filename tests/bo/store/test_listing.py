from __future__ import annotations

from pathlib import Path

import pytest

from vitruvius.bo.problem import Problem
from vitruvius.bo.search import Search
from vitruvius.bo.store import Run, RunConfig, list_runs
from vitruvius.core.evaluator_config import EvaluatorConfig
from vitruvius.spaces import space
from vitruvius.verbs.search import new_search, show

CELLS = space("nasbench201")
X = CELLS.architectures(CELLS.sample(8, 0))
MINE = EvaluatorConfig(source="")


def test_a_run_of_told_results_waits_and_shows_them(tmp_path: Path) -> None:
    made = new_search("nasbench201", maximize="accuracy", where="latency_ms<=5", run=tmp_path)
    for number, architecture in enumerate(X):
        made.tell(architecture, {"accuracy": float(number), "latency_ms": float(number)})
    (state,) = list_runs(tmp_path)
    assert (state.state, state.prior, state.evaluated) == ("waiting", 8, 0)
    assert state.best == {"accuracy": 5.0}, "within the constraints"
    assert (state.front, state.hypervolume) == (None, None)
    assert show(tmp_path).best[0].metrics["accuracy"] == 5.0


def test_several_objectives_show_their_front_and_its_hypervolume(tmp_path: Path) -> None:
    made = new_search("nasbench201", maximize="accuracy", minimize="latency_ms", run=tmp_path)
    values = [(1.0, 1.0), (2.0, 2.0), (3.0, 3.0), (1.0, 3.0), (0.0, 4.0)]
    for architecture, (accuracy, latency) in zip(X, values, strict=False):
        made.tell(architecture, {"accuracy": accuracy, "latency_ms": latency})
    (state,) = list_runs(tmp_path)
    assert state.best == {}, "no single architecture has the best of each"
    assert (state.front, state.reference) == (3, {"accuracy": 0.0, "latency_ms": 4.0})
    assert state.hypervolume == pytest.approx(1 * 3 + 1 * 2 + 1 * 1)


def test_states_of_runs(tmp_path: Path) -> None:
    problem = Problem(CELLS, {}, minimize="params")
    config = RunConfig(space=CELLS.name, minimize="params", method="random", budget=2)
    config = config.model_copy(update={"evaluators": (MINE,)})
    runs = {
        name: Run.create(config, problem.objectives, tmp_path / name) for name in ("new", "told")
    }
    Search(problem, new_search(CELLS, minimize="params").method, runs["told"]).tell(X[0], {})
    assert [state.state for state in list_runs(tmp_path)] == ["stopped", "waiting"]


def test_showing_writes_nothing_and_needs_no_evaluator(tmp_path: Path) -> None:
    made = new_search(CELLS, maximize="accuracy", run=tmp_path, evaluator=lambda a: 1.0)
    made.tell(X[0], {"accuracy": 1.0})
    before = (tmp_path / "run.sqlite").read_bytes()
    told = show(tmp_path)
    assert [trial.metrics for trial in told.trials] == [{"accuracy": 1.0}]
    assert "is not to be had here" in told.notes[-1]
    assert (tmp_path / "run.sqlite").read_bytes() == before


def test_trials_have_a_start_and_an_end(tmp_path: Path) -> None:
    made = new_search(CELLS, maximize="accuracy", method="random", run=tmp_path)
    (asked,) = made.ask()
    made.tell(asked.number, {"accuracy": 1.0})
    made.tell(X[0], {"accuracy": 1.0}, seconds=60.0)
    first, second = made.log.run.storage.get_all_trials(made.log.run.study)
    assert first.duration is not None
    assert 0 <= first.duration.total_seconds() < 60
    assert second.duration is not None
    assert second.duration.total_seconds() == 60
