"""Finding: what a check of the doctor tells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "State"]

State = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Finding:
    """What a check has found.

    Args:
        check: Name of the check.
        state: ``"ok"``, ``"warning"`` where it may be meant, or ``"problem"``.
        what: What was found, in a sentence.
        advice: What to do; blank where nothing has to be done.

    Example:
        >>> Finding("disk", "ok", "12 GB are free.").advice
        ''
    """

    check: str
    state: State
    what: str
    advice: str = ""
