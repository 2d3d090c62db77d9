"""Tables and plots of `search.py`."""

from __future__ import annotations

import json
import math
from pathlib import Path
from statistics import mean, median, stdev
from typing import Any

import torch
from _report import markdown
from _search_cases import Case, Known, known, problem_of, seen

from vitruvius.bo.measures import hypervolume, incumbents
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Proposal, Trial
from vitruvius.evaluators.evaluation import Evaluation
from vitruvius.evaluators.tables.surrogate_benchmark import SurrogateBenchmark

SINGLE_AT, FRONT_AT = (10, 25, 50, 100, 192), (25, 50, 100, 200)
# "Within 0.1 %" of the optimum, relative.
CLOSE = 1e-3
# Hypervolumes are computed at every so many evaluations.
STRIDE = 5


def summary(case: Case, runs: list[dict[str, Any]], folder: Path) -> dict[str, Any]:
    """Numbers of every run, and the truth that they are measured by."""
    problem = problem_of(case, folder)
    histories = [_history(problem, run) for run in runs]
    truth = known(case, folder)
    if case.open:
        # Nobody knows the optimum: it is the best that any run or the long search found.
        found = [value for h in histories for value in _curve(case, h, None, truth)["searched"]]
        better = max if problem.objectives[0].maximize else min
        best = better([truth.best, *found])
        truth = Known(best, best, truth.reference, truth.ideal)
    rows: list[dict[str, Any]] = []
    curves: dict[str, list[list[float]]] = {}
    for run, history in zip(runs, histories, strict=True):
        common = {
            "method": run["method"],
            "seed": run["seed"],
            "evaluated": len(history),
            "sources": {s: run["sources"].count(s) for s in dict.fromkeys(run["sources"])},
            "cpu_seconds": sum(run["cpu_seconds"]),
            "cpu_seconds_per_proposal": median(run["cpu_seconds"][-20:]),
        }
        measured = (
            _front(case, history, truth)
            if case.kind == "front"
            else _single(case, history, run, truth)
        )
        curves.setdefault(run["method"], []).append(measured.pop("regret"))
        rows.append({**common, **measured})
    fitted = problem.evaluator
    return {
        "case": case.name,
        "title": case.title,
        "truth": vars(truth),
        "held_out": vars(fitted.held_out) if isinstance(fitted, SurrogateBenchmark) else None,
        "median_curves": {method: _median(each) for method, each in curves.items()},
        "runs": rows,
    }


def joined(now: dict[str, Any], before: dict[str, Any]) -> dict[str, Any]:
    """Adds the runs of methods that were not run now; they say which revision they are of."""
    if before["truth"] != json.loads(json.dumps(now["truth"])):
        return now  # They were measured by something else.
    new = {run["method"] for run in now["runs"]}
    kept = [
        {
            "revision": before["provenance"]["revision"],
            **run,
            "at": {int(n): value for n, value in run["at"].items()},
        }
        for run in before["runs"]
        if run["method"] not in new
    ]
    curves = {name: c for name, c in before["median_curves"].items() if name not in new}
    return {
        **now,
        "median_curves": {**curves, **now["median_curves"]},
        "runs": [*kept, *now["runs"]],
    }


def table_of(case: Case, results: dict[str, Any]) -> str:
    """One row a method."""
    form = _front_row if case.kind == "front" else _single_row
    at = [n for n in (FRONT_AT if case.kind == "front" else SINGLE_AT) if n <= case.budget]
    methods = dict.fromkeys(run["method"] for run in results["runs"])
    groups = {m: [r for r in results["runs"] if r["method"] == m] for m in methods}
    unit = "regret " if case.open or case.constrained else ""
    columns, rows = ["method", "seeds", *(f"{unit}@{n}" for n in at)], []
    if case.kind == "front":
        columns += ["CPU s / proposal"]
    else:
        columns += ["to optimum", "reached", "worst", "to 0.1 %", "reached 0.1 %"]
        columns += ["no feasible winner"] if case.constrained else []
        columns += ["CPU s / proposal"]
    for name, group in groups.items():
        rows.append([name, len(group), *form(case, group, at)])
    head = _truth(case, results["truth"], results["held_out"])
    return f"{case.title}.\n{head}\n\n{markdown(columns, rows)}"


def plot(case: Case, results: dict[str, Any], path: Path) -> None:
    """Median curve of every method: regret, or the share of the hypervolume that is missing."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7.6, 4.2), layout="constrained")
    step = STRIDE if case.kind == "front" else 1
    for name, middle in results["median_curves"].items():
        ours = {"color": "black", "linewidth": 2.5, "zorder": 3} if name == "bo" else {}
        axes.plot([step * (i + 1) for i in range(len(middle))], middle, label=name, **ours)
    axes.set(xlabel="evaluations", yscale="log")
    axes.set_title(case.title, fontsize="medium")
    missing = "share of the hypervolume missing" if case.kind == "front" else "regret"
    axes.set_ylabel(f"median {missing}")
    # Beside the axes: curves fill all of them.
    figure.legend(loc="outside right center")
    figure.savefig(path)
    plt.close(figure)


def _median(curves: list[list[float]]) -> list[float]:
    """Pointwise; a search that ended stays where it was."""
    longest = max(map(len, curves))
    padded = [curve + curve[-1:] * (longest - len(curve)) for curve in curves]
    return [float(f"{median(values):.5g}") for values in zip(*padded, strict=True)]


def _history(problem: Problem, run: dict[str, Any]) -> History:
    trials = []
    for number, row in enumerate(run["rows"]):
        metrics = {name: column[number] for name, column in run["metrics"].items()}
        proposal = Proposal(tuple(row), run["sources"][number])
        architecture = problem.space.architecture(proposal.row)
        told = Evaluation(architecture, seen(problem, metrics))
        trials.append(Trial(number, proposal).finish(told))
    return History(problem, trials)


def _curve(
    case: Case, history: History, reported: list[float] | None, truth: Known
) -> dict[str, list[float]]:
    """Searched and reported value of the best so far; the worst there is before anything is."""
    objective = history.problem.objectives[0]
    searched = (history.scores[:, 0] * objective.sign).tolist()
    nothing = truth.reference[0] * objective.sign
    best = incumbents(history).tolist()
    return {
        "searched": [searched[i] if i >= 0 else nothing for i in best],
        "reported": [(reported or searched)[i] if i >= 0 else nothing for i in best],
    }


def _single(case: Case, history: History, run: dict[str, Any], truth: Known) -> dict[str, Any]:
    curve = _curve(case, history, run["metrics"][case.report], truth)
    gaps = [abs(value - truth.best) for value in curve["searched"]]
    close = CLOSE * abs(truth.best)
    padded = curve["reported"] + curve["reported"][-1:] * (case.budget - len(gaps))
    last = int(incumbents(history)[-1])
    return {
        "at": {
            n: abs(padded[n - 1] - truth.best) if case.open or case.constrained else padded[n - 1]
            for n in SINGLE_AT
            if n <= case.budget
        },
        "to_optimum": next((i + 1 for i, gap in enumerate(gaps) if gap <= 1e-9), None),
        "to_close": next((i + 1 for i, gap in enumerate(gaps) if gap <= close), None),
        "winner_feasible": last >= 0 and bool(history.feasible[last]),
        # A logarithmic axis has no zero.
        "regret": [max(gap, 1e-4 * abs(truth.best)) for gap in gaps],
    }


def _front(case: Case, history: History, truth: Known) -> dict[str, Any]:
    low, high = torch.tensor(truth.reference), torch.tensor(truth.ideal)
    scores = (history.scores - low) / (high - low)
    zero = torch.zeros_like(low)
    counts = range(STRIDE, len(scores) + 1, STRIDE)
    volumes = {n: hypervolume(scores[:n], zero) / truth.volume for n in counts}
    return {
        "at": {n: volumes[n] for n in FRONT_AT if n <= case.budget},
        "regret": [1.0 - volume for volume in volumes.values()],
    }


def _single_row(case: Case, group: list[dict[str, Any]], at: list[int]) -> list[Any]:
    cells: list[Any] = [_spread([run["at"][n] for run in group], case) for n in at]
    for key in ("to_optimum", "to_close"):
        counts = [run[key] or math.inf for run in group]
        middle, worst = median(counts), max(counts)
        cells += [_count(middle, case), f"{mean(c < math.inf for c in counts):.0%}"]
        cells += [_count(worst, case)] if key == "to_optimum" else []
    if case.constrained:
        cells.append(sum(not run["winner_feasible"] for run in group))
    return [*cells, median(run["cpu_seconds_per_proposal"] for run in group)]


def _front_row(case: Case, group: list[dict[str, Any]], at: list[int]) -> list[Any]:
    cells: list[Any] = [_spread([run["at"][n] for run in group], case) for n in at]
    return [*cells, median(run["cpu_seconds_per_proposal"] for run in group)]


def _spread(values: list[float], case: Case) -> str:
    digits = 2 if mean(values) > 2 else 4
    spread = stdev(values) if len(values) > 1 else 0.0
    return f"{mean(values):.{digits}f} ± {spread:.{digits}f}"


def _count(value: float, case: Case) -> str:
    return f"> {case.budget}" if value == math.inf else f"{value:g}"


def _truth(case: Case, truth: dict[str, Any], held_out: dict[str, Any] | None) -> str:
    if case.kind == "front":
        return "Share of the hypervolume of the table's own front, from its worst values."
    error = (
        "Held-out error of the fit (five folds): RMSE {rmse:.3f}, R² {r2:.4f}, "
        "Kendall tau {tau:.3f}, {count} architectures.".format(**held_out)
        if held_out
        else ""
    )
    return (
        f"Best value of what is searched: {truth['best']:.6g}; reported there: "
        f"{truth['reported']:.6g}. {case.note} {error}"
    ).rstrip()
