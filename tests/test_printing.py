"""What users wrote is printed as it is, whole, in any encoding, and after results are saved."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from vitruvius import cli
from vitruvius.cli._printing import print_json, print_table, quantity

ODD = """
name: "[bold]odd[/bold]"
nodes: [in, act, out]
skeleton: [[0, 1], [1, 2]]
inputs: [0]
outputs: [2]
variables:
  - {name: "[red]act", choices: ["[/silu]", ":smile:", "µ-law"], kind: op, place: [1]}
"""
CELL = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    monkeypatch.setattr(sys, "argv", ["vitruvius", *map(str, arguments)])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    return int(stop.value.code or 0)


@pytest.fixture
def odd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "odd.yaml").write_text(ODD, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize("choice", ["[/silu]", ":smile:", "µ-law"])
def test_names_are_printed_as_they_are(
    odd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], choice: str
) -> None:
    assert run(monkeypatch, "sample", "odd.yaml", "-n", 3, "--out", "out") == 0
    assert choice in capsys.readouterr().out
    assert (odd / "out" / "result.json").is_file()
    assert run(monkeypatch, "spaces", "odd.yaml") == 0
    printed = capsys.readouterr().out
    assert all(text in printed for text in (choice, "[bold]odd[/bold]", "[red]act"))


@pytest.mark.parametrize("name", ["results[old].csv", "results[/old].csv", ":x: [b].csv"])
def test_files_that_are_not_there_are_named_whole(
    odd: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert run(monkeypatch, "evaluate", "nasbench201", CELL, "--data", name) == 2
    assert name in capsys.readouterr().err


def test_options_that_there_are_not_are_named_whole(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "sample", "nasbench201", "--[/bold]x") == 2
    assert "--[/bold]x" in capsys.readouterr().err
    assert run(monkeypatch, "[/sample]") == 2
    assert "[/sample]" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("form", ["table", "json"])
def test_no_encoding_loses_a_result(
    odd: Path, monkeypatch: pytest.MonkeyPatch, encoding: str, form: str
) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    arguments = ("sample", "odd.yaml", "-n", 3, "--format", form, "--out", "größe")
    assert run(monkeypatch, *arguments) == 0
    sys.stdout.flush()
    text = written.getvalue().decode(encoding)
    assert "silu" in text
    if form == "json":
        names = {entry["architecture"] for entry in json.loads(text)["architectures"]}
        assert any("µ-law" in name for name in names)
    assert (odd / "größe" / "result.json").is_file()


@pytest.mark.parametrize("columns", [20, 40, 80, 200])
def test_what_people_copy_stays_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], columns: int
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    long = "[0,1,1,1]|cheb|" + "gin|" * 12
    print_table(
        ("architecture", "accuracy [%]"), [(long, "93.1"), (long, "94")], copied="architecture"
    )
    lines = capsys.readouterr().out.splitlines()
    assert sum(long in line for line in lines) == 2


def test_without_a_terminal_a_table_is_as_wide_as_it_has_to_be(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    long = "k3e6," * 100
    print_table(("architecture", "params"), [(long, "1")], copied="architecture")
    assert any(long in line and "1" in line for line in capsys.readouterr().out.splitlines())


@pytest.mark.parametrize(
    ("value", "written"),
    [(3488700.0, "3,488,700"), (0.00438123456, "0.00438123"), (float("nan"), "nan"),
     (float("-inf"), "-inf"), (1e30, "1e+30"), (-2.0, "-2")],
)  # fmt: skip
def test_quantities(value: float, written: str) -> None:
    assert quantity(value) == written
    assert quantity(value, "ms") == f"{written} ms"


def test_json_of_a_stream_without_an_encoding(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    print_json({"a": "µ"})
    assert json.loads(stream.getvalue()) == {"a": "µ"}
