"""Metrics: what an evaluator measures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..core.errors import UsageError

__all__ = ["Better", "Metric"]

Better = Literal["higher", "lower"]


@dataclass(frozen=True)
class Metric:
    """One measured quantity: its unit, which way is better, which values it can take.

    Args:
        name: As users write it in targets, e.g. ``"latency"``.
        unit: ``"s"``, ``"ms"``, ``"us"`` (time); ``""``, ``"k"``, ``"M"``, ``"G"`` (counts);
            ``"fraction"``, ``"%"``; or any other text, which targets then do not convert.
        better: Which direction is the better one.
        bounds: Smallest and largest possible value, in ``unit``.
        exact: Whether it is computed from the architecture alone, so that it costs no label.

    Raises:
        UsageError: For bounds that are not in order.

    Example:
        >>> Metric("valid_perf", "fraction", "higher", (0.0, 1.0)).better
        'higher'
    """

    name: str
    unit: str
    better: Better
    bounds: tuple[float, float] = (-math.inf, math.inf)
    exact: bool = False

    def __post_init__(self) -> None:
        if not self.bounds[0] <= self.bounds[1]:
            raise UsageError(
                f"Metric {self.name!r} has the bounds {self.bounds}, which are not in order.",
                "Give the smallest possible value first.",
            )
