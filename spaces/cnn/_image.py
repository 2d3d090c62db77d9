"""What convolutional spaces ask of their task."""

from __future__ import annotations

from ...core.errors import UsageError
from ..task import ImageTask, Task


def image_task(task: Task) -> ImageTask:
    """Returns an image task as it is.

    Raises:
        UsageError: For any other task.
    """
    if not isinstance(task, ImageTask):
        raise UsageError(
            f"A convolutional network is built for an ImageTask, got {type(task).__name__}.",
            "Give vitruvius.spaces.ImageTask(classes=…, resolution=…).",
        )
    return task
