"""What predictors say of a run: how far they can be trusted, and what the best have in common."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..bo.ranking import rank
from ..predictors import held_out, importance
from ..reports.page import Block, Figure, Prose, Section
from ..reports.plot import Bars, Points, bar_chart, parallel, plot
from .report_parts import plane, shares
from .run_told import RunTold

__all__ = ["evidence_sections"]

# Labels that a predictor is judged by, those that importance is told of, and how few say nothing.
JUDGED, LEARNED, FEWEST = 200, 1_000, 20
# Share of the best whose choices are compared with those of all, and choices that are told.
BEST, CHOICES = 0.1, 14
# Axes of parallel coordinates, and lines.
AXES, LINES = 7, 400


def evidence_sections(told: RunTold) -> list[Section]:
    """Tells how far predictors can be trusted, and what they go by; takes some seconds.

    Args:
        told: The run.
    """
    return [
        Section("Whether the predictor can be trusted", list(_trust(told))),
        Section("What the best have in common", list(_common(told))),
    ]


def _trust(told: RunTold) -> Iterator[Block]:
    history = told.history
    if len(history.ok) < FEWEST:
        if history.ok:
            yield Prose(f"{len(history.ok)} measurements are too few to tell.")
        return
    recent = torch.arange(len(history.ok))[-JUDGED:]
    for name in told.problem.learned:
        values = history.values[name][recent]
        if float(values.std()) == 0:
            yield Prose(f"{told.head(name)} is the same for all.")
            continue
        found = held_out(told.problem.space, history.x[recent], values)
        points = Points(
            found.truth.tolist(),
            found.mean.tolist(),
            low=found.low.tolist(),
            high=found.high.tolist(),
        )
        yield Figure(
            plot(
                [points], x=f"measured {told.head(name)}", y="predicted", diagonal=True, trim=True
            ),
            f"Held out in fifths, a Gaussian process ranks {told.head(name)} with Kendall's tau "
            f"{found.tau:.2f}; intervals of 90 % hold {found.coverage:.0%}. {_verdict(found.tau)}",
        )


def _verdict(tau: float) -> str:
    if tau < 0.2:
        return "It hardly knows which is better: the search was little better than chance by it."
    if tau < 0.5:
        return "It knows the good from the bad, not the best from the good."
    return "It ranks most pairs right."


def _common(told: RunTold) -> Iterator[Block]:
    history, space = told.history, told.problem.space
    if len(history.ok) < FEWEST:
        return
    merit = -rank(history).double()
    order = merit.argsort(descending=True, stable=True)
    if float(merit.std()) > 0:
        some = torch.linspace(0, len(merit) - 1, min(len(merit), LEARNED)).long()
        weights = importance(space, history.x[some], merit[some])
        heaviest = weights.argsort(descending=True, stable=True).tolist()
        yield _decisive(told, weights, heaviest[:CHOICES])
        yield from _axes(told, order, heaviest)
    best = history.x[order[: max(3, int(BEST * len(order)))]]
    labels, here, there = shares(space, best, history.x, CHOICES)
    yield Figure(
        bar_chart(labels, [Bars(here, "the best tenth"), Bars(there, "all trials")], x="share, %"),
        "Choices that the best tenth makes more or less often than all trials.",
    )
    yield _map(told, merit)


def _decisive(told: RunTold, weights: Float[Tensor, " V"], heaviest: list[int]) -> Figure:
    names = [told.problem.space.variables[k].name for k in heaviest]
    bars = Bars([100 * float(weights[k]) for k in heaviest])
    return Figure(
        bar_chart(names, [bars], x="share of what decides, %"),
        "What boosted trees go by when they tell the better trials; it need not cause them.",
    )


def _map(told: RunTold, merit: Float[Tensor, " n"]) -> Figure:
    points = plane(told.problem.space, told.history.x)
    good = merit >= merit.quantile(1 - BEST)
    marks = [
        Points(points[there, 0].tolist(), points[there, 1].tolist(), name, hollow=hollow)
        for name, there, hollow in (("trials", ~good, True), ("the best tenth", good, False))
    ]
    return Figure(
        plot(marks, x="first principal component", y="second"),
        "Trials by their choices: what lies together is alike.",
    )


def _axes(told: RunTold, order: Int[Tensor, " n"], heaviest: list[int]) -> Iterator[Block]:
    """The most decisive sizes beside what was measured, of the best among the others."""
    space, history = told.problem.space, told.history
    sized = [k for k in heaviest if space.variables[k].kind in ("size", "bits", "hardware")]
    sized = sized[: max(0, AXES - len(told.names))]
    names = [*(space.variables[k].name for k in sized), *map(told.head, told.names)]
    if len(names) < 3:
        return
    columns = [history.x[:, k].double() for k in sized]
    columns += [history.values[name].double() for name in told.names]
    best = set(order[:3].tolist())
    kept = sorted({*range(0, len(order), max(1, len(order) // LINES)), *best})
    rows = torch.stack(columns, 1)[kept].tolist()
    yield Figure(
        parallel(names, rows, [k in best for k in kept]),
        "The three best trials among the others; sizes are places in their lists of choices.",
    )
