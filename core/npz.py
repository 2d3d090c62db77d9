"""Reading .npz files without running what is in them."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from .errors import TableError

__all__ = ["Column", "npz_names", "read_npz"]

Column = np.ndarray[Any, np.dtype[Any]]

# What a broken archive, or a broken header of an array in it, can end in.
UNREADABLE = (
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    SyntaxError,
    TokenError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


def npz_names(path: Path) -> list[str]:
    """Lists the names of a file's arrays, without reading any.

    Args:
        path: The file.

    Raises:
        TableError: Where it is truncated or no ``.npz`` file.
    """
    try:
        with zipfile.ZipFile(path) as file:
            return [name.removesuffix(".npy") for name in file.namelist()]
    except UNREADABLE as error:
        raise _refused(path, str(error)) from None


def read_npz(path: Path, names: Sequence[str] | None = None) -> dict[str, Column]:
    """Reads arrays of a file; nothing in it is unpickled.

    Args:
        path: The file.
        names: Those to read; by default all.

    Raises:
        TableError: Where it is truncated, no ``.npz`` file, or what is read holds pickled objects.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "two.npz"
        >>> np.savez(file, a=[1, 2])
        >>> read_npz(file)["a"].tolist()
        [1, 2]
    """
    try:
        with path.open("rb") as raw, zipfile.ZipFile(raw):
            raw.seek(0)
            file = np.load(raw, allow_pickle=False)
            return {name: file[name] for name in (file.files if names is None else names)}
    except UNREADABLE as error:
        raise _refused(path, str(error)) from None


def _refused(path: Path, reason: str) -> TableError:
    hint = "It is truncated or no .npz file."
    if "allow_pickle" in reason:
        hint = "Save strings as np.array(strings, dtype=str) and numbers as float64."
        reason = "it holds object arrays, which could run code when read"
    return TableError(f"{path.name} is refused: {reason}.", hint)
