"""Confirmation: a limit on what is measured with noise is met when the best are measured again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch

from ..evaluators.targets import Targets
from .best import best_trials
from .problem import Problem
from .trial import History, Trial

__all__ = ["CONFIRMED", "as_confirmed", "confirm"]

# What a run remembers of this: by the number of a trial, whether it met the constraints, and what
# was measured.
CONFIRMED = "confirmed"
# Deviations that a value keeps from a limit.
MARGIN = 2.0

Confirmed = dict[str, dict[str, Any]]


def confirm(
    problem: Problem,
    trials: Sequence[Trial],
    known: Confirmed | None,
    measure: Callable[[tuple[int, ...]], Mapping[str, float]],
) -> Confirmed:
    """Measures the best afresh, until all that count as best meet the constraints again.

    The value that was measured first was chosen for being small, and so is too small on average.
    What is best is measured again; it meets a limit where the worse of both values does, with a
    margin of two deviations (``latency_deviation`` beside ``latency``, where there is one). What
    misses makes room for the next.

    Args:
        problem: The objectives and constraints, some on metrics that are ``noisy``.
        trials: All trials.
        known: What was confirmed before.
        measure: Measures the noisy metrics of choice indices.

    Returns:
        What is known now, by number of the trial, as text.
    """
    found: Confirmed = dict(known or {})
    noisy = set(problem.evaluator.noisy if problem.evaluator else ())
    limits = problem.constraints.restrict(noisy)
    while limits:
        seen, missed = as_confirmed(trials, found)
        best = best_trials(History(problem, [t for t in seen if t.number not in missed]))
        trial = next((each for each in best if str(each.number) not in found), None)
        if trial is None:
            break
        again = measure(trial.proposal.row)
        told = {name: float(again[name]) for name in limits.names if name in again}
        met = len(told) == len(limits) and all(
            _met(limits.restrict({name}), trial.metrics[name], value, again)
            for name, value in told.items()
        )
        found[str(trial.number)] = {"met": met, "metrics": told}
    return found


def as_confirmed(
    trials: Sequence[Trial], known: Confirmed | None
) -> tuple[list[Trial], frozenset[int]]:
    """Returns trials with what was measured last, and the numbers of those that missed a limit.

    Args:
        trials: All trials.
        known: As `confirm` returns it; None where nothing was measured again.
    """
    found = known or {}
    seen = [_measured(trial, found.get(str(trial.number))) for trial in trials]
    return seen, frozenset(int(n) for n, told in found.items() if not told["met"])


def _measured(trial: Trial, told: Mapping[str, Any] | None) -> Trial:
    if told is None or trial.evaluation is None:
        return trial
    metrics = {**trial.metrics, **told["metrics"]}
    return trial.finish(replace(trial.evaluation, metrics=metrics))


def _met(limit: Targets, first: float, again: float, told: Mapping[str, float]) -> bool:
    [target] = limit
    margin = MARGIN * told.get(f"{target.metric}_deviation", 0.0)
    ends = torch.tensor(
        [min(first, again) - margin, max(first, again) + margin], dtype=torch.float64
    )
    return bool(limit.satisfied({target.metric: ends}).all())
