from __future__ import annotations

import threading
from pathlib import Path

import optuna
import pytest

from vitruvius.bo.problem import Objective
from vitruvius.bo.store import Run, RunConfig, SourceConfig, list_runs
from vitruvius.core.errors import MissingExtraError, UsageError
from vitruvius.core.evaluator_config import EvaluatorConfig

UP = [Objective("accuracy", True)]
CONFIG = RunConfig(
    space="recipes",
    declaration={"name": "recipes", "variables": [{"name": "bits", "choices": [4, 8]}]},
    evaluators=(
        EvaluatorConfig(
            source="/data/mine.csv", options={"tables": ["/data/lat.csv"], "metrics": "a=b"}
        ),
        EvaluatorConfig(source="train.py:evaluate", options={"epochs": 3}),
    ),
    maximize="accuracy",
    where="params<=2M",
    method="random",
    seed=3,
    batch=4,
    budget=50,
)


def test_a_run_keeps_its_configuration(tmp_path: Path) -> None:
    Run.create(CONFIG, UP, tmp_path / "a")
    assert Run.open(tmp_path / "a").config == CONFIG
    url = f"journal://{tmp_path}/log"
    Run.create(CONFIG, UP, "b", url)
    assert Run.open("b", url).config == CONFIG


def test_a_run_that_is_there_is_joined_and_its_budget_grows_only(tmp_path: Path) -> None:
    first = Run.create(CONFIG, UP, tmp_path)
    Run.create(CONFIG.model_copy(update={"budget": 80, "workers": 9}), UP, tmp_path)
    assert first.budget() == 80
    with pytest.raises(UsageError, match=r"is 80 and can only grow, got 20"):
        Run.create(CONFIG.model_copy(update={"budget": 20}), UP, tmp_path)
    Run.create(CONFIG.model_copy(update={"budget": 0}), UP, tmp_path)
    assert first.budget() == 80


def test_what_older_versions_do_not_know_is_kept_only_where_it_is_set() -> None:
    source = SourceConfig(name="a", rows=((0,),), values={"top1": (1.0,)})
    plain = CONFIG.model_copy(update={"warm_start": (source,)})
    kept = plain.model_dump(mode="json")
    assert "transfer" not in kept
    assert "lower" not in kept["warm_start"][0]
    assert RunConfig.model_validate(kept) == plain
    more = plain.model_copy(update={"transfer": {"data": "cora"}})
    assert RunConfig.model_validate_json(more.model_dump_json()) == more
    assert plain.differences(more) == more.differences(plain) == {}


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    Run.create(CONFIG, UP, tmp_path)
    other = CONFIG.model_copy(update={"method": "bo", "seed": 4})
    with pytest.raises(UsageError, match=r"method: 'random' there, 'bo' here; seed: 3 there, 4 he"):
        Run.create(other, UP, tmp_path)


@pytest.mark.parametrize("url", [None, "sqlite", "journal"])
def test_many_that_make_the_same_run_at_once_share_one(tmp_path: Path, url: str | None) -> None:
    place: tuple[object, str | None] = (tmp_path / "run", None)
    if url:
        separator = "/" if url == "sqlite" else ""
        place = ("run", f"{url}://{separator}{tmp_path}/file")
    barrier, made = threading.Barrier(4), []

    def make() -> None:
        barrier.wait()
        made.append(Run.create(CONFIG, UP, *place))  # type: ignore[arg-type]

    threads = [threading.Thread(target=make) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [run.config for run in made] == [CONFIG] * 4
    assert len({run.study for run in made}) == 1


def test_what_is_no_run_is_said_to_be_none(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="There is no run in"):
        Run.open(tmp_path / "nowhere")
    url = f"sqlite:///{tmp_path}/optuna.db"
    optuna.create_study(storage=url, study_name="theirs")
    with pytest.raises(UsageError, match="no run of vitruvius"):
        Run.open("theirs", url)
    with pytest.raises(UsageError, match="There is no run mine"):
        Run.open("mine", url)
    assert list_runs(storage=url) == []
    (tmp_path / "run.sqlite").write_text("this is text")
    with pytest.raises(UsageError, match="cannot be opened"):
        Run.open(tmp_path)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("nonsense", "is no storage"),
        ("journal:///no/such/folder/file", "There is no folder"),
        ("sqlite:////no/such/folder/file", "cannot be opened"),
    ],
)
def test_a_storage_that_cannot_be_opened_is_named(
    url: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vitruvius.bo.store.storage.PAUSE", 0.0)
    with pytest.raises(UsageError, match=message):
        Run.open("run", url)


def test_a_missing_driver_names_the_extra_and_no_password_is_shown() -> None:
    with pytest.raises(MissingExtraError) as told:
        Run.open("run", "mysql://me:secret@host/db")
    assert "secret" not in str(told.value)


def test_runs_are_listed(tmp_path: Path) -> None:
    for name in ("b", "a"):
        Run.create(CONFIG, UP, tmp_path / name)
    found = list_runs(tmp_path)
    assert [(Path(run.run).name, run.state, run.budget) for run in found] == [
        ("a", "stopped", 50),
        ("b", "stopped", 50),
    ]
    assert found[0].objectives == ("+accuracy",)
    with pytest.raises(UsageError, match="There is no folder"):
        list_runs(tmp_path / "nowhere")


def test_configurations_of_version_0_1_0_are_read() -> None:
    old = {
        "space": "recipes",
        "evaluator": {
            "source": "/data/mine.csv",
            "tables": ["/data/lat.csv"],
            "architecture_column": "cell",
            "metrics": "",
        },
        "maximize": "accuracy",
        "earlier": [{"name": "a", "rows": [[0]], "values": {"accuracy": [1.0]}}],
    }
    read = RunConfig.model_validate(old)
    assert read.evaluators == (
        EvaluatorConfig(
            source="/data/mine.csv", options={"column": "cell", "tables": ["/data/lat.csv"]}
        ),
    )
    assert [task.name for task in read.warm_start] == ["a"]
    assert RunConfig.model_validate({**old, "evaluator": None}).evaluators == ()
