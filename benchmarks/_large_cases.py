"""The cases of `large_search.py`: spaces too large to list, and truths that answer at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from _ofa import read
from _report import kept_rows
from _search_cases import MACS
from _tables import accel_rows, accel_space, cell_row

from vitruvius import evaluator, space
from vitruvius.bo.measures import hypervolume
from vitruvius.bo.problem import Problem
from vitruvius.core.npz import read_npz
from vitruvius.evaluators.joined import JoinedEvaluator
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.surrogate_benchmark import SurrogateBenchmark
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import Space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.spaces.cnn.nasbench101 import NASBench101

__all__ = ["CASES", "DARTS", "Case", "curve", "held_out", "problem_of"]

# What the truth of `darts` is fitted to: trainings of our own.
DARTS, DARTS_FILE = "darts:cells=3,width=8", "large_search-darts.jsonl"
# Architectures that the fit of a large table is made of: its time grows with their cube.
MOST = 2500
PAIRS, AREA = "nasbench201 x accelerator", "area_um2<=4M"
# Uniform draws that set the scale of a front.
DRAWN = 3000
# Error rates below the benchmark's best are not told apart.
FLOOR = 0.03


@dataclass(frozen=True)
class Case:
    """One problem.

    Args:
        title: Heading of its table.
        make: From the data folder and that of results to the problem.
        files: What of the data folder it needs.
        logs: Objectives whose logarithm counts in a hypervolume.
    """

    title: str
    make: Callable[[Path, Path], Problem]
    files: tuple[str, ...]
    logs: tuple[str, ...] = ()


@cache
def problem_of(name: str, folder: Path, results: Path) -> Problem:
    """The problem of a case, once a process."""
    return CASES[name].make(folder, results)


def held_out(problem: Problem) -> str:
    """What is known of the error of fitted truths."""
    whole = problem.evaluator
    parts = whole.evaluators if isinstance(whole, JoinedEvaluator) else [whole]
    told = [
        f"{part.metric}: RMSE {part.held_out.rmse:.3g}, R² {part.held_out.r2:.3f}, Kendall tau "
        f"{part.held_out.tau:.3f}, {part.held_out.count} architectures"
        for part in parts
        if isinstance(part, SurrogateBenchmark)
    ]
    return f"Held-out error of the fit (five folds): {'; '.join(told)}." if told else ""


@cache
def _scale(name: str, folder: Path, results: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """Median and best of uniform draws, by objective."""
    problem = problem_of(name, folder, results)
    x = problem.space.sample(DRAWN, 0)
    x = x[problem.possible(x)]
    values = {**problem.exact(x), **problem.evaluator.values(x)}
    scores = _scores(name, problem, values)
    return scores.median(0).values, scores.amax(0)


def _scores(name: str, problem: Problem, values: dict[str, torch.Tensor]) -> torch.Tensor:
    """More is better in every column."""
    columns = []
    for entry in problem.objectives:
        value = values[entry.metric].double()
        columns.append(entry.sign * (value.log10() if entry.metric in CASES[name].logs else value))
    return torch.stack(columns, 1)


def curve(name: str, values: dict[str, torch.Tensor], folder: Path, results: Path) -> list[float]:
    """The best so far after every evaluation: of one objective, or the hypervolume of several."""
    problem = problem_of(name, folder, results)
    scores = _scores(name, problem, values)
    if not problem.multiple:
        return scores[:, 0].cummax(0).values.tolist()
    low, high = _scale(name, folder, results)
    scores = (scores - low) / (high - low)
    return [hypervolume(scores[: i + 1], torch.zeros_like(low)) for i in range(len(scores))]


def _mobilenetv3(folder: Path, results: Path) -> Problem:
    # All accuracies are at this resolution.
    nets = MobileNetV3(resolutions=(224,))
    truth = SurrogateBenchmark(read(folder / "ofa_mbv3_accuracy.npz", nets), "top1")
    return Problem.of(truth, maximize="top1", where=f"macs<={MACS:.0f}")


def _nasbench101(folder: Path, results: Path) -> Problem:
    """Random cells, and what others' searches visited; by minus the logarithm of the error."""
    cells, found = NASBench101(), dict[tuple[int, ...], float]()
    for file, score in (
        ("nb101_2500.npz", "c10_acc_e108"),
        ("nb101_ecnas_recovered.npz", "test_acc_e108"),
    ):
        columns = read_npz(folder / file)
        for number, accuracy in enumerate(columns[score].astype(float).tolist()):
            if np.isfinite(accuracy):
                score_of = -float(np.log(max(1 - accuracy, FLOOR)))
                found.setdefault(cell_row(cells, columns, number), score_of)
    values = torch.tensor(list(found.values()), dtype=torch.float64)
    truth = _fitted(cells, torch.tensor(list(found)), "score", values)
    return Problem.of(truth, maximize="score")


def _fitted(
    kind: Space, rows: torch.Tensor, name: str, values: torch.Tensor, unit: str = ""
) -> SurrogateBenchmark:
    table = Table(kind, rows, {name: values}, {name: Metric(name, unit, "higher")})
    return SurrogateBenchmark(table, name)


def _darts(folder: Path, results: Path) -> Problem:
    kind = space(DARTS)
    kept = kept_rows(results / DARTS_FILE)
    rows = torch.tensor([kind.architecture(row["architecture"]).canonical for row in kept])
    values = torch.tensor([row["accuracy"] for row in kept], dtype=torch.float64)
    return Problem.of(_fitted(kind, rows, "accuracy", values, "%"), maximize="accuracy")


def _accel(folder: Path, results: Path) -> Problem:
    """Accuracy and throughput on one device, each fitted to a part of the table."""
    blocks, columns = accel_space(), read_npz(folder / "accel_nasbench.npz")
    rows = accel_rows(blocks, columns)
    some = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))[:MOST]
    parts = []
    for name, column in (("top1", "val_top1"), ("throughput", "thr_ips_zcu102")):
        values = torch.as_tensor(columns[column].astype(float))[some]
        # Device times spread over decades.
        values = values if name == "top1" else values.log()
        parts.append(_fitted(blocks, rows[some], name, values))
    return Problem.of(JoinedEvaluator(parts), maximize="top1, throughput")


def _pairs(folder: Path, results: Path) -> Problem:
    pairs = space(PAIRS)
    table = f"{folder / 'nb201.npz'}:accuracy=c10_valid_e200,part=nasbench201"
    told = evaluator(pairs, [table, "hardware"])
    return Problem.of(told, maximize="accuracy", minimize="latency_cycles, energy_nj", where=AREA)


CASES = {
    "mobilenetv3": Case(
        f"MobileNetV3 at resolution 224: fitted accuracy under {MACS / 1e6:.0f} M MACs",
        _mobilenetv3,
        ("ofa_mbv3_accuracy.npz",),
    ),
    "nasbench101": Case(
        "NAS-Bench-101: fitted minus logarithm of the error",
        _nasbench101,
        ("nb101_2500.npz", "nb101_ecnas_recovered.npz"),
    ),
    "darts": Case("DARTS, three cells: accuracy fitted to trainings of our own", _darts, ()),
    "accel-nasbench": Case(
        "Accel-NASBench: fitted accuracy and logarithm of the throughput on a ZCU102",
        _accel,
        ("accel_nasbench.npz",),
    ),
    "pairs": Case(
        "NAS-Bench-201's cells on accelerators: accuracy, latency and energy within 4 mm²",
        _pairs,
        ("nb201.npz",),
        logs=("latency_cycles", "energy_nj"),
    ),
}
