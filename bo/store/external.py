"""Results that people bring, as JSON or as a table."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PrivateAttr, ValidationError, field_validator

from ...core.cells import NotANumberError, decimal_marks, is_missing, read_numbers
from ...core.compressed import suffix_of
from ...core.errors import UsageError, VitruviusError
from ...core.frames import Frame, is_table, parse_delimited, read_frame
from ...core.texts import numbered_lines, read_text
from ...evaluators.evaluation import Evaluation, Status
from ...spaces import Architecture

__all__ = ["ExternalResult", "parse_results", "read_results"]

# What `parse_results` tells apart.
_TEXTS = (".json", ".jsonl", ".ndjson", ".txt")
HINT = (
    'Write e.g. [{"architecture": "…", "metrics": {"accuracy": 93.1}}], or CSV with a header: '
    "architecture,accuracy."
)


class ExternalResult(BaseModel):
    """One result; other keys, such as those of ``vitruvius ask``, are ignored.

    Args:
        number: Of the trial; needed only without ``architecture``.
        architecture: Native string.
        metrics: What was measured.
        status: ``"ok"``, ``"failed"`` or ``"pruned"``; what was ``"running"`` is no result.
        reason: The reason why it is not ``"ok"``.
        fidelity: The budget it was evaluated at; none for the full one.
        seed: Of the training.
        seconds: What it cost.
    """

    number: int | None = None
    architecture: str | None = None
    metrics: dict[str, float] = {}
    status: Status = "ok"
    reason: str = ""
    fidelity: int | None = None
    seed: int = 0
    seconds: float = 0.0
    _position: int | None = PrivateAttr(default=None)

    @field_validator("metrics", mode="before")
    @classmethod
    def _numbers(cls, metrics: Any) -> Any:
        """Leaves out what is no number, such as a note: whether it was asked for shows later."""
        if not isinstance(metrics, dict):
            return metrics
        return {name: value for name, value in metrics.items() if _is_number(value)} or metrics

    def evaluation(self, architecture: Architecture, fidelity: int | None) -> Evaluation:
        """Returns the result as the record of it.

        Args:
            architecture: What was evaluated.
            fidelity: At which fidelity.
        """
        return Evaluation(
            architecture,
            self.metrics,
            self.status,
            self.reason,
            fidelity,
            self.seed,
            self.seconds,
        )

    def __eq__(self, other: object) -> bool:
        """Whether both say the same, wherever that was read."""
        return isinstance(other, ExternalResult) and self.model_dump() == other.model_dump()

    __hash__ = None  # type: ignore[assignment]

    @contextmanager
    def named(self, position: int) -> Iterator[None]:
        """Says in errors of which result they are.

        Args:
            position: Among the results at hand, where it was not read from a file.
        """
        try:
            yield
        except VitruviusError as error:
            number = position if self._position is None else self._position
            raise type(error)(f"Result {number}: {error.message}", error.hint) from None


_FIELDS = frozenset(ExternalResult.model_fields) - {"metrics"}


def read_results(path: str | Path) -> list[ExternalResult]:
    """Reads a file of results.

    Args:
        path: Text, as for `parse_results`, or any table that `read_frame` reads.

    Raises:
        UsageError: Where it cannot be read.
        TableError: The same of a table.
        MissingExtraError: Where the package that reads it is not installed.
    """
    path = Path(path)
    if is_table(path) and suffix_of(path) not in _TEXTS and path.is_file():
        return _validated(_rows(read_frame(path)))
    return parse_results(read_text(path), path.name)


def parse_results(text: str, name: str = "This") -> list[ExternalResult]:
    r"""Reads results.

    Args:
        text: JSON: one result, a list of them, one a line, or an object with a list ``trials``,
            such as another search printed. Or a table of text with a header; missing cells say
            nothing. Columns, and what an object without ``metrics`` has, are fields of
            `ExternalResult` or metrics.
        name: What the text is called in errors.

    Raises:
        UsageError: Where it is not.
        TableError: For a table that is ragged, or whose numbers cannot be read.

    Example:
        >>> [told.metrics for told in parse_results('{"number": 3, "metrics": {"accuracy": 93.1}}')]
        [{'accuracy': 93.1}]
        >>> parse_results("number,accuracy,fidelity\n3,93.1,12")[0].fidelity
        12
    """
    if not text.strip():
        raise UsageError(f"{name} is neither JSON nor a table: it is empty.", HINT)
    if text.lstrip()[:1] not in ("{", "["):
        return _validated(_rows(parse_delimited(text, name)))
    try:
        read = _parse_json(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no JSON: {error}.", HINT) from None
    if isinstance(read, dict):
        read = read.get("trials", [read])
    if not isinstance(read, list):
        raise UsageError(f"{name} is a {type(read).__name__}, not results.", HINT)
    return _validated(read)


def _parse_json(text: str) -> Any:
    """One value, or a list of those that each line holds."""
    lines = numbered_lines(text)
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        if len(lines) == 1 or error.msg != "Extra data":
            raise
    return [json.loads(line) for _, line in lines]


def _validated(read: list[Any]) -> list[ExternalResult]:
    told = []
    for number, entry in enumerate(read):
        if isinstance(entry, dict) and entry.get("status") == "running":
            continue
        if isinstance(entry, dict) and "metrics" not in entry:
            others = {k: v for k, v in entry.items() if k not in _FIELDS and _is_number(v)}
            entry = {**entry, "metrics": others}
        try:
            result = ExternalResult.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"])) or "its root"
            raise UsageError(
                f"Result {number} is wrong at {where}: {first['msg']}.", HINT
            ) from None
        if result.number is None and result.architecture is None:
            raise UsageError(f"Result {number} names no architecture.", HINT)
        if result.status == "ok" and not result.metrics:
            raise UsageError(f"Result {number} has no metrics.", HINT)
        result._position = number
        told.append(result)
    return told


def _is_number(value: object) -> bool:
    """Whether a value is a number, or text of one."""
    if value is None or isinstance(value, bool):
        return False
    with contextlib.suppress(TypeError, ValueError):
        float(value)  # type: ignore[arg-type]
        return True
    return False


def _rows(frame: Frame) -> list[dict[str, Any]]:
    """Rows of a table, every column that is no field of a result as a metric."""
    if not _FIELDS & set(frame.columns):
        raise UsageError(
            f"{frame.name} is neither JSON nor a table with one of the columns "
            f"{', '.join(sorted(_FIELDS))}.",
            HINT,
        )
    rows: list[dict[str, Any]] = [{"metrics": {}} for _ in range(len(frame))]
    for header, column in frame.columns.items():
        if header in _FIELDS:
            for row, cell in zip(rows, column.tolist(), strict=True):
                absent = not cell if header == "reason" else is_missing(str(cell))
                if not absent:
                    row[header] = cell
            continue
        try:
            numbers = read_numbers(
                column, header, elsewhere=lambda: decimal_marks(list(frame.columns.values()))
            )
        except NotANumberError as error:
            if not any(map(_is_number, column.tolist())):
                continue  # a note, whatever it says
            raise UsageError(
                f"Result {error.row} is wrong at metrics.{header}: {error.cell!r}, {error.why}.",
                HINT,
            ) from None
        for row, number in zip(rows, numbers.values.tolist(), strict=True):
            if number == number:
                row["metrics"][header] = number
    return rows
