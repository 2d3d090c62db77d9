"""Checks of what was asked, before anything is spent on it."""

from __future__ import annotations

from ..core.errors import UnknownNameError, UsageError

__all__ = ["AUTO", "check_at_least", "checked_executor"]

AUTO = "auto"


def check_at_least(**given: tuple[int, int]) -> None:
    """Checks numbers.

    Args:
        **given: A number and the least that it may be, by its name.

    Raises:
        UsageError: For one that is less.
    """
    for name, (number, least) in given.items():
        if number < least:
            raise UsageError(f"`{name}` must be at least {least}, got {number}.", "Give more.")


def checked_executor(name: str) -> str:
    """Returns the name of an executor that there is, or ``auto``.

    Args:
        name: As for `search`.

    Raises:
        UnknownNameError: For another name.
    """
    if name != AUTO:
        from ..bo.executors.resolver import EXECUTORS

        if name not in EXECUTORS:
            raise UnknownNameError.of("executor", name, [AUTO, *EXECUTORS.names()])
    return name
