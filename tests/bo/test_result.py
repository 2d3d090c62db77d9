"""How results show themselves: as text, in a notebook, as a data frame, in files."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from vitruvius.bo.result import SearchResult
from vitruvius.bo.store.external import parse_results
from vitruvius.bo.trial import Proposal, Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.spaces import space
from vitruvius.verbs.search import new_search

CELLS = space("nasbench201")
ROWS = [(3, 3, 3, 3, 3, 3), (0, 1, 2, 3, 4, 0), (1, 1, 1, 1, 1, 3)]


def told(**objectives: str) -> SearchResult:
    """One that is done, one that failed, one at a fidelity, one that still runs."""
    made = new_search("nasbench201", method="random", **(objectives or {"maximize": "top1"}))
    architectures = [CELLS.architecture(row) for row in ROWS]
    for evaluation in (
        Evaluation(architectures[0], {"top1": 93.0, "seconds": 2.0}, seconds=7.0),
        Evaluation(architectures[1], status="failed", reason="<out of memory>"),
        Evaluation(architectures[2], {"top1": 50.0}, fidelity=12),
    ):
        made.tell(evaluation)
    made.ask()
    return made.result()


def test_a_trial_speaks_as_the_json_does() -> None:
    result = told()
    for trial, printed in zip(result.trials, result.to_json()["trials"], strict=True):
        for key in printed.keys() - {"architecture", "metrics"}:
            assert getattr(trial, key) == printed[key]


def test_a_trial_shows_its_architecture_and_not_its_indices() -> None:
    proposal = Proposal(ROWS[0], "initial", 12)
    running = Trial(4, proposal)
    assert repr(running) == (
        "Trial(number=4, row=(3, 3, 3, 3, 3, 3), status='running', source='initial', fidelity=12)"
    )
    done = Trial(4, Proposal(ROWS[0], "initial")).finish(
        Evaluation(CELLS.architecture(ROWS[0]), {"top1": 93.0})
    )
    assert repr(done) == (
        f"Trial(number=4, architecture={CELLS.to_string(ROWS[0])!r}, metrics={{'top1': 93.0}}, "
        "status='ok', source='initial')"
    )


@pytest.mark.parametrize(
    ("objectives", "said"),
    [
        ({"maximize": "top1"}, "best top1 93"),
        ({"maximize": "top1", "minimize": "params"}, "front of 1"),
        ({"maximize": "top1", "where": "top1>=95"}, "none feasible"),
    ],
)
def test_a_result_says_in_a_line_what_it_holds(objectives: dict[str, str], said: str) -> None:
    shown = repr(told(**objectives))
    assert shown.startswith("SearchResult(nasbench201: ")
    assert shown.endswith(f"{said})")
    assert "1 running" in shown
    assert "3 prior" in shown


def test_a_result_of_nothing_shows_itself() -> None:
    result = new_search("nasbench201", maximize="top1").result()
    assert repr(result) == "SearchResult(nasbench201: 0 evaluated, none measured)"
    assert "<table" not in result._repr_html_()
    assert len(result.to_dataframe()) == 0


def test_where_nothing_is_feasible_a_notebook_shows_the_trials() -> None:
    result = told(maximize="top1", where="top1>=95")
    page = result._repr_html_()
    assert all(each in page for each in result.to_dataframe()["architecture"])
    assert "&lt;out of memory&gt;" in page
    assert "<svg" not in page


def test_failures_alone_are_not_called_infeasible() -> None:
    made = new_search("nasbench201", maximize="top1")
    made.tell(Evaluation(CELLS.architecture(ROWS[0]), status="failed", reason="nan"))
    assert repr(made.result()).endswith("none measured)")


def test_a_notebook_shows_the_best_with_its_drawing() -> None:
    page = told()._repr_html_()
    assert CELLS.to_string(ROWS[0]) in page
    assert "top1" in page
    assert "<svg" in page
    assert "<out of memory>" not in page


def test_a_data_frame_has_every_trial() -> None:
    frame = told().to_dataframe()
    assert list(frame.columns) == [
        "number", "architecture", "top1", "metrics.seconds", "status", "source", "seconds",
        "fidelity", "reason",
    ]  # fmt: skip
    assert frame["status"].tolist() == ["ok", "failed", "ok", "running"]
    assert frame["fidelity"].tolist()[2] == 12
    assert frame["fidelity"].isna().tolist() == [True, True, False, True]
    assert (frame["metrics.seconds"][0], frame["seconds"][0]) == (2.0, 7.0)


def test_a_result_is_saved_and_can_be_told_to_another(tmp_path: Path) -> None:
    result = told()
    files = result.save(tmp_path / "found")
    assert [file.name for file in files] == [
        "result.json", "trials.csv", "architecture_001.svg", "contact_sheet.svg",
    ]  # fmt: skip
    assert json.loads(files[0].read_text(encoding="utf-8")) == result.to_json()
    pd.testing.assert_frame_equal(
        pd.read_csv(files[1])[["number", "top1"]], result.to_dataframe()[["number", "top1"]]
    )
    read = parse_results(files[1].read_text(encoding="utf-8"))
    assert [(each.status, each.fidelity) for each in read] == [
        ("ok", None),
        ("failed", None),
        ("ok", 12),
    ]


def test_a_search_and_its_evaluator_show_their_names() -> None:
    made = new_search("nas-bench-graph", evaluator="cora", maximize="valid_perf", method="random")
    assert repr(made) == "Search(nas-bench-graph, in memory, method random)"
    assert "metrics=['latency', 'params', 'test_perf', 'valid_perf']" in repr(
        made.problem.evaluator
    )
