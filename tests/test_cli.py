"""The command line, run in process on real spaces, tables and generators."""

from __future__ import annotations

import csv
import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvius import cli, space


class Run:
    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *arguments: object) -> tuple[int, str, str]:
        self.monkeypatch.setattr(sys, "argv", ["vitruvius", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = self.capsys.readouterr()
        return int(stop.value.code or 0), captured.out, captured.err


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("COLUMNS", "200")
    return Run(monkeypatch, capsys)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A user's table: 300 cells with an accuracy made from their parameters and a latency."""
    cells = space("nasbench201")
    x = cells.sample(300, 1)
    counts = cells.statistics(x)
    path = tmp_path / "mine.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["arch_str", "top1", "ms"])
        for i, row in enumerate(x.tolist()):
            accuracy = float(counts["params"][i].log10()) / 10
            writer.writerow([cells.to_string(row), accuracy, float(counts["macs"][i]) / 1e7])
    return path


SUMMARY = {
    "requested", "returned", "raw_validity", "raw_unique", "novel", "labels_used", "hit_rate",
    "base_rate", "cpu_seconds", "wall_seconds", "seed", "generator", "guidance",
}  # fmt: skip


def test_help_and_the_list_of_commands_do_not_import_torch() -> None:
    code = "import sys, vitruvius.cli; assert not {'torch', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_package_runs_as_the_command() -> None:
    told = subprocess.run(
        [sys.executable, "-m", "vitruvius", "--help"], capture_output=True, text=True, check=True
    )
    assert "sample" in told.stdout


def test_sample_prints_json_with_the_documented_keys_and_repeats_by_seed(run: Run) -> None:
    arguments = ("sample", "nasbench201", "--target", "params<=0.3M, depth>=20", "-n", 7)
    arguments += ("--batch-size", 128)
    code, out, _ = run(*arguments, "--seed", 4, "--format", "json")
    result = json.loads(out)
    assert code == 0
    assert set(result["summary"]) >= SUMMARY
    assert result["summary"]["labels_used"] == 0
    assert len({entry["architecture"] for entry in result["architectures"]}) == 7
    cells = space("nasbench201")
    x = cells.rows([entry["architecture"] for entry in result["architectures"]])
    counts = cells.statistics(x)
    assert bool((counts["params"] <= 3e5).all() and (counts["depth"] >= 20).all())
    again = json.loads(run(*arguments, "--seed", 4, "--format", "json")[1])
    other = json.loads(run(*arguments, "--seed", 5, "--format", "json")[1])
    assert again["architectures"] == result["architectures"] != other["architectures"]


def test_sample_spends_no_more_labels_than_allowed_and_returns_none_of_them(run: Run) -> None:
    code, out, _ = run(
        "sample", "nas-bench-graph", "--data", "cora", "--target", "valid_perf>=0.80, latency<=5ms",
        "-n", 20, "--labels", 60, "--predictor", "lightgbm", "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert code == 0
    assert result["summary"]["labels_used"] == 60
    assert result["summary"]["hit_rate"] > 2 * result["summary"]["base_rate"]
    for entry in result["architectures"]:
        assert set(entry["predicted"]) == {"valid_perf", "latency"}
        assert 0 <= entry["predicted"]["latency"]["probability"] <= 1
        wanted = entry["measured"]["valid_perf"] >= 0.80 and entry["measured"]["latency"] <= 5e-3
        assert entry["meets_target"] == wanted


def test_without_labels_a_measured_target_is_reported_but_guides_nothing(run: Run) -> None:
    code, out, err = run(
        "sample", "nas-bench-graph", "--data", "cora", "--target", "latency<=5ms",
        "--labels", 0, "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert (code, result["summary"]["labels_used"]) == (0, 0)
    assert all(entry["predicted"] == {} for entry in result["architectures"])
    assert "guided nothing" in err


@pytest.mark.slow
def test_a_target_nothing_meets_returns_the_closest_and_exits_3(run: Run) -> None:
    code, out, err = run(
        "sample", "nasbench201", "--target", "params=0.3M±0.01%, depth=21", "-n", 3,
        "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert code == 3
    assert result["architectures"]
    assert all(entry["meets_target"] is False for entry in result["architectures"])
    assert "closest" in err
    params = [entry["exact"]["params"] for entry in result["architectures"]]
    assert all(abs(value - 3e5) < 1e5 for value in params)


def test_a_users_table_serves_as_data(run: Run, table: Path) -> None:
    code, out, _ = run(
        "sample", "nasbench201", "--table", table, "--metrics", "accuracy=top1, latency_ms=ms",
        "--target", "accuracy>=0.56, latency_ms<=8", "-n", 5, "--labels", 80,
        "--predictor", "gp", "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert code == 0
    assert result["summary"]["labels_used"] == 80
    assert len(result["architectures"]) == 5
    measured = [entry for entry in result["architectures"] if entry["measured"]]
    assert all(set(entry["measured"]) == {"accuracy", "latency_ms"} for entry in measured)


def test_table_output_names_architectures_and_compares_with_chance(run: Run) -> None:
    code, out, _ = run("sample", "nas-bench-graph", "-n", 2, "--target", "depth<=3")
    assert code == 0
    assert "All 2 meet depth<=3 by count" in out
    assert "expected by chance" in out
    assert out.count("yes") == 2


def test_out_holds_json_drawings_and_a_contact_sheet(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "new" / "out"
    code, _, err = run("sample", "nasbench101", "-n", 3, "--out", folder)
    assert code == 0
    assert len(json.loads((folder / "result.json").read_text())["architectures"]) == 3
    drawings = sorted(folder.glob("*.svg"))
    assert len(drawings) == 4
    assert all(path.read_text().lstrip().startswith("<svg") for path in drawings)
    assert "contact_sheet.svg" in err


def test_spaces_lists_and_describes(run: Run) -> None:
    code, out, _ = run("spaces", "--format", "json")
    listed = {row["space"]: row for row in json.loads(out)}
    assert code == 0
    assert set(listed) >= {"nasbench201", "nasbench101", "nas-bench-graph", "mobilenetv3"}
    assert "cora" in listed["nas-bench-graph"]["data"]
    code, out, _ = run("spaces", "nasbench201")
    assert code == 0
    assert "6,466 architectures" in out
    assert "nor_conv_3x3" in out


def test_evaluate_counts_and_looks_up(run: Run) -> None:
    architecture = "[0,1,2,1]|gcn|gin|fc|cheb"
    code, out, _ = run(
        "evaluate", "nas-bench-graph", architecture, "--data", "cora", "--format", "json"
    )
    result = json.loads(out)
    assert code == 0
    assert result["exact"]["params"] == pytest.approx(result["measured"]["params"] * 1e6)
    code, out, _ = run("evaluate", "nas-bench-graph", architecture)
    assert code == 0
    assert "params" in out


def test_draw_writes_svg(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("draw", "nas-bench-graph", "[0,1,2,1]|gcn|gin|fc|cheb")
    assert code == 0
    assert out.lstrip().startswith("<svg")
    code, _, _ = run(
        "draw", "nas-bench-graph", "[0,1,2,1]|gcn|gin|fc|cheb", "--out", tmp_path / "a.svg"
    )
    assert (tmp_path / "a.svg").read_text().lstrip().startswith("<svg")


def test_nao_does_not_take_tasks(run: Run, tmp_path: Path) -> None:
    code, _, err = run(
        "train", "nas-bench-graph", "--out", tmp_path, "--process", "nao", "--tasks", "cora"
    )
    assert code == 2
    assert "Leave --tasks out" in err


def test_train_saves_a_generator_that_samples(run: Run, tmp_path: Path) -> None:
    cells = space("nasbench201")
    rows = tmp_path / "rows.txt"
    rows.write_text("\n".join(cells.to_string(row) for row in cells.sample(50, 0).tolist()))
    folder = tmp_path / "mine"
    code, out, _ = run("train", "nasbench201", "--out", folder, "--rows", rows, "--steps", 3)
    assert code == 0
    assert "Conditions: params, macs, depth" in out
    assert not list(tmp_path.glob(".*checkpoint"))
    code, out, _ = run("sample", "nasbench201", "--generator", folder, "--format", "json")
    result = json.loads(out)
    assert code == 0
    assert result["summary"]["novel"] > 0.9


@pytest.mark.slow
def test_train_takes_nao_too(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    code, out, err = run(
        "train", "nas-bench-graph", "--process", "nao", "--steps", 20, "--out", folder
    )
    assert code == 0, err
    assert "--generator" in out
    assert "Conditions" not in out
    code, out, _ = run(
        "sample", "nas-bench-graph", "--generator", folder, "-n", 5, "--target", "params<=1M",
        "--format", "json",
    )  # fmt: skip
    result = json.loads(out)
    assert code == 0
    assert result["summary"]["generator"] == "nas-bench-graph nao"
    assert all(each["exact"]["params"] <= 1e6 for each in result["architectures"])


def test_a_space_declared_in_yaml_samples(run: Run) -> None:
    code, out, err = run("sample", "toy_recipe.yaml", "-n", 3, "--format", "json")
    assert code == 0
    assert json.loads(out)["summary"]["generator"] == "uniform"
    assert "vitruvius train" in err


class _Malicious:
    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (Path.touch, (self.mark,))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("sample", "nasbench21"), "nasbench201"),
        (("sample", "nas-bench-graph", "--data", "corra"), "cora"),
        (("sample", "nasbench201", "--target", "acuracy>=0.9"), "params"),
        (("sample", "nas-bench-graph", "--data", "cora", "--target", "latency<=5kg"), "ms"),
        (("sample", "nasbench201", "--target", "params<=1M, params>=2M"), "params"),
        (("sample", "nasbench201", "--target", "params<=10"), "73306"),
        (("sample", "mobilenetv3", "--target", "params<=10"), "smallest"),
        (("sample", "nasbench201", "--target", "params of 3"), "params of 3"),
        (("sample", "nasbench201", "-n", 0), "at least 1"),
        (("sample", "nasbench201", "--labels", -1), "negative"),
        (("sample", "nasbench201", "--steps", 0), "at least 1"),
        (("sample", "nasbench201", "--generator", "nonesuch"), "nasbench201"),
        (("sample", "nasbench201", "--generator", "mobilenetv3"), "mobilenetv3"),
        (("sample", "nasbench201", "--guidance", "luck", "--target", "params<=1M"), "resampling"),
        (("sample", "nasbench201", "--guidance", "resampling"), "target"),
        (("sample", "nasbench201", "--device", "abacus"), "abacus"),
        (("sample", "nasbench201", "--table", "nowhere.csv", "--metrics", "a=b"), "nowhere.csv"),
        (("evaluate", "nasbench201", "[0,1,2,1]|gcn|gin|fc|cheb"), "nor_conv_3x3"),
        (("evaluate", "nas-bench-graph", "[0,3,2,1]|gcn|gin|fc|cheb"), "[0,3,2,1]"),
        (("draw", "nasbench201", "rubbish"), "rubbish"),
        (
            ("train", "nasbench201", "--out", "x", "--process", "alchemy"),
            "absorbing, continuous, nao, uniform",
        ),
    ],
)
def test_a_mistake_gives_one_clear_message_and_exit_2(
    run: Run, arguments: tuple[object, ...], expected: str
) -> None:
    code, out, err = run(*arguments)
    assert code == 2
    assert out == ""
    assert err.startswith("Error:")
    assert len(err.strip().splitlines()) == 2, "a message and a hint"
    assert expected in err
    assert "Traceback" not in err


@pytest.mark.slow
def test_train_takes_tasks_to_train_across(run: Run, tmp_path: Path) -> None:
    code, out, err = run(
        "train", "nas-bench-graph", "--tasks", "citeseer, proteins", "--steps", 1,
        "--out", tmp_path / "across",
    )  # fmt: skip
    assert code == 0, err
    assert "score, task: log classes" in out
    details = json.loads((tmp_path / "across" / "training.json").read_text())
    assert details["tasks"] == ["citeseer", "proteins"]


def test_an_unknown_predictor_is_named(run: Run) -> None:
    code, _, err = run(
        "sample", "nas-bench-graph", "--data", "cora", "--target", "valid_perf>=0.8",
        "--labels", 20, "--predictor", "oracle",
    )  # fmt: skip
    assert code == 2
    assert "lightgbm" in err


def test_a_checkpoint_that_would_run_code_does_not(run: Run, tmp_path: Path) -> None:
    from vitruvius.generators import load

    folder, mark = tmp_path / "evil", tmp_path / "ran"
    load("nasbench201").save_pretrained(folder)
    weights = folder / "denoiser" / "diffusion_pytorch_model.safetensors"
    weights.unlink()
    with (folder / "denoiser" / "diffusion_pytorch_model.bin").open("wb") as file:
        pickle.dump(_Malicious(mark), file)
    code, _, err = run("sample", "nasbench201", "--generator", folder)
    assert code == 2
    assert "safetensors" in err
    assert not mark.exists()
    weights.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00{}")
    assert run("sample", "nasbench201", "--generator", folder)[0] == 2
    torch.save({"a": 1}, weights)
    assert run("sample", "nasbench201", "--generator", folder)[0] == 2


def test_an_output_that_cannot_be_written_is_an_error_not_a_loss(run: Run, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("here")
    code, out, err = run(
        "sample", "nasbench201", "-n", 1, "--out", blocked / "folder", "--format", "json"
    )
    assert (code, out) == (2, ""), "before anything was spent"
    assert str(blocked) in err
    assert blocked.read_text() == "here"
    code, _, err = run("train", "nasbench201", "--out", blocked / "folder", "--steps", 1)
    assert code == 2


def test_debug_shows_the_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from vitruvius.core.errors import UnknownNameError

    monkeypatch.setattr(sys, "argv", ["vitruvius", "spaces", "nonesuch", "--debug"])
    with pytest.raises(UnknownNameError):
        cli.main()


def test_an_interruption_ends_with_130(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("vitruvius.verbs.sample.sample", interrupted)
    code, _, err = run("sample", "nasbench201")
    assert code == 130
    assert "Interrupted" in err


def test_candidates_are_trained_on_a_file_of_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 255, (40, 8, 8), dtype=np.uint8)
    np.savez("mine.npz", images=pixels, labels=np.arange(40) % 2)
    code, out, err = run(
        "search", "nasbench201:width=4,cells=1", "--evaluator", "mine.npz:epochs=1",
        "--maximize", "accuracy", "--where", "latency<=1000", "--method", "random",
        "--budget", "2", "--executor", "serial", "--format", "json",
    )  # fmt: skip
    assert code == 0, err
    told = json.loads(out)
    assert {"accuracy", "latency"} <= set(told["best"][0]["metrics"])
    [folder] = (tmp_path / "runs").iterdir()
    assert re.fullmatch(r"nasbench201-\d+-\d+", folder.name)
    assert (folder / "trials" / "0" / "curve.json").is_file()


def test_export_lists_what_it_wrote(run: Run, tmp_path: Path) -> None:
    cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|none~2|"
    what = ["export", cell, "--space", "nasbench201:width=4,cells=1", "--out", tmp_path / "out"]
    code, out, _ = run(*what, "--to", "json", "--to", "dot", "--format", "json")
    assert code == 0
    told = json.loads(out)
    assert told["architecture"] == cell
    assert [Path(file).name for file in told["files"]] == ["architecture.json", "architecture.dot"]
    code, out, _ = run(*what)
    assert code == 0
    assert "network.py" in out
    code, _, err = run(*what, "--retrain", "epochs=2")
    assert code == 2
    assert "nothing to train on" in err
