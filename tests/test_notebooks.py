"""What a reader copies runs as it stands: notebooks, and the commands of the tutorials."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from vitruvius import cli

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
TUTORIALS = sorted((ROOT / "docs").glob("start-*.md"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_are_of_nbformat_4_and_hold_no_outputs(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], set(notebook)) == (
        4,
        {"cells", "metadata", "nbformat", "nbformat_minor"},
    )
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        assert all(isinstance(line, str) for line in cell["source"])
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
        else:
            assert cell["cell_type"] == "markdown"


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_of_notebooks_run_one_after_the_other(path: Path, tmp_path: Path) -> None:
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    (tmp_path / "cells.py").write_text("\n".join(code), encoding="utf-8")
    command = [sys.executable, "cells.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_commands_of_tutorials_run(
    path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Blocks of files are saved, those of commands run, in the order of the page.

    `vitruvius` runs within this process, which has imported torch, and evaluates there.
    """
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```(python|yaml|bash)\n(.*?)^```", path.read_text("utf-8"), re.M | re.S)
    for language, text in blocks:
        if language != "bash":
            if file := re.match(r"# (\w+\.(?:py|yaml))\n", text):
                Path(file[1]).write_text(text, encoding="utf-8")
            continue
        for line in text.replace("\\\n", " ").splitlines():
            program, *arguments = shlex.split(line, comments=True)
            if arguments[0] == "search":
                arguments += ["--executor", "serial"]
            if program == "vitruvius":
                monkeypatch.setattr(sys, "argv", [program, *arguments])
                with pytest.raises(SystemExit) as stop:
                    cli.main()
                assert not stop.value.code, f"{line}\n{capsys.readouterr().err}"
            else:
                assert program == "python", line
                done = subprocess.run(
                    [sys.executable, *arguments], capture_output=True, text=True, check=False
                )
                assert done.returncode == 0, f"{line}\n{done.stderr}"
