"""What `sample` returns: architectures, how they came about, and what to tell of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..evaluators.metric import Metric
from ..reports import draw, sheet_caption, write_report
from ..spaces import Architecture, Space

__all__ = ["Sample", "SampleResult"]


@dataclass(frozen=True)
class Sample:
    """One returned architecture.

    Args:
        architecture: The architecture.
        exact: Metrics that were counted, in the unit of the data's metric or as plain counts.
        predicted: Per predicted metric its ``mean`` and ``std``, in its unit, and the
            ``probability`` of meeting the target.
        measured: Looked up after sampling; None where there is no table or it lacks this one.
        meets_target: By count and measurement; None where that cannot be told.
    """

    architecture: Architecture
    exact: dict[str, float]
    predicted: dict[str, dict[str, float]]
    measured: dict[str, float] | None
    meets_target: bool | None

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form, with the architecture as its native string."""
        return {
            "architecture": str(self.architecture),
            "exact": self.exact,
            "predicted": self.predicted,
            "measured": self.measured,
            "meets_target": self.meets_target,
        }


@dataclass(frozen=True)
class SampleResult:
    """What `sample` returns.

    Args:
        space: The space of the architectures.
        samples: The architectures, the likeliest to meet the targets first.
        summary: How they came about; see the documentation of ``vitruvius sample``.
        metrics: The metrics of the targets.
        notes: What the user should know, in whole sentences.
    """

    space: Space
    samples: list[Sample]
    summary: dict[str, Any]
    metrics: dict[str, Metric] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def missed(self) -> bool:
        """Whether there were targets and none of the returned architectures meets them."""
        told = [entry.meets_target for entry in self.samples if entry.meets_target is not None]
        return bool(told) and not any(told)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form that the command line prints."""
        return {
            "architectures": [entry.to_json() for entry in self.samples],
            "summary": self.summary,
        }

    def save(self, folder: str | Path) -> list[Path]:
        """Writes ``result.json``, a drawing of each architecture and a contact sheet.

        Args:
            folder: Made where it does not exist.

        Raises:
            OutputError: Where it cannot be written to.
        """
        drawings = []
        for entry in self.samples:
            values = {**entry.exact, **(entry.measured or {})}
            shown = {name: values[name] for name in self.metrics if name in values}
            caption = sheet_caption(shown, entry.meets_target)
            drawings.append((draw(self.space, entry.architecture), caption))
        return write_report(folder, self.to_json(), drawings)
