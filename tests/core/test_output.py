from __future__ import annotations

import ctypes
import os
from pathlib import Path

import pytest
from safetensors import SafetensorError

from vitruvius.core.errors import OutputError
from vitruvius.core.output import check_writable, talk_to_stderr, writing


def test_nothing_but_results_reaches_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    print("before")
    with talk_to_stderr():
        print("python")
        os.system("echo program")
        with talk_to_stderr():
            ctypes.CDLL(None).puts(b"library")
        os.system("echo again")
    print("after")
    out, err = capfd.readouterr()
    assert out.split() == ["before", "after"]
    assert sorted(err.split()) == ["again", "library", "program", "python"]


def test_what_cannot_be_written_is_said_before_and_leaves_no_trace(tmp_path: Path) -> None:
    check_writable(tmp_path / "new" / "folder")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Cannot write to .*folder: "):
        check_writable(tmp_path / "file" / "folder")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    "error",
    [
        OSError(28, "No space left on device"),
        SafetensorError(
            "Error while serializing: I/O error: No space left on device (os error 28)"
        ),
    ],
)
def test_what_a_disk_does_not_take_is_told(error: Exception) -> None:
    told = pytest.raises(OutputError, match="Cannot write to here: No space left on device")
    with told, writing("here"):
        raise error
