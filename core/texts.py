"""Text files, as editors, shells and spreadsheets of any system save them."""

from __future__ import annotations

import codecs
from pathlib import Path

from .compressed import read_bytes
from .errors import UsageError

__all__ = ["decode", "numbered_lines", "read_text"]

# UTF-32 first: its mark starts with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def decode(content: bytes, name: str) -> str:
    r"""Decodes a text in UTF-8, or in what its byte order mark says; lines end in ``\n``.

    Args:
        content: The bytes.
        name: What they are called in errors.

    Raises:
        UsageError: For another encoding, or no text at all.

    Example:
        >>> decode("a\r\nb".encode("utf-16"), "pool.txt")
        'a\nb'
    """
    encoding = next((known for mark, known in _MARKS if content.startswith(mark)), "utf-8-sig")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{name} is no text in {encoding.removesuffix('-sig').upper()}: line {line} holds the "
            f"byte 0x{content[error.start]:02x}.",
            "Save it as UTF-8.",
        ) from None
    if "\0" in text:
        raise UsageError(f"{name} holds zero bytes, which no text does.", "Save it as UTF-8.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def read_text(path: str | Path) -> str:
    """Reads a text file, compressed or not; see `decode`.

    Args:
        path: The file.

    Raises:
        UsageError: Where it cannot be read, or is no text.
    """
    path = Path(path)
    try:
        content = read_bytes(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{path} cannot be read: {reason}.", "Is the path right?") from None
    return decode(content, path.name)


def numbered_lines(text: str) -> list[tuple[int, str]]:
    r"""Lists the lines that are not blank, without the space around them, by their numbers.

    Args:
        text: As from `decode`.

    Example:
        >>> numbered_lines("a\n\n b\n")
        [(1, 'a'), (3, 'b')]
    """
    lines = enumerate((line.strip() for line in text.split("\n")), start=1)
    return [(number, line) for number, line in lines if line]
