"""Context: what an evaluation may use beside the architecture."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from ..core.errors import UsageError
from .returned import numbers

__all__ = ["Context"]


class Context:
    """What an evaluation may use: where to compute, where to write, how long, whether to go on.

    Args:
        device: Where to compute, as torch names it.
        folder: Folder of its own; see the property.
        deadline: `time.time` at which it will be ended; None for never.
        reporter: What takes intermediate values and tells whether to go on; None for always.

    Attributes:
        metrics: The last intermediate values reported.
        stopped: The step at which it was told to stop, None before.

    Example:
        >>> context = Context(reporter=lambda step, metrics: metrics["accuracy"] > 0.5)
        >>> context.report(1, {"accuracy": 0.7}), context.report(2, {"accuracy": 0.4})
        (True, False)
        >>> context.stopped
        2
    """

    def __init__(
        self,
        device: str = "cpu",
        folder: Path | None = None,
        deadline: float | None = None,
        reporter: Callable[[int, Mapping[str, float]], bool] | None = None,
    ) -> None:
        self.device, self.deadline = device, deadline
        self._folder, self._reporter = folder, reporter
        self.metrics: dict[str, float] = {}
        self.stopped: int | None = None

    @property
    def folder(self) -> Path | None:
        """Folder of its own for checkpoints, made when it is asked for; None without a run's."""
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    def report(self, step: int, metrics: Mapping[str, Any]) -> bool:
        """Reports intermediate values; an evaluation that is told to stop returns what it has.

        Args:
            step: For example the epoch, from 0 or 1, ascending.
            metrics: Values by name; what is no number is left out.

        Returns:
            Whether to go on.

        Raises:
            UsageError: For a step that is no whole number of 0 or more.
        """
        if isinstance(step, bool) or int(step) != step or step < 0:
            raise UsageError(f"`step` is {step!r}.", "Report whole numbers, such as the epoch.")
        self.metrics = numbers(metrics)[0]
        if self._reporter is not None and not self._reporter(int(step), self.metrics):
            self.stopped = int(step)
        return self.stopped is None

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; infinite where there is none."""
        return math.inf if self.deadline is None else self.deadline - time.time()
