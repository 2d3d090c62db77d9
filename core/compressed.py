"""Files that are compressed as a whole, such as ``results.csv.gz``."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable
from pathlib import Path

from .errors import UsageError

__all__ = ["ENDINGS", "read_bytes", "suffix_of"]

ENDINGS = (".gz", ".bz2", ".xz")
# By their first bytes: browsers and clients unpack files without changing their names.
_MARKS: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ\0": lzma.decompress,
}


def suffix_of(path: str | Path) -> str:
    """Returns the ending that says what a file holds, in lower case.

    Args:
        path: The file.

    Example:
        >>> suffix_of("results.CSV.gz"), suffix_of("results.csv")
        ('.csv', '.csv')
    """
    path = Path(path)
    return (path.with_suffix("") if path.suffix.lower() in ENDINGS else path).suffix.lower()


def read_bytes(path: str | Path) -> bytes:
    """Reads a file, uncompressed where it is compressed.

    Args:
        path: The file.

    Raises:
        OSError: Where it cannot be read.
        UsageError: Where it is compressed and broken.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mine.csv.gz"
        >>> _ = file.write_bytes(gzip.compress(b"arch,acc"))
        >>> read_bytes(file)
        b'arch,acc'
    """
    path = Path(path)
    content = path.read_bytes()
    for mark, decompress in _MARKS.items():
        if content.startswith(mark):
            try:
                return decompress(content)
            except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
                raise UsageError(
                    f"{path.name} is compressed and broken: {error}.", "Is it a whole file?"
                ) from None
    return content
