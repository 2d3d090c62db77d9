"""Results that people bring, as JSON."""

from __future__ import annotations

import json

from pydantic import BaseModel, ValidationError

from ...core.errors import UsageError

__all__ = ["ExternalResult", "parse_results"]

HINT = 'Write e.g. [{"architecture": "…", "metrics": {"accuracy": 93.1}}].'


class ExternalResult(BaseModel):
    """One result; other keys, such as those of ``vitruvius ask``, are ignored.

    Args:
        number: Of the trial; needed only without ``architecture``.
        architecture: Native string.
        metrics: What was measured.
        status: ``"ok"``, or anything else for a failure.
        reason: Why it failed.
        seconds: What it cost.
    """

    number: int | None = None
    architecture: str | None = None
    metrics: dict[str, float] = {}
    status: str = "ok"
    reason: str = ""
    seconds: float = 0.0


def parse_results(text: str) -> list[ExternalResult]:
    """Reads results.

    Args:
        text: JSON: one result, a list of them, or an object with a list ``trials``, such as another
            search printed.

    Raises:
        UsageError: Where it is not.

    Example:
        >>> [told.metrics for told in parse_results('{"number": 3, "metrics": {"accuracy": 93.1}}')]
        [{'accuracy': 93.1}]
    """
    try:
        read = json.loads(text)
    except json.JSONDecodeError as error:
        raise UsageError(f"This is no JSON: {error}.", HINT) from error
    if isinstance(read, dict):
        read = read.get("trials", [read])
    if not isinstance(read, list):
        raise UsageError(f"This is a {type(read).__name__}, not results.", HINT)
    told = []
    for number, entry in enumerate(read):
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
