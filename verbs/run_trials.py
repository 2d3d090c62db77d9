"""Every trial of a run: as a table, over time, and while they learned."""

from __future__ import annotations

from collections.abc import Iterator

from ..bo.store import TrialLog
from ..reports.gantt import Bar, gantt
from ..reports.page import Block, Cell, Figure, Table
from ..reports.plot import Line, plot
from .learning_curves import curves_of
from .report_parts import anchor
from .run_told import RunTold

__all__ = ["TIMED", "trial_blocks"]

# More trials than this have no time line; more curves than this say nothing.
TIMED, CURVES = 400, 30
# Seconds below which a time line says nothing.
SHORTEST = 1.0


def trial_blocks(told: RunTold) -> Iterator[Block]:
    """Says what was evaluated, with what outcome, when and where.

    Args:
        told: The run.
    """
    result = told.result
    if not result.trials:
        return
    measured = dict.fromkeys(name for trial in result.trials for name in trial.metrics)
    names = list(dict.fromkeys([*told.names, *measured]))
    failed = any(trial.reason for trial in result.trials)
    lower = any(trial.fidelity is not None for trial in result.trials)
    rows: list[list[Cell]] = []
    for place, trial in enumerate(result.trials):
        row: list[Cell] = [trial.number, str(result.architecture(trial))]
        for name in names:
            counted = float(told.exact[name][place]) if name in told.exact else None
            row.append(trial.metrics.get(name, counted))
        row += [trial.status, trial.source, round(trial.seconds, 3)]
        row += [trial.fidelity] if lower else []
        rows.append([*row, trial.reason or None] if failed else row)
    heads = ["trial", "architecture", *map(told.head, names), "status", "source", "seconds"]
    heads += ["fidelity"] if lower else []
    heads += ["reason"] if failed else []
    yield Table(heads, rows, [anchor(trial.number) for trial in result.trials])
    yield from _time_line(told)
    yield from _curves(told)


def _time_line(told: RunTold) -> Iterator[Block]:
    """Which process was at work on what, and when."""
    if len(told.result.trials) > TIMED:
        return
    entries = {entry.key: entry for entry in TrialLog(told.run, told.problem).read()}
    timed = []
    for each in told.run.storage.get_all_trials(told.run.study, deepcopy=False):
        entry = entries.get(each._trial_id)
        if entry is not None and not entry.prior and each.datetime_start and each.datetime_complete:
            times = each.datetime_start.timestamp(), each.datetime_complete.timestamp()
            timed.append((*times, entry))
    begin = min((start for start, *_ in timed), default=0.0)
    if max((end for _, end, _ in timed), default=0.0) - begin < SHORTEST:
        return
    lanes: list[tuple[str, float]] = []
    bars = []
    for start, end, entry in sorted(timed, key=lambda row: row[0]):
        # A process that evaluates several at a time has as many lanes.
        free = (k for k, (who, until) in enumerate(lanes) if who == entry.owner and until <= start)
        lane = next(free, len(lanes))
        lanes[lane : lane + 1] = [(entry.owner, end)]
        failed = "failed" if entry.trial.status == "failed" else "measured"
        name = str(entry.trial.number)
        bars.append(Bar(f"worker {lane + 1}", start - begin, end - start, failed, name))
    names = [f"worker {lane + 1}" for lane in range(len(lanes))]
    yield Figure(
        gantt(bars, names, "seconds"), "When which trial was evaluated; numbers are trials.", True
    )


def _curves(told: RunTold) -> Iterator[Block]:
    if told.run.folder is None:
        return
    objective = told.problem.objectives[0]
    curves = curves_of(told.run.folder, [t.number for t in told.history.ok], objective.metric)
    if not curves:
        return
    best = {trial.number for trial in told.result.best}
    shown = sorted(curves, key=lambda number: number not in best)[:CURVES]
    marks = [
        Line(
            range(1, len(curves[number]) + 1),
            curves[number],
            f"trial {number}, among the best" if number in best and len(best) < 4 else "",
            dashed=number not in best,
        )
        for number in reversed(shown)
    ]
    yield Figure(
        plot(marks, x="epoch", y=told.head(objective.metric)),
        f"How {len(shown)} of {len(curves)} candidates learned.",
    )
