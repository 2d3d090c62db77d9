"""Lettering of drawings: how wide text is, where its lines break, and what XML allows of it."""

from __future__ import annotations

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
    lines: list[str] = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}" if line else word
            if text_width(longer, size) <= width:
                line = longer
                continue
            lines += [line] if line else []
            *whole, line = _broken(word, width, size)
            lines += whole
        lines += [line] if line else []
    return lines


def _broken(word: str, width: float, size: float) -> list[str]:
    """Breaks a word where it is wider than its room, a letter at least in each part."""
    parts = [""]
    for letter in word:
        if parts[-1] and text_width(parts[-1] + letter, size) > width:
            parts.append("")
        parts[-1] += letter
    return parts


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
