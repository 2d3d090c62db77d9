"""Formats by name, and the one way to write a model in several of them."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from ..core.errors import UsageError
from ..core.registry import Registry
from .model import Model

__all__ = ["FORMATS", "write_model"]

FORMATS = Registry(
    "format",
    "vitruvius.formats",
    {
        "pytorch": "exports.formats.pytorch:write_pytorch",
        "onnx": "exports.formats.onnx:write_onnx",
        "torchscript": "exports.formats.torchscript:write_torchscript",
        "json": "exports.formats.architecture_json:write_json",
        "dot": "exports.formats.dot:write_dot",
    },
)


def write_model(model: Model, formats: Sequence[str], folder: str | Path) -> list[Path]:
    """Writes a model; what lay under the same names is replaced once all is written.

    Args:
        model: The model.
        formats: Names of `FORMATS`.
        folder: Where to; made where it is not there.

    Returns:
        The files.

    Raises:
        UnknownNameError: For a format that there is not.
        UsageError: Where the folder is a file, or the network cannot be written in a format.
    """
    writers: list[Callable[[Model, Path], list[Path]]] = [FORMATS.get(name) for name in formats]
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file.", "Give a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as made:
        written = [path.name for write in writers for path in write(model, Path(made))]
        for name in written:
            os.replace(Path(made) / name, folder / name)
        shutil.rmtree(Path(made) / "__pycache__", ignore_errors=True)
    return [folder / name for name in written]
