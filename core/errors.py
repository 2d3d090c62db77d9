"""Errors of Vitruvius: one base class, one child per kind of mistake, each with a hint.

Every error a user can cause says what was expected, what came and how to mend it. Children
also inherit the builtin a caller would expect (``ValueError``, ``KeyError``, …).
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = [
    "ArchitectureError",
    "CheckpointError",
    "MissingExtraError",
    "OutputError",
    "TableError",
    "TargetError",
    "UnknownNameError",
    "UsageError",
    "VitruviusError",
    "nearest",
]


class VitruviusError(Exception):
    """Base of all errors raised on purpose.

    Args:
        message: What was expected and what came.
        hint: How to mend it; shown on a line of its own by the command line.

    Example:
        >>> str(VitruviusError("`n` must be at least 1, got 0.", "Ask for one or more."))
        '`n` must be at least 1, got 0. Ask for one or more.'
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".rstrip()


class UsageError(VitruviusError, ValueError):
    """An argument is out of its range or arguments contradict each other."""


class UnknownNameError(VitruviusError, LookupError):
    """A name (space, data set, metric, unit, generator, …) is not among the known ones."""

    @classmethod
    def of(cls, kind: str, name: str, known: Iterable[str], hint: str = "") -> UnknownNameError:
        """Builds the error for an unknown ``kind`` called ``name``, naming the nearest known one.

        Args:
            kind: What was looked up, e.g. ``"space"``.
            name: The name that came.
            known: The names there are.
            hint: Said after the suggestion.
        """
        choices = sorted(known)
        guess = nearest(name, choices)
        suggestion = f"Did you mean {guess!r}? " if guess else ""
        return cls(
            f"Unknown {kind} {name!r}.",
            f"{suggestion}Known: {', '.join(choices) or 'none'}. {hint}".strip(),
        )


class ArchitectureError(VitruviusError, ValueError):
    """A string or a row of choices is not an architecture of the space."""


class TargetError(VitruviusError, ValueError):
    """A target is malformed, contradictory or impossible."""


class TableError(VitruviusError, ValueError):
    """A benchmark table cannot be read or lacks what was asked of it."""


class CheckpointError(VitruviusError, ValueError):
    """A checkpoint is truncated, foreign or does not fit the space."""


class MissingExtraError(VitruviusError, ImportError):
    """An optional package is not installed."""


class OutputError(VitruviusError, OSError):
    """A result cannot be written."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Returns the known name closest to ``name``, or None where nothing is close.

    Example:
        >>> nearest("nasbench21", ["nasbench201", "mobilenetv3"])
        'nasbench201'
    """
    matches = difflib.get_close_matches(name.lower(), list(known), n=1, cutoff=0.5)
    return matches[0] if matches else None
