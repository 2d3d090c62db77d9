import os
import sys
import time
from pathlib import Path

import pytest

from vitruvius.core.errors import OutputError
from vitruvius.datasets import cache
from vitruvius.datasets.cache import cache_folder, new_entry, reserve


def write(entry: Path, text: str) -> None:
    with new_entry(entry) as beside:
        (beside / "a.json").write_text(text)


def test_an_entry_is_there_when_it_is_whole(tmp_path: Path) -> None:
    entry = tmp_path / "images" / "one"
    with pytest.raises(TypeError):
        write(entry, None)  # type: ignore[arg-type] # fails once the file is open
    assert list(entry.parent.iterdir()) == []
    write(entry, "whole")
    assert (entry / "a.json").read_text() == "whole"
    assert list(entry.parent.iterdir()) == [entry]


def test_the_same_entry_stays_and_another_is_replaced(tmp_path: Path) -> None:
    entry = tmp_path / "one"
    write(entry, "whole")
    made = entry.stat().st_ino
    write(entry, "whole")
    assert entry.stat().st_ino == made
    write(entry, "better")
    assert (entry / "a.json").read_text() == "better"
    assert list(tmp_path.iterdir()) == [entry]


def test_what_a_killed_process_left_is_deleted_after_a_day(tmp_path: Path) -> None:
    for name, age in (("old", 2 * cache.DAY), ("new", 0)):
        left = tmp_path / f"{cache.UNFINISHED}{name}"
        left.mkdir()
        (left / "pixels.bin").write_bytes(b"half")
        os.utime(left, (time.time() - age,) * 2)
    write(tmp_path / "one", "whole")
    assert {entry.name for entry in tmp_path.iterdir()} == {"one", f"{cache.UNFINISHED}new"}


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"Cannot write to .*VITRUVIUS_CACHE"):
        write(tmp_path / "file" / "images" / "one", "whole")


def test_room_is_reserved(tmp_path: Path) -> None:
    reserve(tmp_path / "a", 100)
    assert (tmp_path / "a").read_bytes() == bytes(100)


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VITRUVIUS_CACHE", os.path.join("~", "mine"))
    assert cache_folder() == Path.home() / "mine"
    monkeypatch.delenv("VITRUVIUS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "vitruvius"
    monkeypatch.delenv("XDG_CACHE_HOME")
    for platform in ("linux", "darwin", "win32"):
        monkeypatch.setattr(sys, "platform", platform)
        assert "vitruvius" in cache_folder().parts
