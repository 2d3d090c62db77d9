"""What a report says of sampled architectures: what was wanted, and what was got."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..core.errors import VitruviusError
from ..core.texts import read_text
from ..evaluators.metric import Metric, metric_of
from ..evaluators.targets import Targets, parse_targets
from ..reports.page import Block, Cards, Facts, Figure, Section, Table
from ..reports.plot import Line, Points, plot
from .report_parts import versions, written

__all__ = ["SamplesTold", "sample_headline", "sample_sections"]

RESULT = "result.json"
# Architectures that are drawn.
DRAWN = 60
# Deviations on either side of an interval of 90 %.
WIDE = 1.6449


@dataclass(frozen=True)
class SamplesTold:
    """What `SampleResult.save` wrote.

    Args:
        folder: Where.
        samples: The architectures, as their JSON form has them.
        summary: How they came about.
        metrics: Of the targets.
    """

    folder: Path
    samples: Sequence[Mapping[str, Any]]
    summary: Mapping[str, Any]
    metrics: Mapping[str, Metric]

    @classmethod
    def of(cls, folder: Path) -> SamplesTold | None:
        """Reads a folder; None where it holds no samples.

        Args:
            folder: The folder.
        """
        try:
            told = json.loads(read_text(folder / RESULT))
            samples, summary = told["architectures"], told["summary"]
        except (OSError, ValueError, KeyError, TypeError, VitruviusError):
            return None
        metrics = {
            name: Metric(name, given["unit"], given["better"], exact=given["exact"])
            for name, given in told.get("metrics", {}).items()
        }
        return cls(folder, samples, summary, metrics)

    @property
    def targets(self) -> Targets:
        """What was asked for; nothing where it cannot be read any more."""
        known = {name for sample in self.samples for name in (*sample["met"], *sample["exact"])}
        metrics = {**{name: metric_of(name) for name in sorted(known)}, **self.metrics}
        try:
            return parse_targets(self.summary["target"], metrics)
        except VitruviusError:
            return Targets()

    def head(self, name: str) -> str:
        """The name of a metric with its unit."""
        return self.metrics[name].head if name in self.metrics else name


def sample_headline(told: SamplesTold) -> str:
    """Answers: how many of those returned meet the targets.

    Args:
        told: The samples.
    """
    summary = told.summary
    known = [sample["meets_target"] for sample in told.samples]
    known = [met for met in known if met is not None]
    of = f"{summary['returned']} architectures of {summary['space']}"
    if not summary["target"]:
        return f"{of}."
    if not known:
        return f"{of} for {summary['target']}; whether they meet it is not measured."
    base = summary["base_rate"]
    chance = f", {base * len(known):.2g} expected by chance" if base is not None else ""
    return f"{sum(known)} of {len(known)} meet {summary['target']}{chance}."


def sample_sections(told: SamplesTold) -> list[Section]:
    """Says all of samples.

    Args:
        told: The samples.
    """
    return [
        Section("Wanted and got", list(_wanted(told))),
        Section("The architectures", [Cards(list(_cards(told)))]),
        Section("Every number", list(_numbers(told))),
        Section("How they came about", [Facts(_origin(told))]),
    ]


def _wanted(told: SamplesTold) -> Iterator[Block]:
    for target in told.targets:
        marks: list[Line | Points] = []
        numbers = list(range(1, len(told.samples) + 1))
        for bound in (target.low, target.high):
            if math.isfinite(bound):
                marks.append(Line([1, len(numbers)], [bound] * 2, "wanted", dashed=True))
        marks = marks[:1] + [Line(m.x, m.y, dashed=True) for m in marks[1:]]
        guesses = [s["predicted"].get(target.metric) for s in told.samples]
        if all(guesses):
            mean = [guess["mean"] for guess in guesses]
            wide = [WIDE * guess["std"] for guess in guesses]
            low, high = zip(*((m - w, m + w) for m, w in zip(mean, wide, strict=True)), strict=True)
            marks.append(Points(numbers, mean, "predicted, with 90 %", low=low, high=high))
        got = [_got(sample, target.metric) for sample in told.samples]
        if any(value == value for value in got):
            links = [f"#architecture-{number}" for number in numbers]
            titles = [f"architecture {n}: {v:.5g}" for n, v in zip(numbers, got, strict=True)]
            marks.append(Points(numbers, got, "got", links, titles, hollow=True))
        yield Figure(
            plot(marks, x="architecture, likeliest first", y=told.head(target.metric)), target.text
        )


def _got(sample: Mapping[str, Any], name: str) -> float:
    value = (sample["measured"] or {}).get(name, sample["exact"].get(name))
    return math.nan if value is None else float(value)


def _cards(told: SamplesTold) -> Iterator[tuple[str, str, str, list[str]]]:
    files = sorted(told.folder.glob("architecture_*.svg"))
    for number, (sample, file) in enumerate(zip(told.samples, files, strict=False), start=1):
        if number > DRAWN:
            return
        # A file of others is shown as an image, in which nothing runs.
        data = base64.b64encode(file.read_bytes()).decode()
        image = f'<img alt="architecture {number}" src="data:image/svg+xml;base64,{data}">'
        values = {**sample["exact"], **(sample["measured"] or {})}
        lines = [
            f"{told.head(name)}: {written(float(value))}"
            for name, value in values.items()
            if value is not None
        ]
        met = {True: "meets the target", False: "misses the target", None: "not measured"}
        heading = f"Architecture {number}, {met[sample['meets_target']]}"
        yield image, f"architecture-{number}", heading, lines


def _numbers(told: SamplesTold) -> Iterator[Block]:
    exact = dict.fromkeys(name for s in told.samples for name in s["exact"])
    measured = dict.fromkeys(name for s in told.samples for name in s["measured"] or {})
    predicted = dict.fromkeys(name for s in told.samples for name in s["predicted"])
    names = dict.fromkeys([*exact, *measured])
    rows = []
    for number, sample in enumerate(told.samples, start=1):
        values = {**sample["exact"], **(sample["measured"] or {})}
        row = [number, sample["architecture"], *(values.get(name) for name in names)]
        for name in predicted:
            guess = sample["predicted"].get(name) or {}
            row += [guess.get("mean"), guess.get("probability")]
        rows.append(row)
    heads = ["number", "architecture", *map(told.head, names)]
    for name in predicted:
        heads += [f"predicted {told.head(name)}", f"chance of its target, {name}"]
    yield Table(heads, rows)


def _origin(told: SamplesTold) -> dict[str, str]:
    said = {}
    for key, value in told.summary.items():
        if value in (None, "", {}):
            continue
        if isinstance(value, Mapping):
            value = ", ".join(f"{name}: {what}" for name, what in value.items())
        said[key.replace("_", " ")] = written(value) if isinstance(value, float) else str(value)
    return {**said, **versions()}
