import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

import vitruvius
from vitruvius.cli import app
from vitruvius.core.errors import UsageError
from vitruvius.reports.page import Table
from vitruvius.spaces import space
from vitruvius.verbs.report import report
from vitruvius.verbs.run_evidence import evidence_sections
from vitruvius.verbs.run_report import run_sections
from vitruvius.verbs.run_told import RunTold
from vitruvius.verbs.search import new_search

NASTY = "</script><script>alert('x')</script>\"&"


def told_run(folder: Path, count: int = 25, seed: int = 0, **settings: str) -> Path:
    """A run whose results were told: parameters stand for accuracy, and something for latency."""
    cells = space("nasbench201")
    made = new_search(
        cells, run=folder, budget=count, seed=seed, **{"maximize": "accuracy"} | settings
    )
    x = cells.sample(count, seed)
    for row, params in zip(x.tolist(), cells.statistics(x)["params"].tolist(), strict=True):
        made.tell(tuple(row), {"accuracy": params / 2e4, "latency": 3.0 + row[0] - row[1]})
    return folder


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of 25 trials with a front."""
    folder = tmp_path_factory.mktemp("runs") / "front"
    return told_run(folder, minimize="latency", where="params<=1M")


def text_of(made: vitruvius.verbs.report.Report) -> str:
    return re.sub(r"<(style|script).*?</\1>", "", made.html, flags=re.S)


def test_points_of_the_front_lead_to_their_architectures(finished: Path) -> None:
    made = report(finished, evidence=False)
    wanted = re.findall(r'href="#(trial-\d+)"', made.html)
    assert wanted
    for name in wanted:
        assert f'<article id="{name}">' in made.html


def test_answer_comes_first(finished: Path) -> None:
    made = report(finished, evidence=False)
    assert made.headline.startswith("After 0 of 25 evaluations and 25 prior results")
    assert "accuracy up to" in made.headline
    assert text_of(made).index(made.headline.split(":")[0]) < text_of(made).index("<h2")


def test_every_trial_is_in_the_table(finished: Path) -> None:
    told = RunTold.of(finished)
    [section] = [s for s in run_sections(told) if s.title == "Every trial"]
    table = next(block for block in section.blocks if isinstance(block, Table))
    assert [row[0] for row in table.rows] == list(range(25))
    place = list(table.columns).index("accuracy")
    for row, trial in zip(table.rows, told.result.trials, strict=True):
        assert row[place] == trial.metrics["accuracy"]


@pytest.mark.slow
def test_evidence_says_how_well_the_predictor_ranks(finished: Path) -> None:
    texts = [block.caption for s in evidence_sections(RunTold.of(finished)) for block in s.blocks]
    assert sum("Kendall's tau" in text for text in texts) == 2


def test_gain_over_random_ones(tmp_path: Path) -> None:
    made = new_search("nasbench201", maximize="accuracy", method="random", initial=2, run=tmp_path)
    for accuracy in (80.0, 90.0, 91.0):
        made.tell(made.ask()[0].number, {"accuracy": accuracy})
    found = report(tmp_path, evidence=False).headline
    # Of three trials two were random by design, with a mean of 85.
    assert found.endswith(
        "That is 6 more than the mean of the random architectures that the search began with, 85."
    )


def test_costs_are_told_as_times(tmp_path: Path) -> None:
    made = new_search("nasbench201", minimize="latency", method="random", initial=1, run=tmp_path)
    for latency in (9.0, 3.0):
        made.tell(made.ask()[0].number, {"latency": latency})
    assert "That is 3 times less than" in report(tmp_path, evidence=False).headline


def test_failures_are_told_with_their_reason(tmp_path: Path) -> None:
    cells = space("nasbench201")
    made = new_search(cells, maximize="accuracy", run=tmp_path)
    made.tell(tuple(cells.sample(1, 0)[0].tolist()), status="failed", reason=NASTY)
    found = report(tmp_path, evidence=False)
    assert "What failed, and why" in found.html
    assert "nothing was measured yet" in found.headline
    assert "<script>alert" not in found.html


@pytest.mark.parametrize("name", ['<b>"quoted"', "a'b & c", "<script>alert(1)<"])
def test_paths_are_shown_not_run(tmp_path: Path, name: str) -> None:
    made = new_search("nasbench201", maximize="accuracy", run=tmp_path / name)
    made.tell((3,) * 6, {"accuracy": 93.0})
    found = report(tmp_path / name, evidence=False).html
    assert name not in found.replace("&amp;", "&") or "<" not in name
    assert "<script>alert" not in found


def test_metrics_and_choices_are_shown_not_run(tmp_path: Path) -> None:
    (tmp_path / "odd.yaml").write_text(
        json.dumps(
            {
                "name": "odd",
                "nodes": [NASTY],
                "variables": [
                    {
                        "name": "a<b>",
                        "choices": ["</script><script>alert", "plain"],
                        "kind": "op",
                        "place": [0],
                    },
                    {"name": "c", "choices": [1, 2], "kind": "size"},
                ],
            }
        )
    )
    made = new_search(str(tmp_path / "odd.yaml"), maximize="accuracy", run=tmp_path / "run")
    for n, row in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        made.tell(row, {"accuracy": float(n), NASTY: 1.0})
    found = report(tmp_path / "run").html
    assert "<script>alert" not in found
    assert "<b>" not in found


@pytest.mark.slow
def test_samples(tmp_path: Path) -> None:
    vitruvius.sample("mobilenetv3", target="params<=4.5e6, macs<=200e6", n=3, seed=0).save(tmp_path)
    made = report(tmp_path)
    assert made.headline.startswith("3 of 3 meet params<=4.5e6, macs<=200e6")
    assert made.html.count('<article id="architecture-') == 3
    assert "macs&lt;=200e6" in made.html


@pytest.mark.slow
def test_several_runs(finished: Path) -> None:
    for method in ("random", "evolution"):
        for seed in range(2):
            told_run(finished.parent / f"{method}-{seed}", 6, seed, method=method)
    made = report(finished.parent)
    assert "5 runs" in made.title
    assert "random, 2 seeds" in made.html
    # Both were told the same.
    assert "on average evolution 36.845, random 36.845." in made.headline


def test_what_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no folder"):
        report(tmp_path / "none")
    with pytest.raises(UsageError, match="neither a run, nor samples, nor runs"):
        report(tmp_path)


def test_notebooks_show_it_in_a_frame(finished: Path) -> None:
    shown = report(finished, evidence=False)._repr_html_()
    assert shown.startswith("<iframe")
    assert "<script" not in shown


def test_command_line(finished: Path, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    told = CliRunner().invoke(app, ["report", str(finished), "--out", str(file), "--quick"])
    assert told.stdout.strip() == str(file)
    assert file.read_text().startswith("<!DOCTYPE html>")


@pytest.mark.parametrize("what", [".", "../front", "{}"])
def test_by_default_it_stands_beside_the_folder(
    finished: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.chdir(finished)
    told = CliRunner().invoke(app, ["report", what.format(finished), "--quick"])
    assert Path(told.stdout.strip()).resolve() == finished.with_name("front.html").resolve()
    finished.with_name("front.html").unlink()
