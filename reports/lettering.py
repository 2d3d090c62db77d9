"""Lettering of drawings: how wide text is, where its lines break, and what XML allows of it."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from xml.sax.saxutils import escape

__all__ = ["escaped", "fitting", "joined", "text_width"]

# Widths of letters in ems, none below that of DejaVu Sans; wider ones are as wide as Chinese ones.
_USUAL, _WIDEST = 0.64, 1.0
_WIDTHS = {
    letter: width
    for width, letters in (
        (0.41, " .,:;|!'`ijlt()[]frI/\\-"),
        (0.80, "ABCDEGHKNOPQRSTUVXYZ&w#+=~<>×–≤≥^"),
        (1.01, "mMW@%—…"),
    )
    for letter in letters
}


def text_width(text: str, size: float) -> float:
    """Estimates the width of a text in pixels, on the wide side.

    Args:
        text: One line.
        size: Of the font, in pixels.

    Example:
        >>> text_width("pool", 10.0) < text_width("mean", 10.0) < text_width("卷积卷积", 10.0)
        True
    """
    return size * sum(_WIDTHS.get(letter) or _other(letter) for letter in text)


def escaped(text: str) -> str:
    """Escapes markup and drops control characters, which XML forbids.

    Args:
        text: Any text.

    Example:
        >>> escaped('a < "b"')
        'a &lt; &quot;b&quot;'
    """
    return escape("".join(letter for letter in text if letter >= " "), {'"': "&quot;"})


def fitting(text: str, width: float, size: float) -> list[str]:
    r"""Breaks every line of a text where it is wider than its room.

    Args:
        text: Any text.
        width: Of the room, in pixels.
        size: Of the font, in pixels.

    Example:
        >>> fitting("few words\nhere", 40.0, 10.0)
        ['few', 'words', 'here']
    """
    letters = max(1, int(width / text_width("n", size)))
    return [part for line in text.splitlines() for part in textwrap.wrap(line, letters)]


def joined(parts: Sequence[str], width: float, size: float) -> list[str]:
    """Joins parts by commas into lines as long as they fit; a longer part is broken.

    Args:
        parts: What is listed.
        width: Of the room, in pixels.
        size: Of the font, in pixels.

    Example:
        >>> joined(["a: 1", "b: 2", "c: 3"], 70.0, 10.0)
        ['a: 1, b: 2', 'c: 3']
    """
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}, {part}" if lines else part
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines += fitting(part, width, size)
    return lines


def _other(letter: str) -> float:
    if letter.isascii():
        return _USUAL
    return _WIDEST if unicodedata.east_asian_width(letter) in "WFA" else _WIDTHS["A"]
