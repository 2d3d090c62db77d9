"""What `sample` returns: architectures, how they came about, and what to tell of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..evaluators.metric import Metric
from ..reports import Head, draw, notebook_html, sheet_caption, write_report
from ..spaces import Architecture, Space

if TYPE_CHECKING:
    import pandas as pd

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
        met: The same of each metric that has a target, without those that cannot be told.
    """

    architecture: Architecture
    exact: dict[str, float]
    predicted: dict[str, dict[str, float]]
    measured: dict[str, float] | None
    meets_target: bool | None
    met: dict[str, bool] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form, with the architecture as its native string."""
        return {
            "architecture": str(self.architecture),
            "exact": self.exact,
            "predicted": self.predicted,
            "measured": self.measured,
            "meets_target": self.meets_target,
            "met": self.met,
        }


@dataclass(frozen=True, repr=False)
class SampleResult:
    """What `sample` returns; a notebook shows it as a table and drawings.

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

    def __repr__(self) -> str:
        return f"SampleResult({self.space.name}: {self.headline()})"

    def _repr_html_(self) -> str:
        return notebook_html(
            f"{self.space.name}: {self.headline()}",
            self.to_dataframe().rename(columns={n: m.head for n, m in self.metrics.items()}),
            self._drawings(),
            self.notes,
        )

    @property
    def missed(self) -> bool:
        """Whether there were targets and none of the returned architectures meets them."""
        told = [entry.meets_target for entry in self.samples if entry.meets_target is not None]
        return bool(told) and not any(told)

    def headline(self) -> str:
        """Says in a sentence or two what was returned, and how that compares with chance."""
        returned, target = len(self.samples), self.summary["target"]
        told = [entry.meets_target for entry in self.samples if entry.meets_target is not None]
        if not target:
            return f"{returned} returned."
        counted = [name for name, metric in self.metrics.items() if metric.exact]
        by = "count" if len(counted) == len(self.metrics) else "measurement"
        if told:
            hits, base = sum(told), self.summary["base_rate"]
            many = f"All {hits}" if hits == returned > 1 else f"{hits} of {len(told)}"
            chance = "" if base is None else f", {base * len(told):.2g} expected by chance"
            said = f"{many} meet {target} by {by}{chance}."
        else:
            said = f"{returned} returned; whether they meet {target} is not measured."
        certain = [n for n in counted if all(entry.met.get(n) for entry in self.samples)]
        if by == "measurement" and certain and not all(told or [False]):
            said += f" The target of {' and '.join(certain)} is counted, and met by all."
        return said

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form that the command line prints."""
        return {
            "architectures": [entry.to_json() for entry in self.samples],
            "summary": self.summary,
            "metrics": {
                name: {"unit": metric.unit, "better": metric.better, "exact": metric.exact}
                for name, metric in self.metrics.items()
            },
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Returns a row per architecture: what was counted and measured, by name.

        What was predicted is in columns as ``predicted.latency.mean``, the names of the JSON form.
        """
        import pandas as pd

        rows: list[dict[str, Any]] = [
            {
                "architecture": str(entry.architecture),
                **entry.exact,
                **(entry.measured or {}),
                **{
                    f"predicted.{metric}.{key}": value
                    for metric, told in entry.predicted.items()
                    for key, value in told.items()
                },
            }
            for entry in self.samples
        ]
        names = dict.fromkeys(["architecture", *(name for row in rows for name in row)])
        for row, entry in zip(rows, self.samples, strict=True):
            row["meets_target"] = entry.meets_target
        return pd.DataFrame(rows, columns=[*names, "meets_target"])

    def save(self, folder: str | Path) -> list[Path]:
        """Writes ``result.json``, ``architectures.csv``, drawings and a contact sheet.

        Args:
            folder: Made where it does not exist.

        Raises:
            OutputError: Where it cannot be written to.
        """
        share, chance = self.summary["hit_rate"], self.summary["base_rate"]
        table = self.to_dataframe().to_csv(index=False, lineterminator="\n")
        return write_report(
            folder,
            self.to_json(),
            self._drawings(),
            Head(self.headline(), share, chance),
            {"architectures.csv": table},
        )

    def _drawings(self) -> list[tuple[str, str]]:
        drawings: list[tuple[str, str]] = []
        for entry in self.samples:
            values = {**entry.exact, **(entry.measured or {})}
            shown = {m.head: values[name] for name, m in self.metrics.items() if name in values}
            met = {self.metrics[name].head: met for name, met in entry.met.items()}
            caption = sheet_caption(shown, met)
            drawings.append((draw(self.space, entry.architecture), caption))
        return drawings
