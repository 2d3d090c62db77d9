"""Reading .npz files without running what is in them."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from .errors import TableError

__all__ = ["Column", "read_npz"]

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


def read_npz(path: Path) -> dict[str, Column]:
    """Reads all arrays of a file; nothing in it is unpickled.

    Args:
        path: The file.

    Raises:
        TableError: Where it is truncated, no ``.npz`` file, or holds pickled objects.

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
            return {name: file[name] for name in file.files}
    except UNREADABLE as error:
        reason, hint = str(error), "It is truncated or no .npz file."
        if "allow_pickle" in reason:
            hint = "Save strings as np.array(strings, dtype=str) and numbers as float64."
            reason = "it holds object arrays, which could run code when read"
        raise TableError(f"{path.name} is refused: {reason}.", hint) from None
