"""What a search reports while it runs, by a clock that the tests set."""

from __future__ import annotations

import io
from typing import Any

import pytest
import torch
from rich.console import Console

from vitruvius.bo import progress as module
from vitruvius.bo.problem import Problem
from vitruvius.bo.progress import (
    LiveProgress,
    PlainProgress,
    Progress,
    Silent,
    Snapshot,
    default_progress,
    progress,
)
from vitruvius.bo.trial import Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.metric import Metric
from vitruvius.spaces import Architecture, space
from vitruvius.verbs.search import search

CELLS = space("nasbench201")
ROW = tuple(CELLS.sample(1, 0)[0].tolist())


class Clock:
    """Stands still until it is set."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def snapshot(evaluated: int, best: int = 1, **options: str) -> Snapshot:
    problem = Problem(CELLS, {}, **(options or {"minimize": "params"}))
    trials = [Trial.of(i, Evaluation(CELLS.architecture(ROW))) for i in range(best)]
    return Snapshot(problem, trials, evaluated, running=2, failed=1, budget=100)


def test_a_line_says_what_was_found_and_what_is_left(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    """20 evaluations in 10 seconds: the other 70 take 35."""
    plain = PlainProgress()
    plain.show(snapshot(10))
    clock.now += 10
    plain.show(snapshot(30))
    lines = capsys.readouterr().err.splitlines()
    params = int(CELLS.statistics(torch.tensor([ROW]))["params"][0])
    assert lines[0].endswith("0/s, – to go")
    assert lines[1] == (
        f"30/100 evaluated, 1 failed, best: params {params:.6g}, 2/s, 0:00:35 to go"
    )


def test_lines_come_now_and_then_and_at_the_end(clock: Clock) -> None:
    plain = PlainProgress()
    assert plain.wants()
    plain.show(snapshot(1))
    assert not plain.wants()
    assert plain.wants(last=True)
    clock.now += module.LINE
    assert plain.wants()


@pytest.mark.parametrize(
    ("best", "options", "text"),
    [
        (0, {"minimize": "params"}, "none feasible yet"),
        (3, {"minimize": "params", "maximize": "depth"}, "front of 3"),
    ],
)
def test_headlines(best: int, options: dict[str, str], text: str) -> None:
    assert snapshot(3, best, **options).headline() == text


def test_a_terminal_shows_a_table_until_it_is_over(clock: Clock) -> None:
    screen = io.StringIO()
    live = LiveProgress(Console(file=screen, force_terminal=True, width=100))
    with live:
        live.show(snapshot(10))
        clock.now += 3600
        live.show(snapshot(20))
        assert "20/100" in screen.getvalue()
        assert "8:00:00" in screen.getvalue()


def test_who_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal gets the table; a file gets lines; nobody gets nothing."""
    assert isinstance(progress(), PlainProgress)
    monkeypatch.setattr(module, "Console", lambda **_: Console(force_terminal=True))
    assert isinstance(progress(), LiveProgress)
    assert not Silent().wants(last=True)
    assert Progress().wants()


def html(shown: Any) -> str:
    return str(shown._repr_mimebundle_([], [])["text/html"])


def test_a_notebook_keeps_one_table_below_the_cell(clock: Clock, notebook: list[Any]) -> None:
    with default_progress() as shown:
        assert notebook == []
        shown.show(snapshot(10))
        clock.now += 10
        shown.show(snapshot(30, minimize="params"))
    assert len(notebook) == 2
    assert "10/100" in html(notebook[0])
    assert "30/100" in html(notebook[1])


def test_a_search_in_a_notebook_shows_its_progress_unasked(notebook: list[Any]) -> None:
    def evaluate(architecture: Architecture) -> dict[str, float]:
        return {"accuracy": 1.0}

    asked = {"maximize": "accuracy", "budget": 3, "method": "random", "executor": "serial"}
    search("nasbench201", evaluator=evaluate, **asked)  # type: ignore[arg-type]
    assert "3/3" in html(notebook[-1])


def test_a_script_shows_nothing_unasked(capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(default_progress(), Silent)
    search("nas-bench-graph", evaluator="cora", maximize="valid_perf", budget=2, method="random")
    assert capsys.readouterr() == ("", "")


def test_names_of_users_are_no_markup(clock: Clock) -> None:
    screen = io.StringIO()
    with LiveProgress(Console(file=screen, force_terminal=True, width=100)) as live:
        taken = snapshot(10)
        live.show(taken)
        named = Snapshot(
            Problem(CELLS, {"a[/b]": Metric("a[/b]", "", "higher")}, maximize="a[/b]"),
            [Trial.of(0, Evaluation(CELLS.architecture(ROW), {"a[/b]": 1.0}))],
            *(1, 0, 0, 2),
        )
        live.show(named)
    assert "a[/b] 1" in screen.getvalue()
