"""Results that people bring, as JSON or CSV."""

from __future__ import annotations

import contextlib
import csv
import io
import json
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator

from ...core.errors import UsageError
from ...evaluators.evaluation import Evaluation, Status
from ...spaces import Architecture

__all__ = ["ExternalResult", "parse_results"]

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


def parse_results(text: str) -> list[ExternalResult]:
    r"""Reads results.

    Args:
        text: JSON: one result, a list of them, or an object with a list ``trials``, such as another
            search printed. Or CSV with a header, where each column is a field of `ExternalResult`
            or a metric; blank cells say nothing.

    Raises:
        UsageError: Where it is not.

    Example:
        >>> [told.metrics for told in parse_results('{"number": 3, "metrics": {"accuracy": 93.1}}')]
        [{'accuracy': 93.1}]
        >>> parse_results("number,accuracy,fidelity\n3,93.1,12")[0].fidelity
        12
    """
    try:
        read = json.loads(text) if text.lstrip()[:1] in ("{", "[") else _rows(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"This is no JSON: {error}.", HINT) from error
    if isinstance(read, dict):
        read = read.get("trials", [read])
    if not isinstance(read, list):
        raise UsageError(f"This is a {type(read).__name__}, not results.", HINT)
    told = []
    for number, entry in enumerate(read):
        if isinstance(entry, dict) and entry.get("status") == "running":
            continue
        try:
            result = ExternalResult.model_validate(entry)
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(map(str, first["loc"]))
            raise UsageError(
                f"Result {number} is wrong at {where}: {first['msg']}.", HINT
            ) from None
        if result.number is None and result.architecture is None:
            raise UsageError(f"Result {number} names no architecture.", HINT)
        if result.status == "ok" and not result.metrics:
            raise UsageError(f"Result {number} has no metrics.", HINT)
        told.append(result)
    return told


def _is_number(value: object) -> bool:
    """Whether a value is a number, or text of one, as in CSV."""
    if value is None or isinstance(value, bool):
        return False
    with contextlib.suppress(TypeError, ValueError):
        float(value)  # type: ignore[arg-type]
        return True
    return False


def _rows(text: str) -> list[dict[str, Any]]:
    """Rows of CSV, every column that is no field of a result as a metric."""
    lines = csv.DictReader(io.StringIO(text.strip()))
    fields = set(ExternalResult.model_fields) - {"metrics"}
    if not fields & set(lines.fieldnames or ()):
        raise UsageError(
            f"This is neither JSON nor CSV with one of the columns {', '.join(sorted(fields))}.",
            HINT,
        )
    rows = []
    for line in lines:
        if None in line or None in line.values():
            raise UsageError(f"Line {lines.line_num} has not as many cells as the header.", HINT)
        filled = {name: cell.strip() for name, cell in line.items() if cell.strip()}
        row: dict[str, Any] = {name: cell for name, cell in filled.items() if name in fields}
        row["metrics"] = {name: cell for name, cell in filled.items() if name not in fields}
        rows.append(row)
    return rows
