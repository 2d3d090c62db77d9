"""Planted faults are each found by the doctor, with what to do about them."""

from __future__ import annotations

import base64
import csv
import hashlib
import json
import shutil
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from importlib.metadata import PathDistribution
from pathlib import Path

import pytest
import torch

from vitruvius import cli, doctor
from vitruvius.bo.search import Search
from vitruvius.bo.store.liveness import Owner
from vitruvius.bo.store.storage import open_file
from vitruvius.bo.trial import Proposal
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation
from vitruvius.verbs.doctor import Finding
from vitruvius.verbs.search import new_search, search

ODD = "<b>[red]no[/red]</b> :smile: memory"
RANGES = """
name: ranges
nodes: [in, layer, out]
skeleton: [[0, 1], [1, 2]]
inputs: [0]
outputs: [2]
variables:
  - {name: width, choices: [8, 16, 32, 64, 128], kind: size, place: [1]}
  - {name: kernel, choices: [1, 3, 5, 7, 9], kind: size, place: [1]}
  - {name: act, choices: [relu, silu, gelu], kind: op, place: [1]}
"""


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with the tables of a run, which take long to make."""
    file = tmp_path_factory.mktemp("empty") / "run.sqlite"
    open_file(file)
    return file


@pytest.fixture
def planted(tmp_path: Path, empty: Path) -> Callable[..., Search]:
    """Makes a run and fills it: with metrics, a reason for a failure, or None for a pending one."""

    def plant(
        told: Sequence[dict[str, float] | str | None],
        *,
        space: str = "nasbench201",
        prior: bool = False,
        **settings: object,
    ) -> Search:
        settings = {"maximize": "accuracy", "method": "random", **settings}
        (tmp_path / "run").mkdir()
        shutil.copy(empty, tmp_path / "run")
        made = new_search(space, run=tmp_path / "run", **settings)  # type: ignore[arg-type]
        found = made.problem.space
        x = found.canonical(found.sample(len(told), 0))
        evaluations = []
        for row, given in zip(x.tolist(), told, strict=True):
            given = {} if given is None else given
            said = {"status": "failed", "reason": given} if isinstance(given, str) else {}
            metrics = {} if isinstance(given, str) else given
            evaluations.append(Evaluation(found.architecture(row), metrics, **said))
        if prior:
            made.log.append(evaluations)
            return made
        for place, (given, evaluation) in enumerate(zip(told, evaluations, strict=True)):
            entry = made.log.claim(place, Proposal(evaluation.architecture.canonical, "test"))
            if given is not None:
                assert entry is not None
                made.log.finish(entry, evaluation)
        return made

    return plant


def accuracies(count: int, seed: int = 0) -> list[dict[str, float]]:
    values = torch.rand(count, generator=torch.Generator().manual_seed(seed)).tolist()
    return [{"accuracy": 80 + 10 * value} for value in values]


def found(made: Search, check: str, *, quick: bool = True) -> Finding:
    """The only finding of a check, which has advice where something is wrong."""
    [finding] = [each for each in doctor(made.log.run.location, quick=quick) if each.check == check]
    assert (finding.state == "ok") or finding.advice
    return finding


# -- runs ---------------------------------------------------------------------------------------


def test_a_healthy_run_has_no_problem(planted: Callable[..., Search]) -> None:
    made = planted(accuracies(4), budget=4)
    findings = doctor(made.log.run.location)
    assert {each.state for each in findings} == {"ok"}
    checks = {"log", "evaluator", "pending", "budget", "failures", "duplicates", "direction"}
    assert {each.check for each in findings} == {*checks, "units"}
    assert found(made, "budget").what == "4 of 4 evaluations are done."


def test_an_empty_run_has_no_problem(planted: Callable[..., Search]) -> None:
    findings = doctor(planted([]).log.run.location)
    assert {each.state for each in findings} == {"ok"}


def test_architectures_that_were_evaluated_twice(planted: Callable[..., Search]) -> None:
    made = planted([])
    cells = made.problem.space
    one, other = (cells.architecture(row) for row in cells.canonical(cells.sample(2, 0)).tolist())
    made.log.append([Evaluation(a, {"accuracy": 90.0}) for a in (one, other, one)])
    finding = found(made, "duplicates")
    assert finding.state == "warning"
    assert "1 architecture measured more than once, at the cost of 1 evaluation:" in finding.what
    assert "trials 0, 2" in finding.what
    assert "average inside the evaluator" in finding.advice


def test_trials_that_a_dead_process_left_behind(planted: Callable[..., Search]) -> None:
    made = planted(accuracies(1), budget=3)
    made.log.owner = replace(Owner.new(), started="long ago")
    row = tuple(made.problem.space.example)
    made.log.claim(1, Proposal(row, "test"))
    finding = found(made, "pending")
    assert finding.state == "warning"
    assert finding.what == "Left without an end by who is gone: trial 1."
    assert f"vitruvius resume {made.log.run.location}" in finding.advice


def test_trials_of_a_living_process_are_no_fault(planted: Callable[..., Search]) -> None:
    finding = found(planted([*accuracies(1), None]), "pending")
    assert finding.state == "ok"
    assert "1 trial being evaluated" in finding.what


def test_trials_that_are_asked_for_wait_for_a_person(planted: Callable[..., Search]) -> None:
    made = planted([])
    made.ask(1)
    finding = found(made, "pending")
    assert finding.state == "ok"
    assert "vitruvius tell" in finding.advice


def test_a_predictor_that_knows_nothing(planted: Callable[..., Search]) -> None:
    finding = found(planted(accuracies(21, seed=3), prior=True), "predictor", quick=False)
    assert finding.state == "warning"
    assert "Kendall's tau" in finding.what
    assert "bo:surrogate=average" in finding.advice


def test_the_best_at_the_end_of_a_range(planted: Callable[..., Search], tmp_path: Path) -> None:
    file = tmp_path / "ranges.yaml"
    file.write_text(RANGES, encoding="utf-8")
    made = planted([], space=str(file))
    space = made.problem.space
    x = space.sample(30, 0)
    told = [Evaluation(space.architecture(row), {"accuracy": 80.0 + row[0]}) for row in x.tolist()]
    made.log.append(told)
    finding = found(made, "ranges")
    assert finding.state == "warning"
    assert "of the best 5 have the largest width, 128" in finding.what
    assert "kernel" not in finding.what
    assert "widen the range" in finding.advice


def test_a_search_that_no_longer_gets_better(planted: Callable[..., Search]) -> None:
    values = [{"accuracy": 90.0 - i} for i in range(20)]
    finding = found(planted(values), "progress")
    assert finding.state == "warning"
    assert "The last 19 of 20 evaluations" in finding.what
    assert "--seed or --method" in finding.advice


def test_a_budget_that_is_left(planted: Callable[..., Search]) -> None:
    finding = found(planted(accuracies(2), budget=9), "budget")
    assert finding.state == "warning"
    assert "2 of 9" in finding.what
    assert "vitruvius ask" in finding.advice


def test_failures_are_grouped_by_reason(planted: Callable[..., Search]) -> None:
    told = [*accuracies(1), "out of memory: 3 GB", "out of memory: 5 GB", "nan loss"]
    finding = found(planted(told), "failures")
    assert finding.state == "problem"
    assert "3 of 4 failed: 2 × out of memory: 3 GB; 1 × nan loss" in finding.what
    assert "--retry-failed" in finding.advice


def test_constraints_that_nothing_meets(planted: Callable[..., Search]) -> None:
    told = [{"accuracy": 90.0, "latency_ms": 7.0 + i} for i in range(3)]
    finding = found(planted(told, where="latency_ms<=5"), "constraints")
    assert finding.state == "problem"
    assert "None of 3" in finding.what
    assert "the nearest has 7 ms" in finding.what
    assert "Loosen" in finding.advice


def test_constraints_that_hardly_anything_meets(planted: Callable[..., Search]) -> None:
    told = [{"accuracy": 90.0, "latency_ms": 4.0 + i} for i in range(40)]
    finding = found(planted(told, where="latency_ms<=4", prior=True), "constraints")
    assert (finding.state, "1 of 40" in finding.what) == ("warning", True)


def test_values_that_never_differ(planted: Callable[..., Search]) -> None:
    finding = found(planted([{"accuracy": 10.0}] * 6, prior=True), "metrics")
    assert finding.state == "problem"
    assert "accuracy is 10 for all 6" in finding.what
    assert "evaluator" in finding.advice


def test_noise_that_hides_which_is_best(planted: Callable[..., Search]) -> None:
    told = [{"accuracy": 90 + i / 100, "accuracy_deviation": 0.5} for i in range(6)]
    finding = found(planted(told, prior=True), "noise")
    assert finding.state == "warning"
    assert "differ by 0.04 in accuracy" in finding.what
    assert "Measure them again" in finding.advice


def test_noise_is_also_told_by_what_was_measured_twice(planted: Callable[..., Search]) -> None:
    made = planted(accuracies(6), prior=True)
    again = made.problem.space.architecture(made.log.read()[0].trial.proposal.row)
    made.log.append([Evaluation(again, {"accuracy": 20.0})])
    assert found(made, "noise").state == "warning"


def test_an_objective_that_goes_the_wrong_way(planted: Callable[..., Search]) -> None:
    finding = found(planted([{"latency_ms": 4.0}], maximize="latency_ms"), "direction")
    assert finding.state == "warning"
    assert "maximizes latency_ms, of which less is better" in finding.what
    assert "--minimize latency_ms" in finding.advice


def test_accuracy_is_not_to_be_minimised_but_an_error_is(planted: Callable[..., Search]) -> None:
    made = planted([], maximize="", minimize="val_acc, error")
    finding = found(made, "direction")
    assert "minimizes val_acc, of which more" in finding.what


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ((91.0, 0.93, 88.0, 0.9), "problem"),  # shares among percentages
        ((73.0, 0.98, 51.0), "ok"),  # one that never learned, of a hundred classes
        ((0.91, 0.93, 0.88), "ok"),
    ],
)
def test_values_in_two_units(
    planted: Callable[..., Search], values: tuple[float, ...], state: str
) -> None:
    finding = found(planted([{"accuracy": value} for value in values], prior=True), "units")
    assert finding.state == state
    assert ("in two units" in finding.what) == (state == "problem")


def test_values_that_cannot_be(planted: Callable[..., Search]) -> None:
    told = [{"accuracy": 90.0, "latency_ms": -1.0}, {"accuracy": 91.0, "latency_ms": 3.0}]
    finding = found(planted(told, minimize="latency_ms"), "units")
    assert finding.state == "problem"
    assert "1 of 2 are no latency_ms [ms], e.g. -1" in finding.what


@pytest.fixture
def of_table(tmp_path: Path) -> tuple[Path, Search]:
    """A run that looked four of six cells up in a table."""
    file, made = tmp_path / "cells.csv", new_search("nasbench201", maximize="accuracy")
    write_table(file, 90.0, made)
    search(
        "nasbench201",
        evaluator=file,
        maximize="accuracy",
        method="random",
        budget=4,
        run=tmp_path / "run",
    )
    return file, made


def write_table(file: Path, best: float, made: Search) -> None:
    cells = made.problem.space
    with file.open("w", newline="", encoding="utf-8") as opened:
        writer = csv.writer(opened)
        writer.writerow(["arch_str", "accuracy"])
        rows = cells.sample(6, 0).tolist()
        writer.writerows([cells.to_string(row), best - i] for i, row in enumerate(rows))


def test_data_that_are_gone_or_have_changed(of_table: tuple[Path, Search]) -> None:
    file, made = of_table
    run = file.with_name("run")

    def told() -> Finding:
        return next(each for each in doctor(run, quick=True) if each.check == "evaluator")

    assert told().what == "Its data are there, and say what the trials say."
    write_table(file, 95.0, made)
    assert told().state == "problem"
    assert "4 of 4 trials have another accuracy now" in told().what
    assert "Bring back the data" in told().advice
    file.unlink()
    assert told().state == "warning"  # as its budget is spent
    assert "cells.csv" in told().what
    assert f"vitruvius resume {run} --evaluator" in told().advice


def test_an_evaluator_that_only_python_has(planted: Callable[..., Search]) -> None:
    made = planted([], evaluator=lambda _: 1.0, budget=3)
    finding = found(made, "evaluator")
    assert finding.state == "warning"
    assert "vitruvius.resume" in finding.advice


@pytest.mark.parametrize("fault", ["a line", "the file", "a folder without", "no folder"])
def test_a_log_that_cannot_be_read_is_one_clear_problem(
    planted: Callable[..., Search], fault: str
) -> None:
    run = Path(planted(accuracies(2)).log.run.location)
    file = run / "run.sqlite"
    if fault == "a line":
        with sqlite3.connect(file) as opened:
            where = "WHERE key = 'result'"
            opened.execute(f"UPDATE trial_user_attributes SET value_json = '{{\"st' {where}")
        opened.close()
    elif fault == "the file":
        file.write_bytes(b"SQLite format 3\0" + b"[/red]" * 4000)
    else:
        file.unlink()
    if fault == "no folder":
        run.rmdir()
    [finding] = doctor(run)
    assert (finding.check, finding.state) == ("log", "problem")
    assert "\n" not in finding.what
    assert finding.advice


# -- the command line ---------------------------------------------------------------------------


@pytest.fixture
def command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    # Wide enough that no cell is broken.
    monkeypatch.setenv("COLUMNS", "300")

    def run(*arguments: object) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["vitruvius", "doctor", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        return int(stop.value.code or 0), capsys.readouterr().out

    return run


def test_the_exit_status_is_1_for_a_problem_alone(
    planted: Callable[..., Search], command: Callable[..., tuple[int, str]]
) -> None:
    run = planted(accuracies(2), budget=9).log.run.location
    code, out = command(run, "--quick", "--format", "json")
    told = json.loads(out)
    assert code == 0
    assert {each["state"] for each in told} == {"ok", "warning"}
    assert set(told[0]) == {"check", "state", "what", "advice"}
    code, out = command(Path(run).with_name("other"), "--format", "json")
    assert (code, [each["state"] for each in json.loads(out)]) == (1, ["problem"])


@pytest.mark.parametrize("form", ["table", "json"])
def test_what_users_wrote_is_printed_as_it_is(
    planted: Callable[..., Search], command: Callable[..., tuple[int, str]], form: str
) -> None:
    code, out = command(planted([ODD]).log.run.location, "--format", form)
    assert code == 1
    assert ODD in out


def test_a_storage_needs_the_name_of_a_run() -> None:
    with pytest.raises(UsageError, match="needs the name of a run"):
        doctor(storage="sqlite:///x.sqlite")


def test_a_run_in_a_storage_is_named_in_the_advice(tmp_path: Path) -> None:
    storage = f"sqlite:///{tmp_path}/all.sqlite"
    new_search("nasbench201", maximize="a", budget=2, run="my run", storage=storage)
    told = {each.check: each for each in doctor("my run", storage)}
    assert told["budget"].advice.endswith(f"vitruvius ask 'my run' --storage {storage}")


# -- the installation ---------------------------------------------------------------------------


def state_of(check: str) -> Finding:
    """The worst finding of a check of the installation."""
    told = [each for each in doctor(quick=True) if each.check == check]
    return max(told, key=lambda each: ("ok", "warning", "problem").index(each.state))


def test_the_installation_is_looked_at(command: Callable[..., tuple[int, str]]) -> None:
    code, out = command("--quick", "--format", "json")
    checks = {each["check"] for each in json.loads(out)}
    assert checks == {
        "python", "packages", "extras", "threads", "devices", "disk", "generators", "cache",
    }  # fmt: skip
    assert code in (0, 1)


def test_packages_that_are_old_or_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    versions = {"torch": "1.0", "numpy": None}
    known = sys.modules["vitruvius.verbs.doctor"]._version
    monkeypatch.setattr(
        "vitruvius.verbs.doctor._version", lambda name: versions.get(name, known(name))
    )
    told = {each.what: each for each in doctor(quick=True) if each.check == "packages"}
    assert "torch is 1.0, and has to be >=2.4." in told
    assert "numpy is not installed." in told
    assert {each.state for each in told.values()} == {"problem"}
    assert 'pip install "torch>=2.4"' in {each.advice for each in told.values()}


@pytest.mark.parametrize(("threads", "state"), [("many", "warning"), ("1", "ok")])
def test_threads_that_are_no_number(
    monkeypatch: pytest.MonkeyPatch, threads: str, state: str
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", threads)
    monkeypatch.setattr("torch.get_num_threads", lambda: 1)
    assert state_of("threads").state == state


def test_more_threads_than_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 10_000)
    assert "export OMP_NUM_THREADS=" in state_of("threads").advice


@pytest.mark.parametrize(("free", "state"), [(1e7, "problem"), (1e9, "warning"), (1e12, "ok")])
def test_disks_that_are_full(monkeypatch: pytest.MonkeyPatch, free: float, state: str) -> None:
    usage = type("Usage", (), {"free": free})
    monkeypatch.setattr("shutil.disk_usage", lambda _: usage)
    assert state_of("disk").state == state


def test_generators_that_differ_from_what_was_packed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "vitruvius" / "generators" / "pretrained"
    home.mkdir(parents=True)
    file = home / "model_index.json"
    file.write_text("{}")
    digest = base64.urlsafe_b64encode(hashlib.sha256(b"{}").digest()).rstrip(b"=").decode()
    described = tmp_path / "vitruvius-0.2.0.dist-info"
    described.mkdir()
    (described / "METADATA").write_text("Name: vitruvius\nVersion: 0.2.0\nRequires-Python: >=3.11")
    (described / "RECORD").write_text(f"{file.relative_to(tmp_path)},sha256={digest},2\n")
    monkeypatch.setattr("vitruvius.verbs.doctor.GENERATORS", home)
    monkeypatch.setattr(
        "vitruvius.verbs.doctor.distribution", lambda _: PathDistribution(described)
    )
    assert state_of("generators").state == "ok"
    file.write_text("{ }")
    assert f"{file} is damaged or missing." in state_of("generators").what
    file.unlink()
    assert "--force-reinstall" in state_of("generators").advice


def test_generators_that_cannot_be_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cut.safetensors").write_bytes(b"\x08")
    monkeypatch.setattr("vitruvius.verbs.doctor.GENERATORS", tmp_path)
    assert state_of("generators").state == "problem"


@pytest.mark.slow
def test_the_trial_of_everything_succeeds_in_seconds(
    command: Callable[..., tuple[int, str]],
) -> None:
    _, out = command("--format", "json")
    told = {each["check"]: each for each in json.loads(out) if "self-test" in each["check"]}
    assert list(told) == [f"self-test: {step}" for step in ("sample", "search", "resume", "train")]
    assert {each["state"] for each in told.values()} == {"ok"}


def test_a_step_that_fails_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("[red]broken")

    for name in ("sample", "search", "resume", "evaluator"):
        monkeypatch.setattr(f"vitruvius.verbs.doctor.{name}", broken)
    told = [each for each in doctor() if each.check.startswith("self-test")]
    assert {each.what for each in told} == {"RuntimeError: [red]broken"}
    assert all(each.state == "problem" and each.advice for each in told)
