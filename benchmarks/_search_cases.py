"""The cases of `search.py`: what is searched for, what is reported, and what is best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from _ofa import read
from _transnas import transnas

from vitruvius import evaluator, space
from vitruvius.bo.measures import hypervolume
from vitruvius.bo.problem import Problem
from vitruvius.evaluators.tables.surrogate_benchmark import SurrogateBenchmark
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3

GRAPHS = ("cora", "pubmed", "arxiv", "physics")
# Targets of transfer only.
OTHER_GRAPHS = ("citeseer", "cs", "photo", "computers", "proteins")
TRANSNAS = ("class_scene", "class_object", "jigsaw")
INITIAL = 5
# About the 30 % quantile of uniform draws at resolution 224.
MACS = 335e6
# Uniform draws from which the long local searches for the reference optimum start.
STARTS = 50
# Share of the table that meets the measured constraint.
FAST = 0.3

Look = Callable[[tuple[int, ...]], Mapping[str, float]]


@dataclass(frozen=True)
class Case:
    """One problem.

    Args:
        name: As on the command line.
        title: Heading of its table.
        budget: Most evaluations, the initial designs included.
        seeds: Most seeds.
        kind: ``"single"`` objective or ``"front"``.
        report: Metric reported of the best by the searched one; the searched one in oracle mode.
        data: File of the data folder that it needs; "" for none.
        make: From the data folder to the problem.
        stop: Whether to stop at the optimum.
        settings: What `make` puts into the problem, for the key of results.
        constrained: Whether a winner could be infeasible.
        open: Whether the space is too large for its optimum to be known.
        note: Said under the title.
    """

    name: str
    title: str
    budget: int
    seeds: int
    kind: str
    report: str
    data: str
    make: Callable[[Path], Problem]
    stop: bool
    settings: tuple[str, ...]
    constrained: bool = False
    open: bool = False
    note: str = ""


@cache
def cases() -> dict[str, Case]:
    """All of them, by name."""
    found: list[Case] = []
    for name, column, title in (
        ("nb201-c10", "c10", "CIFAR-10"),
        ("nb201-c100", "c100", "CIFAR-100"),
    ):
        for mode, searched in (("", "test"), ("-valid", "valid")):
            found.append(_nasbench201(name + mode, column, title, searched))
    for name in (*GRAPHS, *OTHER_GRAPHS):
        for mode, searched in (("-oracle", "test_perf"), ("", "valid_perf")):
            found.append(_graphs(f"nbg-{name}{mode}", name, searched))
    found += [_transnas(name) for name in TRANSNAS]
    found.append(_mobilenetv3())
    for name in GRAPHS:
        found += [_front(name), _constrained(name)]
    return {case.name: case for case in found}


def look_up(problem: Problem) -> Look:
    """What a trial measures, test metrics included (which no method sees)."""

    def look(row: tuple[int, ...]) -> Mapping[str, float]:
        return problem.evaluator.evaluate(row).metrics

    return look


def seen(problem: Problem, metrics: Mapping[str, float]) -> dict[str, float]:
    """The part of the measurements that the search is allowed to see."""
    return {name: metrics[name] for name in problem.learned}


@dataclass(frozen=True)
class Known:
    """What is known of a case from the whole table; never shown to a method.

    Args:
        best: Best value of the searched metric among what may be proposed and is feasible.
        reported: The reported metric at that architecture.
        reference: Worst value of every objective (more is better).
        ideal: Best value of every objective.
        volume: Hypervolume of the true front, 0 for one objective.
    """

    best: float
    reported: float
    reference: tuple[float, ...]
    ideal: tuple[float, ...]
    volume: float = 0.0


@cache
def known(case: Case, folder: Path) -> Known:
    """Reads the optimum off the table; in an open space, off long local searches."""
    problem = problem_of(case, folder)
    if case.open:
        return _climbed(problem)
    x = problem.whole()
    x = x[problem.possible(x)]
    values = {**problem.exact(x), **problem.evaluator.values(x)}
    scores, feasible = problem.scores(values), problem.feasible(values)
    best = int(torch.where(feasible, scores[:, 0], -torch.inf).argmax())
    reference, ideal = scores.amin(0), scores.amax(0)
    volume = 0.0
    if case.kind == "front":
        volume = hypervolume((scores - reference) / (ideal - reference), torch.zeros_like(ideal))
    return Known(
        best=float(scores[best, 0] * problem.objectives[0].sign),
        reported=float(values[case.report][best]),
        reference=tuple(reference.tolist()),
        ideal=tuple(ideal.tolist()),
        volume=volume,
    )


def _climbed(problem: Problem) -> Known:
    """Climbs from many uniform draws to the best neighbour until there is none."""
    truth, metric = problem.evaluator, problem.objectives[0].metric
    x = problem.space.sample(20 * STARTS, 0)
    values = truth.values(x)[metric]
    best = -float("inf")
    for row in x[problem.possible(x)][:STARTS]:
        value = float(truth.values(row[None])[metric])
        while True:
            near = problem.space.neighbours(row)
            near = near[problem.possible(near)]
            found, at = truth.values(near)[metric].max(0)
            if float(found) <= value:
                break
            row, value = near[at], float(found)
        best = max(best, value)
    return Known(best, best, (float(values.min()),), (best,))


@cache
def problem_of(case: Case, folder: Path) -> Problem:
    """The problem of a case, once per process."""
    return case.make(folder)


def _nasbench201(name: str, column: str, title: str, searched: str) -> Case:
    metrics = f"test[%]={column}_test_e200, valid[%]={column}_valid_e200"

    def make(folder: Path) -> Problem:
        table = evaluator(space("nasbench201"), folder / "nb201.npz", metrics=metrics)
        return Problem.of(table, maximize=searched)

    oracle = searched == "test"
    return Case(
        name=name,
        title=f"NAS-Bench-201, {title}, "
        + ("oracle: test accuracy searched" if oracle else "validation searched, test reported"),
        budget=150 if oracle else 100,
        seeds=60,
        kind="single",
        report="test",
        data="nb201.npz",
        make=make,
        stop=oracle,
        settings=(metrics, searched),
    )


def _graphs(name: str, data: str, searched: str) -> Case:
    def make(folder: Path) -> Problem:
        return Problem.of(evaluator(space("nas-bench-graph"), data), maximize=searched)

    oracle = searched == "test_perf"
    return Case(
        name=name,
        title=f"NAS-Bench-Graph, {data}, "
        + ("oracle: test accuracy searched" if oracle else "validation searched, test reported"),
        budget=100,
        seeds=60,
        kind="single",
        report="test_perf",
        data="",
        make=make,
        stop=oracle,
        settings=(data, searched),
    )


def _transnas(name: str) -> Case:
    def make(folder: Path) -> Problem:
        return Problem.of(transnas(folder, name), maximize="score")

    return Case(
        name=f"transnas-{name}",
        title=f"TransNAS-Bench-101, cells, {name}",
        budget=100,
        seeds=20,
        kind="single",
        report="score",
        data="transnas101_micro.npz",
        make=make,
        stop=True,
        settings=(name,),
    )


def _mobilenetv3() -> Case:
    where = f"macs<={MACS:.0f}"

    def make(folder: Path) -> Problem:
        # All accuracies are at this resolution.
        nets = MobileNetV3(resolutions=(224,))
        truth = SurrogateBenchmark(read(folder / "ofa_mbv3_accuracy.npz", nets), "top1")
        return Problem.of(truth, maximize="top1", where=where)

    return Case(
        name="mbv3",
        title=f"MobileNetV3 at resolution 224, fitted accuracy under {MACS / 1e6:.0f} M MACs",
        budget=100,
        seeds=10,
        kind="single",
        report="top1",
        data="ofa_mbv3_accuracy.npz",
        make=make,
        stop=False,
        settings=(where,),
        open=True,
        note="The optimum is the best that any run here, or any of 50 local searches until the "
        "end on the fitted truth itself, found.",
    )


def _front(data: str) -> Case:
    def make(folder: Path) -> Problem:
        table = evaluator(space("nas-bench-graph"), data)
        return Problem.of(table, maximize="valid_perf", minimize="latency,params")

    return Case(
        name=f"mo-{data}",
        title=f"NAS-Bench-Graph, {data}: validation performance up, latency and parameters down",
        budget=200,
        seeds=20,
        kind="front",
        report="valid_perf",
        data="",
        make=make,
        stop=False,
        settings=("valid_perf", "latency,params"),
    )


def _constrained(data: str) -> Case:
    def make(folder: Path) -> Problem:
        table = evaluator(space("nas-bench-graph"), data)
        limit = float(table.values(table.rows)["latency"].quantile(FAST))
        return Problem.of(table, maximize="valid_perf", where=f"latency<={limit!r}")

    return Case(
        name=f"constrained-{data}",
        title=f"NAS-Bench-Graph, {data}: validation performance where latency is in the best "
        f"{FAST:.0%}",
        budget=100,
        seeds=20,
        kind="single",
        report="valid_perf",
        data="",
        make=make,
        stop=False,
        settings=(str(FAST),),
        constrained=True,
        note="Latency is measured, so nothing tells in advance which architectures are fast.",
    )
