"""Where what was decoded or downloaded is kept, in entries that are whole or not there."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..core.errors import OutputError
from ..core.output import writing

__all__ = ["cache_folder", "new_entry", "reserve"]

CACHE, UNFINISHED = "VITRUVIUS_CACHE", ".unfinished-"
DAY = 24 * 60 * 60  # seconds


def cache_folder() -> Path:
    """Returns where decoded images and downloads are kept, which may be deleted at any time.

    The environment variable ``VITRUVIUS_CACHE`` names the folder; by default it is ``vitruvius`` in
    the user's folder for caches, which ``XDG_CACHE_HOME`` names.
    """
    if own := os.environ.get(CACHE):
        return Path(own).expanduser()
    if xdg := os.environ.get("XDG_CACHE_HOME"):
        return Path(xdg) / "vitruvius"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / "vitruvius" / "Cache"
    caches = Path("Library", "Caches") if sys.platform == "darwin" else Path(".cache")
    return Path.home() / caches / "vitruvius"


@contextmanager
def new_entry(entry: Path) -> Iterator[Path]:
    """Makes an entry of the cache that is there when it is whole, and not before.

    Args:
        entry: Its folder. One that is there already stays if it is the same.

    Returns:
        A folder beside, to write to, which is renamed in the end.

    Raises:
        OutputError: Where it cannot be written.
    """
    try:
        with writing(entry.parent):
            entry.parent.mkdir(parents=True, exist_ok=True)
            _clear(entry.parent)
            beside = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=entry.parent))
            try:
                yield beside
                _put(beside, entry)
            finally:
                shutil.rmtree(beside, ignore_errors=True)
    except OutputError as error:
        raise OutputError(
            error.message, f"Choose a folder for decoded images by the variable {CACHE}."
        ) from error


def _clear(cache: Path) -> None:
    """Deletes what processes that were killed a day ago or before left unfinished."""
    for left in cache.glob(f"{UNFINISHED}*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > DAY:
                shutil.rmtree(left)


def reserve(file: Path, size: int) -> None:
    """Makes a file whose room on the disk is there, as a full disk ends who writes to a map.

    Args:
        file: The file.
        size: In bytes.
    """
    with file.open("wb") as opened:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(opened.fileno(), 0, size)
        else:
            opened.truncate(size)


def _put(beside: Path, entry: Path) -> None:
    try:
        beside.rename(entry)
    except OSError:
        if not entry.is_dir():
            raise
        # Another process was quicker, and what it wrote is as good; unless that is damaged.
        if _described(entry) != _described(beside):
            shutil.rmtree(entry)
            beside.rename(entry)


def _described(entry: Path) -> dict[str, bytes | int]:
    """What the files of an entry hold; of large ones, their sizes."""
    return {
        file.name: file.read_bytes() if file.suffix == ".json" else file.stat().st_size
        for file in entry.iterdir()
    }
