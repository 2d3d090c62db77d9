"""Searches whose candidates are trained: what the one that is chosen is worth, trained anew.

    python benchmarks/trained_search.py --out benchmarks/results

Every method trains the same number of candidates and chooses by validation; the chosen one is
trained again with new seeds, and its test accuracy is what counts. Beside it stand networks made by
hand, and the mean of random architectures trained in the same way, for a search has to be told
from its space ("NAS evaluation is frustratingly hard", arXiv 1912.12522): the relative improvement
is 100 (search - random) / random.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import kept_rows, markdown, standard_error, write

from vitruvius.bo.problem import Problem
from vitruvius.core.seeding import derive_seed, make_generator
from vitruvius.datasets import RawImages, Splits, load_raw
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import space
from vitruvius.verbs.search import search

DATA = Path(__file__).parents[1].parent / "shared" / "data"
# Random architectures that are trained as what was chosen.
RANDOM = 10
METHODS = ("bo", "random")
# Of Fashion-MNIST, images to learn from, to validate on and to report on.
FASHION = (600, 400, 1_000)


@dataclass(frozen=True)
class Case:
    """A space and data.

    Args:
        space: Text of the space.
        data: File of the data.
        budget: Trainings of a search.
        recipe: Fields of the recipe.
        retrained: Trainings of what was chosen.
        by_hand: Networks that people made, by name.
        where: Constraints that are counted.
        read: Reads the data.
    """

    space: str
    data: str
    budget: int
    recipe: dict[str, Any]
    retrained: int = 3
    by_hand: dict[str, str] = field(default_factory=dict)
    where: str = ""
    read: Callable[[Path], Any] = load_raw


def fashion(path: Path) -> RawImages:
    """The first images of the shuffled training part, and of the test part."""
    raw = load_raw(path)
    order = torch.randperm(60_000, generator=make_generator(0))
    learn, judge, report = FASHION
    splits = Splits(
        order[:learn], order[learn : learn + judge], torch.arange(60_000, 60_000 + report)
    )
    return RawImages(raw.images, raw.labels, splits=splits)


IMAGES = {"epochs": 12, "batch": 64, "lr": 0.1}
SMALL = {
    "darts": "darts:cells=3,width=8",
    "mnasnet": "mnasnet:width=0.5,stem_stride=1",
    "resnet-size": "resnet-size:width=8",
}
CASES = {
    "autognn, Cora": Case(
        "autognn", "graph_cora.npz", 40,
        {"epochs": 100, "patience": 25, "lr": 0.005, "dropout": 0.6, "precision": "full"}, 5,
        {"GCN": "const|sum|relu|1|16 gcn|sum|linear|1", "GAT": "gat|sum|elu|8|8 gat|sum|linear|1"},
        # The widest, of 4,096 channels, take minutes; the papers' best have fewer parameters.
        where="params<=500k",
    ),
    **{
        f"{name}, Flowers-17": Case(text, "flowers17_16px.npz", 20, IMAGES)
        for name, text in SMALL.items()
    },
    **{
        f"{name}, Fashion-MNIST": Case(
            text, "fashion_mnist.npz", 20, {**IMAGES, "epochs": 5}, read=fashion
        )
        for name, text in SMALL.items()
    },
}  # fmt: skip


def main() -> None:
    """Runs what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument(
        "--searched", type=Path, default=Path("benchmarks/results/trained_search.jsonl")
    )
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    done = {(row["case"], row["what"], row["seed"]) for row in kept_rows(arguments.searched)}
    jobs = []
    for name in arguments.case or CASES:
        if not (arguments.data_folder / CASES[name].data).is_file():
            print(f"{name} is skipped: {CASES[name].data} is not in {arguments.data_folder}")
            continue
        jobs += [(name, method, seed) for seed in range(arguments.seeds) for method in METHODS]
        jobs += [(name, f"network {i}", 0) for i in range(RANDOM)]
        jobs += [(name, hand, 0) for hand in CASES[name].by_hand]
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        run = partial(_run, device=arguments.device, folder=str(arguments.data_folder))
        running = [pool.submit(run, *job) for job in jobs if job not in done]
        for finished in as_completed(running):
            arguments.searched.parent.mkdir(parents=True, exist_ok=True)
            with arguments.searched.open("a") as file:
                file.write(json.dumps(finished.result()) + "\n")
            print(finished.result(), flush=True)
    if not arguments.train_only:
        _write(arguments)


def _run(name: str, what: str, seed: int, *, device: str, folder: str) -> dict[str, Any]:
    """A search and its winner, or a network and its trainings."""
    made, case = _evaluator(name, folder), CASES[name]
    if what in METHODS:
        told = search(
            made.space,
            evaluator=made,
            maximize="accuracy",
            where=case.where,
            method=what,
            seed=seed,
            budget=case.budget,
            executor="serial",
        )
        architecture, found = str(told.architecture(told.best[0])), told.best[0].metrics
    elif what in case.by_hand:
        architecture, found = case.by_hand[what], {}
    else:
        problem = Problem.of(made, maximize="accuracy", where=case.where)
        # Enough that constraints leave as many.
        x = made.space.sample(RANDOM if not case.where else 10 * RANDOM, 1)
        drawn = x[problem.possible(x)][int(what.split()[-1])]
        architecture, found = str(made.space.architecture(drawn)), {}
    test = []
    for again in range(case.retrained):
        anew = derive_seed(1, "retrained", again)
        trained = made.train(architecture, seed=anew, context=Context(device=device))
        test.append(made.test(trained, device)["accuracy"])
    return {
        "case": name,
        "what": what,
        "seed": seed,
        "architecture": architecture,
        "val": found.get("accuracy"),
        "test": test,
        "device": device,
    }


@cache
def _evaluator(name: str, folder: str) -> TrainingEvaluator:
    case = CASES[name]
    return TrainingEvaluator(space(case.space), case.read(Path(folder) / case.data), **case.recipe)


def _rows(kept: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for name, case in CASES.items():
        own = [row for row in kept if row["case"] == name]
        drawn = [100 * mean(row["test"]) for row in own if row["what"].startswith("network")]
        if len(drawn) < 2:
            continue
        base = mean(drawn)
        for what in (*METHODS, *case.by_hand):
            tests = [100 * mean(row["test"]) for row in own if row["what"] == what]
            if not tests:
                continue
            gains = [100 * (test - base) / base for test in tests]
            # Both means are uncertain.
            errors = [standard_error(gains), 100 * standard_error(drawn) / base]
            error = sum(each**2 for each in errors if each is not None) ** 0.5
            trainings = case.budget if what in METHODS else 0
            spread = standard_error(tests)
            yield [name, what, trainings, len(tests), mean(tests), spread, mean(gains), error]
        yield [name, "mean of random", 0, len(drawn), base, standard_error(drawn), 0.0, None]


def _write(arguments: argparse.Namespace) -> None:
    columns = [
        "case", "what", "trainings", "runs", "test accuracy", "standard error",
        "relative improvement, %", "its standard error",
    ]  # fmt: skip
    kept = kept_rows(arguments.searched)
    rows = list(_rows(kept))
    results = [dict(zip(columns, row, strict=True)) for row in rows]
    write(arguments.out, "trained_search", {"rows": results, "runs": kept}, markdown(columns, rows))


if __name__ == "__main__":
    main()
