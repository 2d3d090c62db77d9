"""Training: do candidates that are trained here rank as those of published benchmarks do?

    python benchmarks/training.py --out benchmarks/results

Architectures of a benchmark are drawn at random and trained from scratch under a stated protocol;
their validation accuracy is compared with the benchmark's. What has been trained is kept in a file,
so that the trainings may run elsewhere (``--device cuda --workers 8``) and in parts.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from _report import kept_rows, markdown, write
from scipy.stats import kendalltau, spearmanr
from sklearn.preprocessing import normalize

from vitruvius.core.seeding import make_generator
from vitruvius.datasets import RawGraph, Splits, load_raw
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import TrainingError, TrainingEvaluator
from vitruvius.spaces import Space, space

DATA = Path(__file__).parents[1].parent / "shared" / "data"
# Of Coauthor CS, nodes of every class to learn from and to validate on (NAS-Bench-Graph).
LEARN, VALIDATE = 20, 30


@dataclass(frozen=True)
class Case:
    """A benchmark and the protocol that stands in for its own.

    Args:
        space: Text of the space.
        data: File of the data.
        count: Architectures; 0 for all.
        seeds: Trainings of each.
        truth: Gives the benchmark's accuracy in percent of rows.
        part: The part that is compared, ``val`` or ``test``.
        recipe: Fields of the recipe.
        task: Fields of the task that the space decides.
    """

    space: str
    data: str
    count: int
    seeds: int
    truth: Callable[[Space, torch.Tensor, Path], list[float]]
    part: str
    recipe: dict[str, Any]
    task: dict[str, int]


def graph_truth(name: str) -> Callable[[Space, torch.Tensor, Path], list[float]]:
    """Test accuracy of NAS-Bench-Graph."""

    def truth(graphs: Space, x: torch.Tensor, folder: Path) -> list[float]:
        from vitruvius.evaluators import evaluator

        return (100 * evaluator(graphs, name).values(x)["test_perf"]).tolist()

    return truth


def cell_truth(cells: Space, x: torch.Tensor, folder: Path) -> list[float]:
    """Validation accuracy of NAS-Bench-201 after 200 epochs, mean over the class."""
    table = np.load(folder / "nb201.npz")
    rows = cells.rows([str(text) for text in table["arch_str"]])
    keys = cells.hashes(rows)
    values = torch.from_numpy(table["c10_valid_e200"].astype(float))
    return [float(values[keys == key].mean()) for key in cells.hashes(x)]


def pooling_truth(places: Space, x: torch.Tensor, folder: Path) -> list[float]:
    """Accuracy of ResNet-20 with its poolings there."""
    table = np.load(folder / "pooling_resnet20.npz")
    rows = places.rows(["-".join(map(str, row)) for row in table["blocks_per_resolution"].tolist()])
    found = dict(zip(places.keys(rows), table["baseline_avg"].tolist(), strict=True))
    return [found[key] for key in places.keys(x)]


GRAPHS = "nas-bench-graph:norms=false"
GRAPH = {
    "optimizer": "sgd", "epochs": 400, "clip": 5.0, "keep": "last", "precision": "full",
}  # fmt: skip
CASES = {
    "cora": Case(
        GRAPHS, "graph_cora.npz", 40, 1, graph_truth("cora"), "test",
        {**GRAPH, "lr": 0.1, "dropout": 0.7}, {"hidden": 256, "head_layers": 1},
    ),
    "cs": Case(
        # Without norms eight of the networks learn nothing.
        "nas-bench-graph", "graph_coauthor_cs.npz", 20, 1, graph_truth("cs"), "test",
        {**GRAPH, "epochs": 40, "lr": 0.5, "dropout": 0.6},
        {"hidden": 128, "head_layers": 0, "stem_layers": 1},
    ),
    "nasbench201": Case(
        "nasbench201", "cifar10_10k.npz", 25, 1, cell_truth, "val",
        {"epochs": 25, "batch": 128, "lr": 0.1}, {},
    ),
    "nasbench201, narrow": Case(
        "nasbench201:width=8,cells=1", "cifar10_10k.npz", 25, 1, cell_truth, "val",
        {"epochs": 3, "batch": 128, "lr": 0.1}, {},
    ),
    "resnet-pooling": Case(
        "resnet-pooling:width=8", "cifar10_10k.npz", 0, 1, pooling_truth, "val",
        {"epochs": 4, "batch": 128, "lr": 0.1}, {},
    ),
}  # fmt: skip


def main() -> None:
    """Trains what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--seeds", type=int, help="trainings of each, at most")
    parser.add_argument("--trained", type=Path, default=Path("benchmarks/results/training.jsonl"))
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    for name in arguments.case or CASES:
        if not (arguments.data_folder / CASES[name].data).is_file():
            print(f"{name} is skipped: {CASES[name].data} is not in {arguments.data_folder}")
            continue
        _train_missing(name, arguments)
    if not arguments.train_only:
        _write(arguments)


def _train_missing(name: str, arguments: argparse.Namespace) -> None:
    case, done = (
        CASES[name],
        {(r["case"], r["architecture"], r["seed"]) for r in kept_rows(arguments.trained)},
    )
    seeds = range(min(case.seeds, arguments.seeds or case.seeds))
    jobs = [
        (name, str(architecture), seed)
        for seed in seeds
        for architecture in _drawn(case)
        if (name, str(architecture), seed) not in done
    ]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        running = [
            pool.submit(_trained, *job, arguments.device, str(arguments.data_folder))
            for job in jobs
        ]
        for finished in as_completed(running):
            arguments.trained.parent.mkdir(parents=True, exist_ok=True)
            with arguments.trained.open("a") as file:
                file.write(json.dumps(finished.result()) + "\n")
            print(finished.result(), flush=True)


def _trained(name: str, architecture: str, seed: int, device: str, folder: str) -> dict[str, Any]:
    made = _evaluator(name, folder)
    start = time.monotonic()
    try:
        told = made.train(architecture, seed=seed, context=Context(device=device))
    except TrainingError:
        # The benchmark counts what diverged; it answers with one class.
        val, test = (1 / made.space.task.classes,) * 2
    else:
        val = told.metrics["accuracy"]
        test = made.test(told, device)["accuracy"] if CASES[name].part == "test" else None
    return {
        "case": name,
        "architecture": architecture,
        "seed": seed,
        "val": val,
        "test": test,
        "seconds": round(time.monotonic() - start, 2),
        "device": device,
    }


@cache
def _evaluator(name: str, folder: str) -> TrainingEvaluator:
    case = CASES[name]
    raw = load_raw(Path(folder) / case.data)
    if isinstance(raw, RawGraph):
        raw = replace(raw, features=normalize(raw.features))
        if raw.splits is None:
            raw = replace(raw, splits=_per_class(raw))
    found = space(case.space)
    return TrainingEvaluator(
        found.for_task(replace(found.task, **case.task)) if case.task else found, raw, **case.recipe
    )


def _per_class(raw: RawGraph) -> Splits:
    """Equally many nodes of every class to learn from and to validate on; the rest is the test."""
    order = torch.randperm(len(raw.labels), generator=make_generator(0))
    order = order[raw.labels[order] >= 0]
    parts: dict[str, list[torch.Tensor]] = {"train": [], "val": [], "test": []}
    for label in range(raw.classes):
        own = order[raw.labels[order] == label]
        for part, some in zip(parts, own.tensor_split([LEARN, LEARN + VALIDATE]), strict=True):
            parts[part].append(some)
    return Splits(**{part: torch.cat(each) for part, each in parts.items()})


def _drawn(case: Case) -> Iterator[Any]:
    found = space(case.space)
    x = found.sample(case.count, 0) if case.count else found.enumerate()
    yield from found.architectures(x)


def _write(arguments: argparse.Namespace) -> None:
    columns = [
        "benchmark", "architectures", "trainings of each", "epochs", "Spearman", "Kendall tau",
        "median difference, points", "median seconds a training", "device",
    ]  # fmt: skip
    rows, kept = [], kept_rows(arguments.trained)
    for name, case in CASES.items():
        found = space(case.space)
        told: dict[str, list[dict[str, Any]]] = {}
        for row in kept:
            if row["case"] == name:
                told.setdefault(row["architecture"], []).append(row)
        if len(told) < 2:
            continue
        ours = [100 * mean(row[case.part] for row in each) for each in told.values()]
        truth = case.truth(found, found.rows(list(told)), arguments.data_folder)
        pairs = list(zip(ours, truth, strict=True))
        rows.append([
            name,
            len(pairs),
            min(map(len, told.values())),
            case.recipe["epochs"],
            float(spearmanr(ours, truth).statistic),
            float(kendalltau(ours, truth).statistic),
            median(abs(a - b) for a, b in pairs),
            median(row["seconds"] for each in told.values() for row in each),
            next(iter(told.values()))[0]["device"],
        ])  # fmt: skip
        print(*rows[-1], flush=True)
    results = [dict(zip(columns, row, strict=True)) for row in rows]
    write(arguments.out, "training", {"rows": results, "trained": kept}, markdown(columns, rows))


if __name__ == "__main__":
    main()
