"""Checks of what a run has measured: limits, units, noise, progress, ranges, the predictor."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from ..bo.ranking import rank
from ..core.seeding import make_generator
from ..evaluators.metric import Metric
from ..predictors import held_out
from ..spaces import Variable
from .checkup_case import Case, counted
from .finding import Finding

__all__ = ["VALUE_CHECKS", "predictor"]

# Measurements below which values, ranks and shares say little.
FEWEST = 20
# Labels that the predictor is judged by: enough to tell, and some seconds at most.
JUDGED = 200
# Kendall's tau from which a predictor helps, if little.
USEFUL = 0.2
# Share of feasible trials that is small, and of trials since the best that is a long time.
FEW, LONG = 0.05, 0.5
# The best that are compared with each other, and the share of them that is at the end of a range.
BEST, AT_END = 5, 0.8
# Probability by which chance may put them there, over all ranges.
CHANCE = 0.01
# Draws that say how often an architecture is at an end by chance.
DRAWN = 1000
# What names of metrics hold of which more is better, and which are shares.
ACCURACIES = ("acc", "top1", "top5", "auc", "auroc", "f1", "perf", "iou")


def _constraints(case: Case) -> Iterator[Finding]:
    told, history = case.told, case.told.history
    if not told.problem.constraints or not case.ok:
        return
    met, n = int(history.feasible.sum()), len(case.ok)
    if met and (met >= FEW * n or n < FEWEST):
        yield Finding("constraints", "ok", f"{met} of {n} meet {told.problem.constraints}.")
        return
    each = {
        target: told.problem.constraints.restrict({target.metric}).satisfied(history.values)
        for target in told.problem.constraints
    }
    hard = min(each, key=lambda target: int(each[target].sum()))
    values = history.values[hard.metric].double()
    nearest = told.text(hard.metric, float(values[hard.distance(values).argmin()]))
    alone = int(each[hard].sum())
    nearby = f"the nearest has {nearest}" if not alone else f"{alone} do alone"
    yield Finding(
        "constraints",
        "warning" if met else "problem",
        f"{met or 'None'} of {n} that were measured meet {told.problem.constraints}; the hardest "
        f"is {hard.text}: {nearby}.",
        "Loosen it in a new search, which can start --from this one.",
    )


def _direction(case: Case) -> Iterator[Finding]:
    problem = case.told.problem
    wrong = [e for e in problem.objectives if _backwards(e.maximize, problem.metrics[e.metric])]
    if not wrong:
        yield Finding("direction", "ok", "Objectives go the way that their names suggest.")
    for objective in wrong:
        now, other = ("maximize", "minimize")[:: 1 if objective.maximize else -1]
        yield Finding(
            "direction",
            "warning",
            f"It {now}s {objective.metric}, of which {'less' if objective.maximize else 'more'} "
            "is better as a rule.",
            f"If that is not meant, search anew with --{other} {objective.metric}",
        )


def _backwards(maximize: bool, metric: Metric) -> bool:
    # Of an unknown name more is taken to be better, which says nothing against minimising it.
    return metric.better == "lower" if maximize else _is_accuracy(metric)


def _is_accuracy(metric: Metric) -> bool:
    named = any(part in metric.name.lower() for part in ACCURACIES)
    return metric.better == "higher" and (named or metric.unit in ("%", "fraction"))


def _units(case: Case) -> Iterator[Finding]:
    wrong = []
    for name in case.told.problem.learned if case.ok else ():
        metric, values = case.told.problem.metrics[name], case.told.history.values[name]
        low, high = metric.bounds
        outside = values[(values < low) | (values > high)]
        if len(outside):
            said = f"{len(outside)} of {len(values)} are no {metric.head}"
            wrong.append(f"{said}, e.g. {float(outside[0]):.6g}")
        shares, percent = values[(values > 0) & (values <= 1)], values[values > 1]
        if not (_is_accuracy(metric) and len(shares) and len(percent)):
            continue
        # An accuracy of chance may be below 1 %: a hundred times that is not what others have.
        if percent.min() <= 100 * shares.median() <= percent.max():
            said = f"{len(shares)} of {len(values)} are between 0 and 1, the others up to"
            wrong.append(f"{said} {float(percent.max()):.6g}: {name} is in two units")
    for said in wrong:
        yield Finding(
            "units",
            "problem",
            f"Values do not fit: {said}.",
            "Tell or return all in one unit, in a new run: what is compared across units is wrong.",
        )
    if case.ok and not wrong:
        yield Finding("units", "ok", "Values lie where they can.")


def _constant(case: Case) -> Iterator[Finding]:
    objectives = {entry.metric for entry in case.told.problem.objectives}
    names = case.told.problem.learned if len(case.ok) >= BEST else ()
    same = [name for name in names if float(case.told.history.values[name].std()) == 0]
    for name in same:
        value = case.told.text(name, float(case.told.history.values[name][0]))
        yield Finding(
            "metrics",
            "problem" if name in objectives else "warning",
            f"{name} is {value} for all {len(case.ok)} architectures: there is nothing to learn.",
            "See that the evaluator returns what it measures, and trains for long enough.",
        )
    if names and not same:
        yield Finding("metrics", "ok", "What is measured differs between architectures.")


def _noise(case: Case) -> Iterator[Finding]:
    history, objective = case.told.history, case.objective
    if objective is None or objective.metric not in case.told.problem.learned:
        return
    name = objective.metric
    good = [t for t, meets in zip(case.ok, history.feasible.tolist(), strict=True) if meets]
    best = sorted(good, key=lambda t: -objective.sign * t.metrics[name])[:BEST]
    told = [t.metrics[d] for t in best if (d := f"{name}_deviation") in t.metrics]
    spread = [
        torch.tensor([t.metrics[name] for t in group], dtype=torch.float64).var()
        for group in case.groups
        if len(group) > 1 and group[0].fidelity is None
    ]
    if len(best) < BEST or not (told or spread):
        return
    noise = sum(told) / len(told) if told else math.sqrt(sum(map(float, spread)) / len(spread))
    gap = abs(best[0].metrics[name] - best[-1].metrics[name])
    said = (
        f"The best {BEST} differ by {case.told.text(name, gap)} in {name}, one measurement from "
        f"the next by {case.told.text(name, noise)}"
    )
    if noise > gap:
        yield Finding(
            "noise",
            "warning",
            f"{said}: which is best is chance.",
            "Measure them again, several times, and average; or train for longer.",
        )
    else:
        yield Finding("noise", "ok", f"{said}.")


def _stagnation(case: Case) -> Iterator[Finding]:
    if len(case.own) < FEWEST or not case.told.result.best:
        return
    # The newest of the best; what is as good came later and counts as no gain.
    newest = max(trial.number for trial in case.told.result.best)
    since = sum(trial.number > newest for trial in case.own)
    if since < LONG * len(case.own):
        yield Finding("progress", "ok", f"The best was found {counted(since, 'evaluation')} ago.")
        return
    yield Finding(
        "progress",
        "warning",
        f"The last {since} of {len(case.own)} evaluations found nothing better.",
        "More budget is not likely to help. Try another --seed or --method, a wider space, or "
        "looser constraints; else take the best as it is.",
    )


def _ends(case: Case) -> Iterator[Finding]:
    history, space = case.told.history, case.told.problem.space
    ranges = [k for k, variable in enumerate(space.variables) if _is_range(variable)]
    if len(case.ok) < FEWEST or not ranges or not case.told.problem.learned:
        return
    from scipy.stats import binom

    best = history.x[rank(history).argsort(stable=True)[: max(BEST, len(case.ok) // 10)]]
    drawn = space.canonical(space.sample(DRAWN, make_generator(0)))
    hits = []
    for k in ranges:
        values = torch.tensor([float(each) for each in space.variables[k].values])
        for end, name in ((values.argmin(), "smallest"), (values.argmax(), "largest")):
            there = best[:, k] == end
            chance = float((drawn[:, k] == end).double().mean())
            luck = float(binom.sf(int(there.sum()) - 1, len(best), chance)) * 2 * len(ranges)
            if there.double().mean() >= AT_END and luck < CHANCE:
                label = space.variables[k].choices[int(end)]
                share = f"{int(there.sum())} of the best {len(best)}"
                hits.append(f"{share} have the {name} {space.variables[k].name}, {label}")
    if not hits:
        yield Finding("ranges", "ok", "The best are not at the ends of what can be chosen.")
        return
    yield Finding(
        "ranges",
        "warning",
        f"{'; '.join(hits)}.",
        "What lies beyond may be better: widen the range in a space of your own (YAML), or add a "
        "constraint or objective for what it costs.",
    )


def _is_range(variable: Variable) -> bool:
    numbers = all(type(value) in (int, float) for value in variable.values)
    return variable.kind in ("size", "bits", "hardware") and numbers and variable.size > 2


def predictor(case: Case) -> Iterator[Finding]:
    """Tells whether a predictor knows which is better; takes some seconds.

    Args:
        case: The run.
    """
    history, problem = case.told.history, case.told.problem
    for name in problem.learned:
        values = history.values[name]
        if len(case.ok) < FEWEST or float(values.std()) == 0:
            continue
        some = torch.randperm(len(values), generator=make_generator(0))[:JUDGED]
        tau = held_out(problem.space, history.x[some], values[some]).tau
        said = (
            f"Of {len(some)} trials, a Gaussian process ranks the held-out {name} with Kendall's "
            f"tau {tau:.2f}"
        )
        if tau >= USEFUL:
            yield Finding("predictor", "ok", f"{said}.")
            continue
        yield Finding(
            "predictor",
            "warning",
            f"{said}: it hardly knows which is better, and bo is little better than chance by it.",
            "Evaluate more, with less noise (longer training, several seeds), or try another: "
            "--method bo:surrogate=average",
        )


VALUE_CHECKS = (_constraints, _direction, _units, _constant, _noise, _stagnation, _ends)
