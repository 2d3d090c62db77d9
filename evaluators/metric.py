"""Metrics: what an evaluator measures."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ..core.errors import UsageError

__all__ = ["Better", "Metric", "metric_of"]

LOWER_IS_BETTER = ("latency", "params", "macs", "energy", "flops", "loss", "size")
UNIT_SUFFIXES = {"_ms": "ms", "_us": "us", "_s": "s"}
BOUNDS = {
    "fraction": (0.0, 1.0),
    "%": (0.0, 100.0),
    "s": (0.0, math.inf),
    "ms": (0.0, math.inf),
    "us": (0.0, math.inf),
    "ns": (0.0, math.inf),
}

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

    @property
    def head(self) -> str:
        """The name and the unit, as the head of a column."""
        return f"{self.name} [{self.unit}]" if self.unit else self.name

    def __post_init__(self) -> None:
        if not self.bounds[0] <= self.bounds[1]:
            raise UsageError(
                f"Metric {self.name!r} has the bounds {self.bounds}, which are not in order.",
                "Give the smallest possible value first.",
            )


def metric_of(name: str, unit: str | None = None, better: str | None = None) -> Metric:
    """Makes a metric, with the unit and direction that follow from its name where not given.

    Args:
        name: Its name.
        unit: By default that of a name that ends in ``_ms``, ``_us`` or ``_s``.
        better: By default ``"lower"`` for names that start as those of costs do.

    Example:
        >>> metric_of("latency_ms").unit, metric_of("latency_ms").better
        ('ms', 'lower')
    """
    if unit is None:
        unit = next((u for end, u in UNIT_SUFFIXES.items() if name.endswith(end)), "")
    default: Better = "lower" if name.lower().startswith(LOWER_IS_BETTER) else "higher"
    direction: Better = {"higher": "higher", "lower": "lower"}.get(better or "", default)  # type: ignore[assignment]
    return Metric(name, unit.strip(), direction, BOUNDS.get(unit.strip(), (-math.inf, math.inf)))
