"""Results that people bring, as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from pydantic import BaseModel, ValidationError

from ..errors import UsageError
from .search import Search

__all__ = ["Told", "parse_told", "tell_all"]

HINT = 'Write e.g. [{"architecture": "…", "metrics": {"accuracy": 93.1}}].'


class Told(BaseModel):
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


def parse_told(text: str) -> list[Told]:
    """Reads results.

    Args:
        text: JSON: one result, a list of them, or an object with a list ``trials``, such as another
            search printed.

    Raises:
        UsageError: Where it is not.

    Example:
        >>> [told.metrics for told in parse_told('{"number": 3, "metrics": {"accuracy": 93.1}}')]
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
            result = Told.model_validate(entry)
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


def tell_all(search: Search, results: Sequence[Told]) -> dict[str, int]:
    """Tells results; those of architectures that have one already are left out.

    Args:
        search: Whom.
        results: What.

    Returns:
        How many were ``told``, how many of these ``failed``, and how many were ``known``.

    Raises:
        UsageError: For a number that is no trial's or metrics that are missing.
        ArchitectureError: For what is not an architecture of the space.
    """
    counts = {"told": 0, "failed": 0, "known": 0}
    for result in results:
        what = result.number if result.architecture is None else result.architecture
        assert what is not None
        if search.has_result(what):
            counts["known"] += 1
            continue
        metrics = result.metrics if result.status == "ok" else None
        trial = search.tell(what, metrics, reason=result.reason, seconds=result.seconds)
        counts["told"] += 1
        counts["failed"] += trial.state == "failed"
    return counts
