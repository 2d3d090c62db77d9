"""Writing results: whole or not at all."""

from __future__ import annotations

import json
import math
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..core.errors import OutputError
from .contact_sheet import Head, contact_sheet

__all__ = ["write_bytes", "write_report", "write_text"]

HINT = "Choose a folder that you may write to, on a disk with room."


def write_report(
    folder: str | Path,
    result_json: Mapping[str, Any],
    drawings: Sequence[tuple[str, str]],
    head: Head | None = None,
    tables: Mapping[str, str] | None = None,
) -> list[Path]:
    """Writes ``result.json``, ``architecture_001.svg`` and so on, and ``contact_sheet.svg``.

    All files are written to a folder within it first and then renamed, so that a failure
    leaves nothing half-written. Drawings of an earlier report in the same folder are removed.

    Args:
        folder: Made where it does not exist.
        result_json: The result; numbers that are not finite become null.
        drawings: Pairs of a drawing made by `draw` and its caption on the contact sheet.
        head: What stands above them there.
        tables: Further files, text by name.

    Returns:
        The files, the result first.

    Raises:
        OutputError: Where the folder cannot be written to.

    Example:
        >>> import tempfile
        >>> [file.name for file in write_report(tempfile.mkdtemp(), {"n": 0}, [])]
        ['result.json', 'contact_sheet.svg']
    """
    folder = Path(folder)
    digits = max(3, len(str(len(drawings))))
    texts = {"result.json": json.dumps(_finite(result_json), indent=2, ensure_ascii=False) + "\n"}
    texts |= tables or {}
    for number, (drawing, _) in enumerate(drawings, start=1):
        texts[f"architecture_{number:0{digits}}.svg"] = drawing
    texts["contact_sheet.svg"] = contact_sheet(drawings, head)
    # Within the folder, which may be on another disk than what is around it.
    staging = folder / f".new.{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging.mkdir()
        for name, text in texts.items():
            (staging / name).write_text(text, encoding="utf-8")
        for old in folder.glob("architecture_*.svg"):
            if old.name not in texts:
                old.unlink()
        for name in texts:
            (staging / name).replace(folder / name)
    except OSError as error:
        raise OutputError(f"Cannot write to {folder}: {error.strerror}.", HINT) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return [folder / name for name in texts]


def write_text(path: str | Path, text: str) -> None:
    """Writes a file of text, whole or not at all.

    Args:
        path: The file; its folder is made where there is none.
        text: What it shall hold.

    Raises:
        OutputError: Where it cannot be written.
    """
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: str | Path, content: bytes) -> None:
    """Writes one file, whole or not at all.

    Args:
        path: As for `write_text`.
        content: What it shall hold.

    Raises:
        OutputError: Where it cannot be written.
    """
    path = Path(path)
    staging = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        staging.write_bytes(content)
        staging.replace(path)
    except OSError as error:
        if staging.is_file():
            staging.unlink()
        raise OutputError(f"Cannot write {path}: {error.strerror}.", HINT) from error


def _finite(value: Any) -> Any:
    """JSON knows no NaN and no infinity."""
    if isinstance(value, Mapping):
        return {str(key): _finite(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
