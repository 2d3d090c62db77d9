"""What a report says of a run: the answer, the best, how the search went, how it came about."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import torch

from ..bo.measures import best_so_far, hypervolume, pareto_mask, reference_point
from ..bo.trial import Trial
from ..core.errors import VitruviusError
from ..exports.source import network_source
from ..reports import draw
from ..reports.page import Block, Cards, Code, Facts, Figure, Prose, Section, Table
from ..reports.plot import Line, Points, plot
from .report_parts import anchor, command, versions, written
from .run_told import RunTold
from .run_trials import TIMED, trial_blocks

__all__ = ["run_headline", "run_sections"]

# Architectures that are drawn, and times at which a hypervolume is measured.
DRAWN, MEASURED = 12, 50
# Letters of source code that is shown.
LONGEST = 40_000


def run_headline(told: RunTold) -> str:
    """Answers in a few sentences: what is best, and what that is worth.

    Args:
        told: The run.
    """
    result, spent = told.result, _spent(told)
    if not result.best:
        found = "meets the constraints" if told.history.ok else "was measured yet"
        return f"After {spent}, nothing {found}."
    if told.problem.multiple:
        return (
            f"After {spent}, {len(result.best)} architectures that no other beats: {_ends(told)}."
        )
    best = result.best[0]
    values = result.metrics(best)
    listed = ", ".join(f"{name} {told.text(name, values[name])}" for name in told.names)
    said = f"After {spent}, the best architecture has {listed}."
    name, base = told.names[0], told.baseline
    if base is None or best.source == "initial":
        return said
    mean = "the mean of the random architectures that the search began with"
    return f"{said} That is {_gain(told, values[name], base)} {mean}, {told.text(name, base)}."


def _spent(told: RunTold) -> str:
    summary = told.result.summary
    done, budget, prior = summary["evaluated"], summary["budget"], summary["prior"]
    said = [f"{done:,} of {budget or done:,} evaluations"] if done or budget or not prior else []
    said += [f"{prior:,} prior result{'s' if prior > 1 else ''}"] if prior else []
    return " and ".join(said)


def _ends(told: RunTold) -> str:
    """How far the front reaches in every objective."""
    said = []
    for objective in told.problem.objectives:
        name = objective.metric
        column = [told.result.metrics(trial)[name] for trial in told.result.best]
        end, way = (max(column), "up") if objective.maximize else (min(column), "down")
        said.append(f"{name} {way} to {told.text(name, end)}")
    return ", ".join(said)


def _gain(told: RunTold, value: float, base: float) -> str:
    """How much better a value is: times for costs, a difference otherwise."""
    if not told.problem.objectives[0].maximize and 0 < value < base:
        return f"{base / value:.3g} times less than"
    unit = told.problem.metrics[told.names[0]].unit
    points = written(abs(value - base), "points" if unit == "%" else unit)
    return f"{points} {'more' if value > base else 'less'} than"


def run_sections(told: RunTold, evidence: Sequence[Section] = ()) -> list[Section]:
    """Says all of a run but what predictors are fitted for.

    Args:
        told: The run.
        evidence: What stands after the course of the search, such as `evidence_sections`.
    """
    return [
        Section("The best", list(_best(told))),
        Section("How the search went", list(_course(told))),
        *evidence,
        Section("Every trial", list(trial_blocks(told))),
        Section("What failed, and why", list(_failures(told))),
        Section("How it came about", list(_origin(told))),
    ]


def _best(told: RunTold) -> Iterator[Block]:
    result = told.result
    for note in result.notes:
        yield Prose(note, "warning")
    chosen = result.best
    if told.problem.multiple and len(chosen) > DRAWN:
        yield Prose(f"{DRAWN} of {len(chosen)} are drawn, spread along the front.")
        first = told.problem.objectives[0].metric
        ordered = sorted(chosen, key=lambda trial: result.metrics(trial)[first])
        places = [round(k * (len(ordered) - 1) / (DRAWN - 1)) for k in range(DRAWN)]
        chosen = [ordered[place] for place in places]
    yield Cards([_card(told, trial) for trial in chosen])
    if not chosen:
        return
    yield Code(str(result.architecture(chosen[0])), "As its space writes it")
    if (source := _source(told, chosen[0])) is not None:
        yield Code(source, "As a module of torch")


def _card(told: RunTold, trial: Trial) -> tuple[str, str, str, list[str]]:
    values = told.result.metrics(trial)
    lines = [f"{told.head(name)}: {written(value)}" for name, value in values.items()]
    return (
        draw(told.problem.space, trial.proposal.row),
        anchor(trial.number),
        f"Trial {trial.number}, from {trial.source}",
        lines,
    )


def _source(told: RunTold, trial: Trial) -> str | None:
    space, evaluator = told.problem.space, told.problem.evaluator
    if not space.buildable:
        return None
    task = evaluator.task if evaluator is not None else space.task
    try:
        with torch.random.fork_rng(devices=[]):
            text = network_source(space.build(trial.proposal.row, task)).text
    except (VitruviusError, RuntimeError, NotImplementedError):
        return None
    return text if len(text) <= LONGEST else None


def _course(told: RunTold) -> Iterator[Block]:
    history = told.history
    if not history.ok:
        return
    numbers = [trial.number for trial in history.ok]
    if told.problem.multiple:
        yield from _fronts(told)
        yield from _volume(told, numbers)
        return
    objective = told.problem.objectives[0]
    y = (history.scores[:, 0] * objective.sign).tolist()
    titles = [
        f"trial {n}: {told.text(objective.metric, v)}" for n, v in zip(numbers, y, strict=True)
    ]
    every = Points(numbers, y, "a trial", titles=titles, hollow=True)
    if len(numbers) <= TIMED:
        every = Points(
            numbers, y, "a trial", [f"#{anchor(n)}" for n in numbers], titles, hollow=True
        )
    so_far = Line(numbers, best_so_far(history).tolist(), "best that meets the limits", steps=True)
    yield Figure(
        plot([so_far, every], x="trial", y=told.head(objective.metric), trim=True),
        "What each trial measured, and the best so far; what is far off stands at the edge.",
    )
    yield from _sources(told)


def _fronts(told: RunTold) -> Iterator[Block]:
    history, objectives = told.history, told.problem.objectives
    front = pareto_mask(history.scores, history.feasible)
    for k in range(1, len(objectives)):
        first, other = objectives[0].metric, objectives[k].metric
        x, y = (history.values[name].double() for name in (other, first))
        wide = bool((x > 0).all()) and float(x.max() / x.min().clamp(min=1e-300)) > 20
        trials = [t for t, there in zip(history.ok, front.tolist(), strict=True) if there]
        titles = [
            f"trial {t.number}: {first} {told.text(first, float(b))}, "
            f"{other} {told.text(other, float(a))}"
            for t, a, b in zip(trials, x[front], y[front], strict=True)
        ]
        links = [f"#{anchor(t.number)}" for t in trials]
        others = Points(x[~front].tolist(), y[~front].tolist(), "evaluated", hollow=True)
        best = Points(x[front].tolist(), y[front].tolist(), "on the front", links, titles)
        yield Figure(
            plot([others, best], x=told.head(other), y=told.head(first), log_x=wide),
            "What was evaluated; points of the front lead to their architectures.",
        )


def _volume(told: RunTold, numbers: list[int]) -> Iterator[Block]:
    history = told.history
    if not bool(history.feasible.any()) or len(told.problem.objectives) > 4:
        return
    base = reference_point(history.scores[history.feasible])
    stops = sorted({round(k * (len(numbers) - 1) / MEASURED) for k in range(MEASURED + 1)})
    volumes = []
    for stop in stops:
        there = history.scores[: stop + 1][history.feasible[: stop + 1]]
        volumes.append(hypervolume(there, base) if len(there) else 0.0)
    whole = volumes[-1] or 1.0
    line = Line([numbers[s] for s in stops], [v / whole for v in volumes], steps=True)
    yield Figure(
        plot([line], x="trial", y="hypervolume, share of the last"),
        "What the front so far dominates, from the worst that was measured.",
    )


def _sources(told: RunTold) -> Iterator[Block]:
    """Which sources of candidates the improvements came from."""
    best = best_so_far(told.history)
    better = [
        trial.source
        for n, trial in enumerate(told.history.ok)
        if n and best[n] != best[n - 1] and best[n] == best[n]
    ]
    proposed = Counter(trial.source for trial in told.history.ok)
    if len(proposed) < 2:
        return
    improved = Counter(better)
    yield Table(
        ["source of candidates", "evaluated", "new best"],
        [[name, count, improved[name]] for name, count in proposed.most_common()],
    )


def _failures(told: RunTold) -> Iterator[Block]:
    reasons = Counter(t.reason for t in told.result.trials if t.status == "failed")
    pruned = sum(trial.status == "pruned" for trial in told.result.trials)
    if pruned:
        yield Prose(f"{pruned} were stopped early, for they fell behind.")
    if reasons:
        yield Table(["reason", "trials"], [[why, n] for why, n in reasons.most_common()])


def _origin(told: RunTold) -> Iterator[Block]:
    config, summary = told.config, told.result.summary
    evaluators = ", ".join(each.source or "a Python object" for each in config.evaluators)
    yield Code(command(config, told.run.location))
    yield Facts(
        {
            "space": config.space,
            "architectures in it": _count(told.problem.space.architecture_count),
            "evaluator": evaluators or "results that were told",
            "objectives": ", ".join(
                f"{'maximize' if entry.maximize else 'minimize'} {entry.metric}"
                for entry in told.problem.objectives
            ),
            "constraints": config.where or "none",
            "method": config.method,
            "seed": str(config.seed),
            "evaluated": str(summary["evaluated"]),
            "prior results": str(summary["prior"]),
            "failed": str(summary["failed"]),
            "still running": str(summary["running"]),
            "seconds of evaluations": written(float(summary["evaluation_seconds"])),
            **versions(),
        }
    )


def _count(number: int) -> str:
    return (
        f"{number:,}"
        if number < 10**9
        else f"{number:.2g}"
        if number < 1e300
        else (f"about 10^{math.floor(math.log10(number))}")
    )
