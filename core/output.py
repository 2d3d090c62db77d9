"""Where output goes: stdout is for results, and what is asked to be written can be."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError

from .errors import OutputError

__all__ = ["check_writable", "talk_to_stderr", "writing"]

STDOUT, STDERR = 1, 2


@contextlib.contextmanager
def talk_to_stderr() -> Iterator[None]:
    """Sends to stderr what is meant for stdout: of Python, of C code and of other programs.

    Example:
        >>> with talk_to_stderr():
        ...     print("epoch 1")
    """
    with contextlib.redirect_stdout(sys.stderr), contextlib.ExitStack() as undo:
        sys.__stdout__.flush() if sys.__stdout__ else None
        with contextlib.suppress(OSError):  # one of them may be closed
            kept = os.dup(STDOUT)
            undo.callback(os.close, kept)
            os.dup2(STDERR, STDOUT)
            undo.callback(os.dup2, kept, STDOUT)
            # What C code still holds back would come out after that.
            undo.callback(_flush)
        yield


def _flush() -> None:
    if os.name == "posix":
        ctypes.CDLL(None).fflush(None)


@contextlib.contextmanager
def writing(folder: str | Path) -> Iterator[None]:
    """Tells what cannot be written.

    Args:
        folder: Where it shall be.

    Raises:
        OutputError: Where the disk is full, read-only, or not the user's.
    """
    try:
        yield
    except OutputError:
        raise
    except (OSError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error).rpartition("I/O error: ")[2]
        raise OutputError(
            f"Cannot write to {folder}: {why}.",
            "Choose a folder that you may write to, on a disk with room.",
        ) from error


def check_writable(folder: str | Path) -> None:
    """Checks before any work that a folder can be made and written to, and leaves no trace.

    Args:
        folder: Where results shall be written.

    Raises:
        OutputError: Where it cannot.
    """
    folder = Path(folder).absolute()
    new = [each for each in (folder, *folder.parents) if not each.exists()]
    try:
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder) as file:
                file.write(b" ")
    finally:
        for each in new:
            with contextlib.suppress(OSError):
                each.rmdir()
