import json
import math
from pathlib import Path

import pytest

from vitruvius.core.errors import OutputError
from vitruvius.reports import draw, write_report, write_text, writer as module
from vitruvius.spaces import space

CELLS = space("nasbench201")
DRAWING = (draw(CELLS, CELLS.example), "caption")


def test_files_of_a_report(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "report"
    files = write_report(folder, {"value": [math.nan, math.inf, 1.5], "name": "é"}, [DRAWING] * 2)
    expected = ["result.json", "architecture_001.svg", "architecture_002.svg", "contact_sheet.svg"]
    assert [file.name for file in files] == expected
    assert sorted(path.name for path in folder.iterdir()) == sorted(expected)
    assert [path.name for path in folder.parent.iterdir()] == ["report"]
    assert json.loads(files[0].read_text()) == {"value": [None, None, 1.5], "name": "é"}
    assert files[1].read_text() == DRAWING[0]


def test_a_second_report_replaces_the_first(tmp_path: Path) -> None:
    write_report(tmp_path, {"n": 3}, [DRAWING] * 3)
    (tmp_path / "notes.txt").write_text("mine")
    write_report(tmp_path, {"n": 1}, [DRAWING])
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "architecture_001.svg", "contact_sheet.svg", "notes.txt", "result.json",
    ]  # fmt: skip


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OutputError, match=r"Cannot write to .*Choose a folder"):
            write_report(folder, {}, [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_full_disk_leaves_the_old_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_report(tmp_path / "report", {"n": 1}, [DRAWING])
    write = Path.write_text

    def full(path: Path, text: str, encoding: str) -> int:
        if path.name == "contact_sheet.svg":
            raise OSError(28, "No space left on device")
        return write(path, text, encoding=encoding)

    monkeypatch.setattr(module.Path, "write_text", full)
    with pytest.raises(OutputError, match="No space left"):
        write_report(tmp_path / "report", {"n": 2}, [DRAWING] * 2)
    report = tmp_path / "report"
    assert json.loads((report / "result.json").read_text()) == {"n": 1}
    assert len(list(report.iterdir())) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


def test_one_file(tmp_path: Path) -> None:
    write_text(tmp_path / "deep" / "a.svg", "x")
    assert (tmp_path / "deep" / "a.svg").read_text() == "x"
    for path in (tmp_path, tmp_path / "deep" / "a.svg" / "b"):
        with pytest.raises(OutputError, match="Cannot write"):
            write_text(path, "y")
    assert [path.name for path in tmp_path.rglob("*")] == ["deep", "a.svg"]
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_a_folder_on_another_disk_than_its_parent_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    move = Path.replace

    def within_a_disk(path: Path, target: Path) -> Path:
        if tmp_path / "disk" not in path.parents:
            raise OSError(18, "Invalid cross-device link")
        return move(path, target)

    monkeypatch.setattr(Path, "replace", within_a_disk)
    (tmp_path / "disk").mkdir()
    assert len(write_report(tmp_path / "disk", {"n": 1}, [DRAWING])) == 3
    assert [path.name for path in tmp_path.iterdir()] == ["disk"]
