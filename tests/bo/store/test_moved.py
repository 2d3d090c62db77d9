"""A run goes where its folder goes, and files near it with it."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from vitruvius.bo.store import RunConfig, list_runs
from vitruvius.core.errors import OutputError, UsageError
from vitruvius.core.evaluator_config import EvaluatorConfig
from vitruvius.verbs import search as searching

TRAIN = "def evaluate(architecture, *, scale=1):\n    return scale * sum(architecture.indices)\n"
SEARCH: dict[str, Any] = {"maximize": "accuracy", "method": "random", "executor": "serial"}
NAMES = ["lr?1", "lr?2", "a%20b", "a b", "#1", "it's", 'say "hi"', "größe", "{x}", "a&b=c", "x;y"]


def made(folder: Path, run: str, budget: int = 2, options: str = "") -> searching.SearchResult:
    (folder / "train.py").write_text(TRAIN)
    evaluator = f"{folder / 'train.py'}:evaluate{options}"
    return searching.search(
        "nasbench201", evaluator=evaluator, budget=budget, run=folder / run, **SEARCH
    )


@pytest.mark.slow
def test_a_folder_of_any_name_holds_its_own_run(tmp_path: Path) -> None:
    for seed, name in enumerate(NAMES):
        searching.new_search("nasbench201", maximize="accuracy", seed=seed, run=tmp_path / name)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(NAMES)
    for seed, name in enumerate(NAMES):
        assert searching.open_search(tmp_path / name).config.seed == seed
        assert searching.show(tmp_path / name).summary["seed"] == seed
    assert len(list_runs(tmp_path)) == len(NAMES)


@pytest.mark.parametrize("run", ["run", "runs/a", "."])
def test_a_run_that_moved_with_its_files_goes_on(tmp_path: Path, run: str) -> None:
    here = tmp_path / "here"
    here.mkdir()
    made(here, run, options=":scale=3")
    there = here.rename(tmp_path / "there" if run != "." else tmp_path / "elsewhere")
    more = searching.resume(there / run, budget=3)
    assert [trial.status for trial in more.trials] == ["ok"] * 3
    there = there.rename(tmp_path / "again")
    assert len(searching.show(there / run).trials) == 3
    assert len(made(there, run, budget=4, options=":scale=3").trials) == 4
    assert more.trials == searching.show(there / run).trials[:3]


def test_a_run_that_moved_alone_is_told_where_its_evaluator_is(tmp_path: Path) -> None:
    made(tmp_path, "run", options=":scale=3")
    (tmp_path / "far" / "away").mkdir(parents=True)
    run = (tmp_path / "run").rename(tmp_path / "far" / "away" / "run")
    (tmp_path / "new").mkdir()
    (tmp_path / "train.py").rename(tmp_path / "new" / "train.py")
    with pytest.raises(UsageError, match="There is no file"):
        searching.resume(run, budget=3)
    place = f"{tmp_path / 'new' / 'train.py'}:evaluate"
    told = searching.resume(run, budget=3, evaluator=place)
    assert told.trials[2].metrics["accuracy"] % 3 == 0, "with the options that it had"
    assert len(searching.resume(run, budget=4).trials) == 4, "and it is kept"


def test_where_a_file_lies_is_no_setting_that_has_to_agree() -> None:
    def config(source: str, **options: Any) -> RunConfig:
        each = EvaluatorConfig(source=source, options=options)
        return RunConfig(space="nasbench201", maximize="a", evaluators=(each,))

    one = config("/a/train.py:f", tables=["/a/x.npz"])
    assert not one.differences(config("/b/c/train.py:f", tables=["/d/x.npz"]))
    assert one.differences(config("/a/train.py:g", tables=["/a/x.npz"]))
    assert one.differences(config("/a/train.py:f", tables=["/a/y.npz"]))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    made(tmp_path, "good")
    for name in ("empty", "cut", "text", "newer", "foreign"):
        shutil.copytree(tmp_path / "good", tmp_path / name)
    (tmp_path / "empty" / "run.sqlite").write_bytes(b"")
    (tmp_path / "cut" / "run.sqlite").write_bytes(
        (tmp_path / "good" / "run.sqlite").read_bytes()[:4096]
    )
    (tmp_path / "text" / "run.sqlite").write_text("not a database " * 99)
    for name, change in {"newer": {"new_setting": 1}, "foreign": None}.items():
        base = sqlite3.connect(tmp_path / name / "run.sqlite")
        where = "from study_user_attributes where key = 'vitruvius'"
        (text,) = base.execute(f"select value_json {where}").fetchone()
        base.execute(f"delete {where}")
        if change:
            base.execute(
                "insert into study_user_attributes (study_id, key, value_json) values (1, ?, ?)",
                ("vitruvius", json.dumps({**json.loads(text), **change})),
            )
        base.commit()
        base.close()
    return tmp_path


def test_one_bad_run_does_not_hide_the_others(runs: Path) -> None:
    found = {Path(state.run).name: state for state in list_runs(runs)}
    assert found.pop("good").state == "finished"
    assert {state.state for state in found.values()} == {"unreadable"}
    assert "nothing was kept yet" in found["empty"].problem
    assert "malformed" in found["cut"].problem
    assert "not a database" in found["text"].problem
    assert "newer version of vitruvius" in found["newer"].problem
    assert "new_setting" in found["newer"].problem
    assert "no run of vitruvius" in found["foreign"].problem
    assert (runs / "empty" / "run.sqlite").stat().st_size == 0, "reading writes nothing"
    with pytest.raises(UsageError, match="newer version"):
        searching.open_search(runs / "newer")
    with pytest.raises(UsageError, match="nothing was kept yet"):
        searching.resume(runs / "empty")


def test_a_storage_that_is_full_or_read_only_keeps_what_was_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(tmp_path, "run")
    opened = searching.open_search(tmp_path / "run")
    real = sqlite3.connect

    def limited(*args: Any, **options: Any) -> sqlite3.Connection:
        connection = real(*args, **options)
        connection.execute(f"pragma {pragma}")
        return connection

    monkeypatch.setattr("sqlite3.connect", limited)
    causes = {"max_page_count = 1": "no space is left", "query_only = on": "it is read-only"}
    for pragma, said in causes.items():  # noqa: B007 (read by `limited`)
        with pytest.raises(OutputError, match=f"Cannot write to .*run: {said}") as told:
            opened.run(5000)
        assert "What was evaluated before is kept" in told.value.hint
        assert len(searching.show(tmp_path / "run").trials) >= 2
        with pytest.raises(OutputError, match=said):
            opened.tell((1,) * 6, {"accuracy": 1.0})
