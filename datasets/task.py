"""From text, or raw data, to the task that architectures are built for."""

from __future__ import annotations

from ..spaces import Task
from ..spaces.task import parse_task
from .raw_data import is_raw, load_raw

__all__ = ["read_task"]


def read_task(text: str, default: Task) -> Task:
    """Reads a task.

    Args:
        text: Fields such as ``"classes=6, features=3703"``, or the path or name of raw data (see
            `load_raw`), which say all.
        default: What fields are taken from that the text does not name.

    Raises:
        UnknownNameError: For a field that such a task does not have.
        UsageError: For values out of range.
        TableError: For raw data that cannot be read.

    Example:
        >>> from vitruvius.spaces import ImageTask
        >>> read_task("classes=100", ImageTask()).classes
        100
    """
    return load_raw(text).task if is_raw(text) else parse_task(text, default)
