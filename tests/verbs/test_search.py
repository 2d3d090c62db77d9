"""The verbs around runs, through the command line and through Python."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest

import vitruvius
from vitruvius import cli
from vitruvius.core.errors import UsageError
from vitruvius.spaces import Architecture
from vitruvius.verbs import search as searching

SUMMARY = {
    "budget", "evaluated", "duplicates_avoided", "failed", "cpu_seconds", "wall_seconds", "seed",
    "run",
}  # fmt: skip
CORA = ("search", "nas-bench-graph", "--evaluator", "cora", "--method", "random")
TRAIN = """
def evaluate(architecture):
    print("epoch 1")
    if architecture.indices[0] == 2:
        raise RuntimeError("diverged")
    return {"accuracy": sum(architecture.indices), "latency_ms": architecture.indices[1]}
"""


class Command:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["vitruvius", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = self.capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Command:
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    return Command(monkeypatch, capsys)


def test_search_prints_json_with_the_documented_keys_and_repeats_by_seed(run: Command) -> None:
    arguments = (*CORA, "--maximize", "valid_perf", "--budget", 7, "--format", "json")
    code, out, err = run(*arguments, "--seed", 4, "--run", "a")
    result = json.loads(out)
    assert code == 0
    assert result.keys() == {"best", "trials", "summary"}
    assert result["summary"].keys() >= SUMMARY
    assert (result["summary"]["evaluated"], result["summary"]["run"]) == (7, "a")
    assert [entry["number"] for entry in result["trials"]] == list(range(7))
    wanted = {"number", "architecture", "metrics", "status", "source", "seconds", "fidelity"}
    assert all(entry.keys() == wanted for entry in result["trials"])
    best = max(result["trials"], key=lambda entry: entry["metrics"]["valid_perf"])
    assert result["best"] == [
        {k: best[k] for k in ("architecture", "metrics")} | {"trial": best["number"]}
    ]
    assert "7/7 evaluated" in err
    again = json.loads(run(*arguments, "--seed", 4, "--run", "b")[1])
    other = json.loads(run(*arguments, "--seed", 5, "--run", "c")[1])
    names = [[e["architecture"] for e in told["trials"]] for told in (result, again, other)]
    assert names[0] == names[1] != names[2]


def test_a_run_is_extended_resumed_and_listed(run: Command) -> None:
    assert run(*CORA, "--maximize", "valid_perf", "--budget", 6, "--run", "runs/a")[0] == 0
    code, out, _ = run("resume", "runs/a", "--budget", 9, "--format", "json")
    assert (code, json.loads(out)["summary"]["evaluated"]) == (0, 9)
    straight = json.loads(
        run(*CORA, "--maximize", "valid_perf", "--budget", 9, "--run", "b", "--format", "json")[1]
    )
    assert [e["architecture"] for e in json.loads(out)["trials"]] == [
        e["architecture"] for e in straight["trials"]
    ]
    (listed,) = json.loads(run("runs", "--format", "json")[1])
    assert (listed["state"], listed["evaluated"], listed["budget"]) == ("finished", 9, 9)
    assert listed["best"]["valid_perf"] == straight["best"][0]["metrics"]["valid_perf"]
    assert "9/9" in run("runs", "b")[1]


def test_an_own_function_trains_in_workers_and_prints_nothing_into_the_result(
    run: Command,
) -> None:
    Path("train.py").write_text(TRAIN)
    code, out, _ = run(
        "search", "nasbench201", "--evaluator", "train.py:evaluate", "--maximize", "accuracy",
        "--where", "latency_ms<=2ms", "--method", "random", "--budget", 14, "--workers", 2,
        "--timeout", 30, "--run", "journaled", "--storage", f"journal://{Path.cwd()}/log",
        "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert code == 0
    assert result["summary"]["batch"] == 2
    assert result["best"][0]["metrics"]["latency_ms"] <= 2
    failed = [entry for entry in result["trials"] if entry["status"] == "failed"]
    assert len(failed) == result["summary"]["failed"] > 0
    assert all("diverged (train.py:5)" in entry["reason"] for entry in failed)


def test_ask_and_tell(run: Command) -> None:
    arguments = ("search", "nasbench201", "--maximize", "top1", "--method", "random")
    code, out, _ = run(*arguments, "--run", "mine")
    assert (code, "vitruvius ask mine" in out) == (0, True)
    code, out, _ = run("ask", "mine", "-q", 3, "--format", "json")
    asked = json.loads(out)
    assert [entry["number"] for entry in asked["trials"]] == [0, 1, 2]
    for i, entry in enumerate(asked["trials"]):
        entry["metrics"] = {"top1": 90 + i}
    asked["trials"][1] |= {"metrics": {}, "status": "failed", "reason": "no memory"}
    cells = vitruvius.space("nasbench201")
    elsewhere = {"architecture": cells.to_string((3,) * 6), "metrics": {"top1": 94.4}}
    asked["trials"].append(elsewhere)
    Path("told.json").write_text(json.dumps(asked))
    assert json.loads(run("tell", "mine", "told.json", "--format", "json")[1]) == {
        "told": 4, "failed": 1, "known": 0,
    }  # fmt: skip
    assert "known 4" in run("tell", "mine", "told.json")[1]
    Path("pool.txt").write_text("\n".join(cells.to_string((i, 0, 0, 0, 0, 0)) for i in range(3)))
    code, out, err = run("ask", "mine", "-q", 9, "--pool", "pool.txt", "--format", "json")
    assert len(json.loads(out)["trials"]) < 9
    assert "left to propose" in err
    found = searching.open_search("mine").result()
    assert found.best[0].proposal.source == "prior"
    assert [t.reason for t in found.trials if t.status == "failed"] == ["no memory"]


def test_nothing_feasible_exits_with_3(run: Command) -> None:
    arguments = (*CORA, "--maximize", "valid_perf", "--budget", 6, "--format", "json")
    code, out, err = run(*arguments, "--where", "valid_perf>=0.99", "--run", "a")
    assert (code, json.loads(out)["best"]) == (3, [])
    assert "Nothing that was measured meets" in err


@pytest.mark.slow
def test_counted_constraints_that_nothing_meets_are_refused_with_their_bound(
    run: Command, tmp_path: Path
) -> None:
    arguments = (*CORA, "--maximize", "valid_perf", "--run", tmp_path / "run")
    code, _, err = run(*arguments, "--where", "params<=0.01")
    assert (code, err.count("the smallest params in the 26,206 rows there are is")) == (2, 1)
    told = run(*arguments[:-2], "--where", "params<=1M", "--budget", 2)[2]
    assert "params<=1M leaves 26.7% of what could be proposed" in told
    code, _, err = run(*arguments, "--where", "params<=0.06M, depth>=4, depth<=4, macs<=1")
    assert code == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("search", "nas-bench-graph", "--evaluator", "corra", "--maximize", "valid_perf"), "cora"),
        ((*CORA, "--maximize", "valid_prf"), "valid_perf"),
        (CORA, "Nothing to search for"),
        ((*CORA, "--maximize", "valid_perf", "--budget", 0), "at least 1"),
        ((*CORA, "--maximize", "valid_perf", "--workers", 0), "at least 1"),
        ((*CORA, "--maximize", "valid_perf", "--executor", "proces"), "process"),
        ((*CORA, "--maximize", "valid_perf", "--timeout", -1), "positive"),
        ((*CORA[:4], "--maximize", "valid_perf", "--method", "randm"), "random"),
        ((*CORA, "--maximize", "valid_perf", "--storage", "nonsense", "--run", "a"), "no storage"),
        (("search", "nasbench201", "--evaluator", "no.py:f", "--maximize", "a"), "is no file"),
        (("search", "nasbench201", "--evaluator", "json:nope", "--maximize", "a"), "nope"),
        (("resume", "nowhere"), "There is no run in nowhere"),
        (("ask", "nowhere"), "There is no run in nowhere"),
        (("tell", "nowhere", "missing.json"), "missing.json cannot be read"),
        (("runs", "nowhere"), "There is no folder nowhere"),
    ],
)
def test_a_mistake_gives_one_clear_message_and_exit_2(
    run: Command, arguments: tuple[object, ...], expected: str
) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error:")
    assert len(err.strip().splitlines()) == 2, "a message and a hint"
    assert expected in err


@pytest.mark.slow
def test_a_run_that_is_there_is_not_continued_with_other_settings(run: Command) -> None:
    assert run(*CORA, "--maximize", "valid_perf", "--budget", 5, "--run", "a")[0] == 0
    code, _, err = run(*CORA, "--minimize", "latency", "--budget", 5, "--run", "a", "--seed", 2)
    assert code == 2
    assert "seed: 0 there, 2 here" in err
    assert "minimize: '' there, 'latency' here" in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{not json", "no JSON"),
        ("not json", "neither JSON nor a table"),
        ("number,top1\n0", "Row 1 of told.json has 1 cells"),
        ("3", "neither JSON nor a table"),
        ('[{"metrics": {"a": 1}}]', "names no architecture"),
        ('[{"number": 0}]', "has no metrics"),
        ('[{"number": "zero", "metrics": {}}]', "wrong at number"),
        ('[{"number": 9, "metrics": {"top1": 1}}]', "no trial 9"),
        ('[{"architecture": "rubbish", "metrics": {"top1": 1}}]', "rubbish"),
    ],
)
def test_what_cannot_be_told_is_said_so(run: Command, text: str, expected: str) -> None:
    run("search", "nasbench201", "--maximize", "top1", "--method", "random", "--run", "mine")
    Path("told.json").write_text(text)
    code, _, err = run("tell", "mine", "told.json")
    assert code == 2
    assert expected in err


def test_python_objects_have_to_be_given_again(tmp_path: Path) -> None:
    def quality(architecture: Architecture) -> dict[str, float]:
        return {"accuracy": float(sum(architecture.indices))}

    told = searching.search(
        "nasbench201", evaluator=quality, maximize="accuracy", method="random", budget=5,
        executor="serial", run=tmp_path,
    )  # fmt: skip
    with pytest.raises(UsageError, match="same `evaluator`"):
        searching.resume(tmp_path)
    more = vitruvius.resume(tmp_path, evaluator=quality, budget=8)
    assert more.trials[:5] == told.trials
    assert len(more.trials) == 8


def test_a_space_from_yaml_is_kept_with_the_run(run: Command, tmp_path: Path) -> None:
    Path("train.py").write_text("def f(a):\n    return {'score': sum(a.indices)}\n")
    arguments = ("--evaluator", "train.py:f", "--maximize", "score", "--method", "random")
    code, *_ = run("search", "toy_recipe.yaml", *arguments, "--budget", 6, "--run", "a")
    assert code == 0
    code, out, _ = run("resume", "a", "--budget", 8, "--format", "json")
    assert (code, len(json.loads(out)["trials"])) == (0, 8)


@pytest.mark.parametrize("text", ["resnet-pooling x {}", "{} x resnet-pooling"])
@pytest.mark.parametrize("file", ["toy_recipe.yaml", "own.yaml"])
def test_a_product_with_a_space_from_yaml_is_resumed(run: Command, text: str, file: str) -> None:
    Path("train.py").write_text("def f(a):\n    return {'score': sum(a.indices)}\n")
    Path("own.yaml").write_text(
        "{name: own, nodes: [a], variables: [{name: b, choices: [1, 2, 3], kind: size}]}"
    )
    arguments = ("--evaluator", "train.py:f", "--maximize", "score", "--method", "random")
    code, *_ = run("search", text.format(file), *arguments, "--budget", 3, "--run", "a")
    assert code == 0
    code, out, _ = run("resume", "a", "--budget", 4, "--format", "json")
    assert (code, len(json.loads(out)["trials"])) == (0, 4)


def test_an_interruption_ends_with_130_and_says_how_to_go_on(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitruvius.bo.search.Search._record", interrupted)
    code, _, err = run(*CORA, "--maximize", "valid_perf", "--run", "a")
    assert code == 130
    assert "vitruvius resume a" in err
    entries = searching.open_search("a").log.read()
    assert [entry.interrupted for entry in entries] == [True]


@pytest.mark.slow
def test_score_sorts_a_pool_by_what_the_run_learnt(run: Command, tmp_path: Path) -> None:
    cora = vitruvius.evaluator(vitruvius.space("nas-bench-graph"), "cora")
    pool = cora.rows[100:120]
    strings = [str(architecture) for architecture in cora.space.architectures(pool)]
    (tmp_path / "pool.txt").write_text("\n".join(strings))
    search = ("search", "nas-bench-graph", "--evaluator", "cora", "--maximize", "valid_perf")
    assert run(*search, "--budget", 12, "--run", "a")[0] == 0
    code, out, _ = run("score", "a", tmp_path / "pool.txt", "--format", "json")
    scores = json.loads(out)["scores"]
    assert code == 0
    assert {entry["architecture"] for entry in scores} == set(strings)
    values = [entry["acquisition"] for entry in scores]
    assert values == sorted(values, reverse=True)
    assert all(0.1 < entry["predicted"]["valid_perf"]["mean"] < 0.9 for entry in scores)


@pytest.mark.slow
def test_score_needs_a_method_that_scores_and_two_results(run: Command, tmp_path: Path) -> None:
    (tmp_path / "pool.txt").write_text("[0,1,2,1]|gcn|gin|fc|cheb")
    assert run(*CORA, "--maximize", "valid_perf", "--budget", 3, "--run", "a")[0] == 0
    code, _, err = run("score", "a", tmp_path / "pool.txt")
    assert code == 2
    assert "'random' scores nothing" in err


@pytest.mark.slow
def test_a_search_starts_from_an_earlier_run(tmp_path: Path) -> None:
    """From Citeseer to Cora: no random architectures, weights in the summary, kept with the run."""
    first = {"maximize": "valid_perf", "seed": 1}
    searching.search(
        "nas-bench-graph", evaluator="citeseer", budget=12, run=tmp_path / "old", **first
    )
    made = {
        "evaluator": "cora",
        "budget": 4,
        "run": tmp_path / "new",
        "warm_start": [tmp_path / "old"],
        **first,
    }
    result = searching.search("nas-bench-graph", **made)
    sources = [trial.proposal.source for trial in result.trials]
    assert sources == ["warm start"] * 3 + ["exhaustive"]
    told = result.summary["warm_start"]["valid_perf"]
    assert set(told["weights"]) == {str(tmp_path / "old")}
    assert sum(told["weights"].values()) == pytest.approx(1)
    shutil.rmtree(tmp_path / "old")
    again = searching.resume(tmp_path / "new", budget=5)
    rows = [trial.proposal.row for trial in again.trials]
    assert rows[:4] == [trial.proposal.row for trial in result.trials]
    assert again.summary["warm_start"]["valid_perf"]["weights"]


def test_earlier_runs_have_to_fit(tmp_path: Path) -> None:
    searching.search(
        "nas-bench-graph",
        evaluator="citeseer",
        maximize="valid_perf",
        budget=4,
        method="random",
        run=tmp_path / "old",
    )
    with pytest.raises(UsageError, match="nas-bench-graph, not nasbench201"):
        searching.new_search("nasbench201", maximize="accuracy", warm_start=[tmp_path / "old"])
    with pytest.raises(UsageError, match="does not learn from earlier runs"):
        searching.new_search(
            "nas-bench-graph", maximize="valid_perf", method="random", warm_start=[tmp_path / "old"]
        )


@pytest.mark.slow
def test_giving_up_says_that_nothing_was_found_and_not_that_all_was_tried(run: Command) -> None:
    where = "depth<=48, params>=7M"
    Path("train.py").write_text(TRAIN)
    code, out, err = run(
        "search", "mobilenetv3", "--maximize", "accuracy", "--where", where, "--budget", 3,
        "--evaluator", "train.py:evaluate", "--method", "random", "--format", "json",
    )  # fmt: skip
    assert (code, json.loads(out)["trials"]) == (3, [])
    assert "No architecture that meets depth<=48, params>=7M was found" in err


def test_a_run_is_shown_without_going_on(run: Command) -> None:
    assert run("search", "nasbench201", "--maximize", "top1", "--run", "mine")[0] == 0
    asked = json.loads(run("ask", "mine", "--format", "json")[1])
    asked["trials"][0]["metrics"] = {"top1": 91.5}
    Path("told.json").write_text(json.dumps(asked))
    assert run("tell", "mine", "told.json")[0] == 0
    code, out, _ = run("show", "mine")
    assert code == 0
    assert "91.5" in out
    code, _, err = run("resume", "mine")
    assert code == 2
    assert "vitruvius show" in err
    assert "waiting" in run("runs", "mine")[1]


@pytest.mark.slow
def test_resume_ignores_nothing_it_was_told(run: Command) -> None:
    assert run(*CORA, "--maximize", "valid_perf", "--budget", 4, "--run", "a")[0] == 0
    for arguments, expected in (
        (("--budget", 3), "can only grow, got 3"),
        (("--budget", 0), "can only grow, got 0"),
        (("--workers", 0), "`workers` must be at least 1, got 0"),
        (("--timeout", 0), "positive, got 0"),
        (("--executor", "proces"), "Did you mean 'process'"),
    ):
        code, _, err = run("resume", "a", *arguments)
        assert code == 2
        assert expected in err


def test_failures_are_tried_again_by_a_command(run: Command) -> None:
    Path("fails.py").write_text(
        "from pathlib import Path\n"
        "def f(a):\n"
        "    if a.indices[0] % 2 and not Path('mended').exists():\n"
        "        raise RuntimeError('busy')\n"
        "    return sum(a.indices)\n"
    )
    search = ("search", "nasbench201", "--evaluator", "fails.py:f", "--maximize", "accuracy")
    options = ("--method", "random", "--executor", "serial", "--budget", 8, "--run", "a")
    assert "failed, all: RuntimeError: busy (fails.py:4)" in run(*search, *options)[2]
    Path("mended").touch()
    assert json.loads(run("resume", "a", "--format", "json")[1])["summary"]["failed"] > 0
    code, out, _ = run("resume", "a", "--retry-failed", "--format", "json")
    assert (code, json.loads(out)["summary"]["failed"]) == (0, 0)
    assert json.loads(out)["summary"]["evaluated"] == 8


def test_an_interruption_at_the_start_says_to_repeat_the_command(
    run: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitruvius.bo.store.Run.create", interrupted)
    code, _, err = run(*CORA, "--maximize", "valid_perf", "--run", "a b")
    assert code == 130
    assert "Repeat the command" in err
    assert "resume" not in err
    Path("a b").mkdir(exist_ok=True)
    code, _, err = run("resume", "a b")
    assert code == 2
    assert "nothing was kept yet" in err


@pytest.mark.slow
def test_a_run_of_labels_is_resumed_and_seeds_another(run: Command) -> None:
    sample = ("sample", "nas-bench-graph", "--data", "cora", "--target", "valid_perf>=0.5")
    assert run(*sample, "--labels", 5, "-n", 1, "--predictor", "ridge", "--run", "labels")[0] == 0
    code, out, _ = run("resume", "labels", "--format", "json")
    assert (code, len(json.loads(out)["trials"])) == (0, 5)
    made = searching.new_search("nas-bench-graph", maximize="valid_perf", warm_start=["labels"])
    assert len(made.config.warm_start[0].rows) == 5
