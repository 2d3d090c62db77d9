"""What a report says of several runs: which method found how much with how many evaluations."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, stdev

from ..bo.measures import best_so_far
from ..core.errors import VitruviusError
from ..reports.page import Block, Cell, Facts, Figure, Prose, Section, Table
from ..reports.plot import Line, plot
from .report_parts import versions
from .run_told import RunTold

__all__ = ["compared_headline", "compared_sections", "runs_in"]


def runs_in(folder: Path) -> tuple[list[RunTold], list[str]]:
    """Reads the runs of a folder.

    Args:
        folder: Its folders may be runs.

    Returns:
        The runs, and what is wrong with those that cannot be read.
    """
    from ..bo.store import list_runs

    found, wrong = [], []
    for state in list_runs(folder):
        try:
            if state.problem:
                wrong.append(f"{state.run}: {state.problem}")
            else:
                found.append(RunTold.of(state.run))
        except VitruviusError as error:
            wrong.append(f"{state.run}: {error}")
    return found, wrong


def compared_headline(runs: Sequence[RunTold]) -> str:
    """Answers: what each method has found on average where runs can be compared.

    Args:
        runs: The runs.
    """
    said = []
    for title, own in _alike(runs).items():
        ends = {method: _ends(some) for method, some in _methods(own).items()}
        ends = {method: values for method, values in ends.items() if values}
        if len(ends) < 2:
            continue
        up = own[0].problem.objectives[0].maximize
        order = sorted(ends, key=lambda method: mean(ends[method]), reverse=up)
        name = own[0].names[0]
        told = [f"{method} {own[0].text(name, mean(ends[method]))}" for method in order]
        said.append(f"{title}: on average {', '.join(told)}.")
    return " ".join(said) or f"{len(runs)} runs, none of which compete."


def compared_sections(runs: Sequence[RunTold], wrong: Sequence[str]) -> list[Section]:
    """Says all of several runs.

    Args:
        runs: The runs.
        wrong: What is wrong with others.
    """
    sections = [Section(title, list(_compared(own))) for title, own in _alike(runs).items()]
    listed = Table(
        ["run", "space", "method", "seed", "evaluated", "failed", "best"],
        [
            [
                str(told.run.location),
                told.config.space,
                told.config.method,
                told.config.seed,
                told.result.summary["evaluated"],
                told.result.summary["failed"],
                told.result.headline().rpartition(", ")[2],
            ]
            for told in runs
        ],
    )
    return [
        *sections,
        Section("Every run", [*(Prose(each, "warning") for each in wrong), listed]),
        Section("Versions", [Facts(versions())]),
    ]


def _alike(runs: Sequence[RunTold]) -> dict[str, list[RunTold]]:
    """Runs that search the same for the same, by what that is."""
    groups: dict[str, list[RunTold]] = {}
    for told in runs:
        config = told.config
        goals = [f"maximize {config.maximize}", f"minimize {config.minimize}", config.where]
        evaluators = ", ".join(Path(each.source).name for each in config.evaluators)
        parts = [config.space, evaluators, *(g for g in goals if g and not g.endswith("ize "))]
        groups.setdefault(", ".join(part for part in parts if part), []).append(told)
    return groups


def _methods(runs: Sequence[RunTold]) -> dict[str, list[RunTold]]:
    groups: dict[str, list[RunTold]] = {}
    for told in runs:
        groups.setdefault(told.config.method, []).append(told)
    return groups


def _ends(runs: Sequence[RunTold]) -> list[float]:
    """The last best of each run with one objective that found something."""
    if runs[0].problem.multiple:
        return []
    return [
        float(best_so_far(told.history)[-1])
        for told in runs
        if told.history.ok and told.result.best
    ]


def _compared(runs: Sequence[RunTold]) -> Iterator[Block]:
    if runs[0].problem.multiple:
        sizes: list[list[Cell]] = [
            [t.config.method, t.config.seed, len(t.result.best)] for t in runs
        ]
        yield Table(["method", "seed", "architectures on the front"], sizes)
        return
    marks = []
    rows: list[list[Cell]] = []
    for method, own in _methods(runs).items():
        curves = [best_so_far(told.history).tolist() for told in own if told.history.ok]
        if not curves:
            continue
        length = min(map(len, curves))
        columns = list(zip(*(curve[:length] for curve in curves), strict=True))
        middle = [_mean(column) for column in columns]
        band = [_error(column) for column in columns]
        name = f"{method}, {len(curves)} seeds" if len(curves) > 1 else method
        marks.append(
            Line(
                list(range(1, length + 1)),
                middle,
                name,
                [m - e for m, e in zip(middle, band, strict=True)] if len(curves) > 1 else (),
                [m + e for m, e in zip(middle, band, strict=True)] if len(curves) > 1 else (),
            )
        )
        rows.append(
            [method, len(curves), length, middle[-1], band[-1] if len(curves) > 1 else None]
        )
    head = runs[0].head(runs[0].names[0])
    if marks:
        yield Figure(
            plot(marks, x="evaluations", y=f"best {head} so far", trim=True),
            "Mean over seeds; bands are its standard error.",
        )
    yield Table(["method", "runs", "evaluations of all", f"best {head}", "standard error"], rows)


def _mean(column: Sequence[float]) -> float:
    return mean(column) if all(map(math.isfinite, column)) else math.nan


def _error(column: Sequence[float]) -> float:
    if len(column) < 2 or not all(map(math.isfinite, column)):
        return 0.0
    return float(stdev(column) / len(column) ** 0.5)
