"""Whether a result says all that a problem asks."""

from __future__ import annotations

import math
from dataclasses import replace

from ..core.errors import UsageError
from ..evaluators.evaluation import Evaluation
from ..evaluators.returned import missing
from .problem import Problem

__all__ = ["check_metrics", "checked", "replaces"]


def check_metrics(problem: Problem, given: Evaluation) -> None:
    """Refuses a result that lacks a metric.

    Args:
        problem: What has to be measured.
        given: A result that somebody tells.

    Raises:
        UsageError: Where one is missing.
    """
    if given.ok and (lacking := set(problem.learned) - set(given.metrics)):
        raise UsageError(
            f"A result needs {', '.join(problem.learned)}; "
            f"{', '.join(sorted(lacking))} is missing.",
            'Give every one, or "status": "failed" and a reason.',
        )


def checked(problem: Problem, given: Evaluation) -> Evaluation:
    """Returns a result as it counts: one without a finite value of every metric has failed.

    At a lower fidelity a metric may be missing, as not everything is measured there.

    Args:
        problem: What has to be measured.
        given: The result; its reason may say of what was returned why it is no number.
    """
    if not given.ok:
        return given
    asked = [n for n in problem.learned if n in given.metrics or given.fidelity is None]
    wrong = [name for name in asked if not math.isfinite(given.metrics.get(name, math.nan))]
    if not wrong:
        return replace(given, reason="") if given.reason else given
    said = [
        f"{name} is {given.metrics[name]}"
        if name in given.metrics
        else missing(name, given.metrics)
        for name in wrong
    ]
    return replace(given, status="failed", reason="; ".join(filter(None, [*said, given.reason])))


def replaces(new: Evaluation, old: Evaluation) -> bool:
    """Whether a result takes the place of another one: only that of a failure.

    Args:
        new: What is told.
        old: What is there.
    """
    return old.status == "failed" and new.status != "failed"
