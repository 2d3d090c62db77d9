"""What graph spaces ask of their task."""

from __future__ import annotations

from ...core.errors import UsageError
from ..task import GraphTask, Task


def graph_task(task: Task) -> GraphTask:
    """Returns a graph task as it is.

    Raises:
        UsageError: For any other task.
    """
    if not isinstance(task, GraphTask):
        raise UsageError(
            f"A graph network is built for a GraphTask, got {type(task).__name__}.",
            "Give vitruvius.spaces.GraphTask(features=…, classes=…).",
        )
    return task
