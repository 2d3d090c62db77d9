"""Checkup of a run: what is wrong with it, or with what was asked of it, and what to do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import torch

from ..bo.first_failures import kind_of
from ..bo.store.listing import DAMAGE
from ..bo.store.liveness import GONE, Owner
from ..bo.store.run import GRACE
from ..core.errors import VitruviusError
from .checkup_case import Case, counted, listed
from .checkup_of_values import VALUE_CHECKS, predictor
from .configured import problem_of
from .finding import Finding, State

__all__ = ["run_checkup"]

# Shares of failures that are many, and most.
MANY, MOST = 0.2, 0.5
# Relative difference of values that are the same.
SAME = 1e-6


def run_checkup(
    run: str | Path, storage: str | None = None, *, quick: bool = False
) -> list[Finding]:
    """Looks for what is wrong with a run; writes nothing.

    What a check cannot apply to, such as constraints where there are none, is left out.

    Args:
        run: Its folder, or with ``storage`` its name there.
        storage: As for `vitruvius.search`.
        quick: Whether to fit no predictor.

    Returns:
        One finding a check or more; where the run cannot be read, that alone.

    Example:
        >>> run_checkup("nowhere")[0].what
        'There is no run in nowhere.'
    """
    try:
        case = Case.of(run, storage)
    except DAMAGE as error:
        return [_unreadable(error)]
    checks = CHECKS if quick else (*CHECKS, predictor)
    told = f"It can be read, and holds {counted(len(case.entries), 'trial')}."
    return [Finding("log", "ok", told), *(found for check in checks for found in check(case))]


def _unreadable(error: Exception) -> Finding:
    if isinstance(error, VitruviusError):
        return Finding("log", "problem", error.message, error.hint)
    said = str(error).partition("\n")[0]
    return Finding(
        "log",
        "problem",
        f"The run cannot be read: {type(error).__name__}: {said}.",
        "Its file was damaged or changed by hand: take a copy of before, or search again.",
    )


def _evaluator(case: Case) -> Iterator[Finding]:
    config, problem = case.told.config, case.told.problem
    if not config.evaluators:
        yield Finding("evaluator", "ok", "It has none: results are told.")
    elif not all(each.source for each in config.evaluators):
        yield Finding(
            "evaluator",
            "warning" if case.short else "ok",
            "Its evaluator is a Python object, which a run does not keep.",
            "Resume it from Python: vitruvius.resume(…, evaluator=…)." if case.short else "",
        )
    elif problem.evaluator is None:
        what, hint = "Its evaluator is not to be had here.", ""
        try:
            problem_of(config, problem.space, ())
        except (VitruviusError, AttributeError) as error:
            what = f"Its evaluator is not to be had here: {getattr(error, 'message', error)}"
            hint = getattr(error, "hint", "")
        again = f"Say where it is now: vitruvius resume {case.called} --evaluator …"
        state: State = "problem" if case.short else "warning"
        yield Finding("evaluator", state, what, f"{hint} {again}".strip())
    else:
        yield _data(case)


def _data(case: Case) -> Finding:
    """Whether what was looked up is still what the data say."""
    evaluator = case.told.problem.evaluator
    if evaluator is None or not evaluator.batched or not case.own:
        return Finding("evaluator", "ok", "Its evaluator is there.")
    rows = torch.tensor([trial.proposal.row for trial in case.own])
    now = evaluator.values(rows)
    for name in (each for each in case.told.problem.learned if each not in evaluator.noisy):
        then = torch.tensor([trial.metrics[name] for trial in case.own], dtype=torch.float64)
        changed = ~torch.isclose(now[name].double(), then, rtol=SAME, atol=0)
        if count := int(changed.sum()):
            k = int(changed.int().argmax())
            return Finding(
                "evaluator",
                "problem",
                f"The data have changed: {count} of {len(case.own)} trials have another {name} "
                f"now. Trial {case.own[k].number} had {float(then[k]):.6g}, the data say "
                f"{float(now[name][k]):.6g}.",
                "Bring back the data that the run began with, or search anew.",
            )
    return Finding("evaluator", "ok", "Its data are there, and say what the trials say.")


def _left_behind(case: Case) -> Iterator[Finding]:
    beats = case.told.run.beats()
    open_ = [entry for entry in case.entries if not entry.trial.done]
    gone = [e for e in open_ if e.interrupted or (not e.asked and _gone(e.owner, beats))]
    asked = [entry for entry in open_ if entry.asked and not entry.interrupted]
    if gone:
        yield Finding(
            "pending",
            "warning",
            f"Left without an end by who is gone: {listed(e.trial.number for e in gone)}.",
            f"Evaluate again: vitruvius resume {case.called}",
        )
    elif asked:
        yield Finding(
            "pending",
            "ok",
            f"Asked for, without a result so far: {listed(e.trial.number for e in asked)}.",
            f"Tell the results: vitruvius tell {case.called} FILE",
        )
    else:
        now = f"{counted(len(open_), 'trial')} being evaluated"
        yield Finding("pending", "ok", f"Nothing was left behind; {now}.")


def _gone(owner: str, beats: dict[str, float]) -> bool:
    beat, who = beats.get(owner, 0.0), Owner.parse(owner)
    if beat == GONE or who.here:
        return beat == GONE or not who.running
    # Clocks of machines may differ by less than this.
    return time.time() - beat > 10 * GRACE


def _budget(case: Case) -> Iterator[Finding]:
    told, budget = case.told, case.told.result.summary["budget"]
    if not budget:
        return
    done = f"{budget - case.short} of {budget} evaluations are done"
    if not case.short or told.run.alive():
        yield Finding("budget", "ok", f"{done}{', and it runs' if case.short else ''}.")
        return
    whole = told.problem.whole()
    if whole is not None and not len(told.history.fresh(whole)):
        yield Finding("budget", "ok", f"{done}, and nothing is left to propose.")
        return
    verb = "resume" if told.config.evaluators else "ask"
    yield Finding(
        "budget",
        "warning",
        f"{done}, and no process is at work on it.",
        f"Spend the rest: vitruvius {verb} {case.called}",
    )


def _failures(case: Case) -> Iterator[Finding]:
    done = [entry.trial for entry in case.entries if entry.trial.done and not entry.prior]
    kinds: dict[str, list[str]] = {}
    for trial in done:
        if trial.status == "failed":
            kinds.setdefault(kind_of(trial.reason), []).append(trial.reason)
    failed = sum(map(len, kinds.values()))
    if not failed:
        if done:
            yield Finding("failures", "ok", "None has failed.")
        return
    often = sorted(kinds.values(), key=len, reverse=True)
    said = "; ".join(f"{len(each)} × {each[0]}" for each in often[:3])
    more = f"; and {len(often) - 3} other reasons" if len(often) > 3 else ""
    share = failed / len(done)
    state: State = "problem" if share >= MOST else "warning" if share >= MANY else "ok"
    yield Finding(
        "failures",
        state,
        f"{failed} of {len(done)} failed: {said}{more}.",
        f"Mend the cause, then: vitruvius resume {case.called} --retry-failed",
    )


def _twice(case: Case) -> Iterator[Finding]:
    groups = [group for group in case.groups if len(group) > 1]
    if not groups:
        if case.ok:
            yield Finding("duplicates", "ok", "No architecture was evaluated twice.")
        return
    said = "; ".join(listed(trial.number for trial in group) for group in groups[:3])
    yield Finding(
        "duplicates",
        "warning",
        f"{counted(len(groups), 'architecture')} measured more than once, at the cost of "
        f"{counted(sum(map(len, groups)) - len(groups), 'evaluation')}: {said}"
        f"{'; …' if groups[3:] else ''}.",
        "A search proposes nothing twice: such results were told, or written by hand. Tell each "
        "once; to repeat a measurement, average inside the evaluator.",
    )


CHECKS = (_evaluator, _left_behind, _budget, _failures, _twice, *VALUE_CHECKS)
