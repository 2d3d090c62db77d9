"""The grammar that says which columns of a table are metrics."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...core.cells import DECIMALS
from ...core.errors import UsageError, nearest
from ...core.units import split_unit

__all__ = ["MetricTerm", "metric_name", "parse_metric_terms", "table_options"]

# Not a metric, but what a measurement cost.
SECONDS = "seconds"
HINT = "Write e.g. 'accuracy=c10_valid_e200, latency[ms]=lat_ms_pixel3:lower'."
_QUOTED = r"\"[^\"]*\"|'[^']*'"
_OPTION = re.compile(
    rf"(?:^|,)\s*(?P<key>column|tables|decimal)\s*=\s*(?P<value>{_QUOTED}|(?<=decimal=)[.,]|"
    r"[^,]*)\s*(?=,|$)"
)
_DECIMAL = re.compile(rf"(?:^|,)\s*decimal\s*=\s*(?P<value>{_QUOTED}|[.,])\s*(?=,|$)")
_HEAD = re.compile(
    r"(?P<name>[A-Za-z_][\w.]*)(?:@(?P<fidelity>\d{1,9}))?\s*(?:\[(?P<unit>[^\[\]]*)\])?"
)
_TAIL = re.compile(r"\s*(?::\s*(?P<better>higher|lower)\s*)?(?:,|$)")
_COLUMN = re.compile(rf"\s*(?P<column>{_QUOTED}|[^:=,]+)")


@dataclass(frozen=True)
class MetricTerm:
    """One column that holds a metric, or what measuring it cost.

    Args:
        name: Of the metric.
        column: Header of the column.
        fidelity: What it was measured at; None for the full one.
        unit: What the text says of it; None where it says nothing.
        better: The same of the better direction.
    """

    name: str
    column: str
    fidelity: int | None = None
    unit: str | None = None
    better: str | None = None

    @property
    def measures(self) -> bool:
        """Whether it is a metric in full."""
        return self.fidelity is None and self.name != SECONDS


def parse_metric_terms(text: str, headers: Sequence[str]) -> list[MetricTerm]:
    """Reads terms ``name@fidelity[unit]=column:better``, parted by commas.

    A column is the longest header that fits, with its unit or without, or stands in quotes; where a
    term is only that, the metric is called as the column, with other signs than letters, digits and
    points as ``_``.

    Args:
        text: The terms.
        headers: The columns there are.

    Raises:
        UsageError: For text that is no such terms, a metric that is given twice, or only at a lower
            fidelity.

    Example:
        >>> headers = ["Latency [ms]", "acc, val"]
        >>> [(t.name, t.column) for t in parse_metric_terms("lat=Latency, acc, val", headers)]
        [('lat', 'Latency [ms]'), ('acc_val', 'acc, val')]
    """
    known = _by_spelling(headers)
    terms: list[MetricTerm] = []
    at = 0
    while at < len(text) or (terms and text[:at].rstrip().endswith(",")):
        at += len(text[at:]) - len(text[at:].lstrip())
        term, at = _term(text, at, known)
        if (term.name, term.fidelity) in {(given.name, given.fidelity) for given in terms}:
            raise UsageError(f"The metric {term.name!r} is given twice.", "Use two names.")
        terms.append(term)
    full = {term.name for term in terms if term.measures}
    for term in terms:
        if term.name not in (*full, SECONDS):
            raise UsageError(
                f"The metric {term.name!r} is given at fidelity {term.fidelity} only.",
                f"Name its column at the full fidelity too: '{term.name}=…'.",
            )
    if terms and not full:
        raise UsageError(f"{text!r} names no metric.", "Write e.g. 'accuracy=c10_valid_e200'.")
    return terms


def metric_name(header: str) -> str:
    """Returns what the metric of a column is called where nothing else is said.

    Args:
        header: Of the column.

    Example:
        >>> metric_name("Latency [ms]"), metric_name("val:top1")
        ('Latency', 'val_top1')
    """
    name = re.sub(r"[^\w.]+", "_", split_unit(header)[0]).strip("_.")
    return name if re.match(r"[A-Za-z_]", name) else f"_{name}"


def table_options(text: str) -> dict[str, Any]:
    """Parts ``column=…``, ``tables=…`` and ``decimal=…`` from the terms of metrics.

    Args:
        text: Of all of them, parted by commas.

    Returns:
        The options by name, files by absolute path; what is left as ``metrics``, as it is written.

    Example:
        >>> table_options("decimal=,, acc=Top 1, column=arch")
        {'decimal': ',', 'column': 'arch', 'metrics': 'acc=Top 1'}
    """
    options: dict[str, Any] = {}
    while match := _DECIMAL.search(text) or _OPTION.search(text):
        key = match.groupdict().get("key") or "decimal"
        value = _unquoted(match["value"].strip())
        if key == "decimal" and value not in DECIMALS:
            raise UsageError(f"{value!r} is no decimal mark.", "Write decimal=. or decimal=,")
        if key == "tables":
            options[key] = [str(Path(part.strip()).resolve()) for part in value.split("+")]
        else:
            options[key] = value
        text = text[: match.start()] + text[match.end() :]
    metrics = text.strip().removeprefix(",").strip()
    return {**options, **({"metrics": metrics} if metrics else {})}


def _by_spelling(headers: Sequence[str]) -> dict[str, str]:
    """The headers by what may be written for them, the longest first."""
    spellings = {header: header for header in headers}
    for header in headers:
        spellings.setdefault(split_unit(header)[0], header)
    return dict(sorted(spellings.items(), key=lambda pair: -len(pair[0])))


def _term(text: str, at: int, known: Mapping[str, str]) -> tuple[MetricTerm, int]:
    """The term that starts at a place, and where the next one does."""
    here = text[at:]
    head = _HEAD.match(here)
    if head and (bound := re.match(r"\s*=", here[head.end() :])):
        start = at + head.end() + bound.end()
        column, end = _column(text, start, known)
        name, fidelity, unit = head["name"], head["fidelity"], head["unit"]
    else:
        whole = None if head and head["fidelity"] and here not in known else _fitting(here, known)
        if whole is not None:
            column, end = whole[0], at + whole[1]
            name, fidelity, unit = metric_name(column), None, None
        elif head:
            column, end = known.get(head["name"], head["name"]), at + head.end()
            name, fidelity, unit = head["name"], head["fidelity"], head["unit"]
        else:
            raise _malformed(here, known)
    tail = _TAIL.match(text, end)
    if tail is None:
        raise _malformed(here, known)
    if unit is None and name == SECONDS:
        unit = "s"
    number = None if fidelity is None else int(fidelity)
    return MetricTerm(name, column, number, unit, tail["better"]), tail.end()


def _column(text: str, start: int, known: Mapping[str, str]) -> tuple[str, int]:
    """The column named from a place on, and where its name ends."""
    rest = text[start:]
    space = len(rest) - len(rest.lstrip())
    if fitting := _fitting(rest[space:], known):
        return fitting[0], start + space + fitting[1]
    match = _COLUMN.match(rest)
    if match is None:
        raise _malformed(rest, known)
    return _unquoted(match["column"].strip()), start + match.end()


def _fitting(text: str, known: Mapping[str, str]) -> tuple[str, int] | None:
    """The header that a text starts with and that a term may end after, and its length."""
    if quoted := re.match(_QUOTED, text):
        name = _unquoted(quoted[0])
        return known.get(name, name), quoted.end()
    for spelling, header in known.items():
        if spelling and text.startswith(spelling) and _TAIL.match(text, len(spelling)):
            return header, len(spelling)
    return None


def _unquoted(text: str) -> str:
    return text[1:-1].strip() if re.fullmatch(_QUOTED, text) else text


def _malformed(term: str, known: Mapping[str, str]) -> UsageError:
    term = term.split(",")[0].strip()
    guess = nearest(term.rpartition("=")[2].strip(), known)
    return UsageError(
        f"{term!r} does not say which column holds a metric.",
        f"{HINT} Put a column whose name has marks of this grammar in quotes"
        + (f": {guess!r}." if guess else "."),
    )
