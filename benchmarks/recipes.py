"""Architecture and recipe: searched together, or one after the other, at equal cost.

    python benchmarks/recipes.py --out benchmarks/results

Trained here: residual networks on a tenth of a fifth of CIFAR-10. Together, 24 pairs of a network
and a recipe are trained; one after the other, 12 networks with the usual recipe, then 12 recipes of
the best. What is chosen by validation is trained again three times and measured on the test part.

On a table: 117 networks that were trained on ImageNet with a cheap and a long recipe
(Accel-NASBench). Within the same hours, pairs are drawn at random, or networks with the cheap
recipe first and the best of them with the long one; what counts is the accuracy with the long
recipe, of another seed.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np
import torch
from _report import kept_rows, markdown, write

from vitruvius.core.seeding import derive_seed, make_generator
from vitruvius.datasets import RawImages, Splits, load_raw
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import Architecture, ProductSpace, space
from vitruvius.verbs.search import search

DATA = Path(__file__).parents[1].parent / "shared" / "data"
NETWORKS = "resnet-size:width=8"
JOINT = f"{NETWORKS} x recipe:batch=[],drop_path=[]"
# Images to learn from, to validate on and to report on.
PARTS = (600, 400, 2_000)
BUDGET, SEEDS, TRAININGS = 24, 3, 3
RECIPE: dict[str, Any] = {"epochs": 8, "batch": 64}
# Hours on the table, the share of them for the cheap recipe, and how often all is repeated.
HOURS, CHEAP, REPEATS = 40.0, 0.5, 1_000


def main() -> None:
    """Trains what is not in the file yet, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/recipes.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    images = arguments.data_folder / "cifar10_10k.npz"
    table = arguments.data_folder / "accel_nasbench_recipes.npz"
    for path in (images, table):
        if not path.is_file():
            print(f"skipped: {path.name} is not in {arguments.data_folder}")
    if images.is_file():
        trainer = TrainingEvaluator(space(JOINT), _few(images), **RECIPE)
        done = {(row["order"], row["seed"]) for row in kept_rows(arguments.kept)}
        for seed in range(SEEDS):
            for order, run in (("together", _together), ("one after the other", _in_turn)):
                if (order, seed) in done:
                    continue
                chosen, val = run(trainer, seed)
                row = {"order": order, "seed": seed, "chosen": str(chosen), "val": val}
                row["test"] = _tested(trainer, chosen)
                arguments.kept.parent.mkdir(parents=True, exist_ok=True)
                with arguments.kept.open("a") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, flush=True)
    _write(arguments, _on_table(table) if table.is_file() else [])


def _few(path: Path) -> RawImages:
    raw = load_raw(path)
    assert isinstance(raw, RawImages)
    order = torch.randperm(len(raw), generator=make_generator(0))
    learn, judge, report = order[: sum(PARTS)].split(PARTS)
    return RawImages(raw.images, raw.labels, splits=Splits(learn, judge, report))


def _together(trainer: TrainingEvaluator, seed: int) -> tuple[Architecture, float]:
    told = search(
        trainer.space,
        evaluator=trainer,
        maximize="accuracy",
        budget=BUDGET,
        seed=seed,
        executor="serial",
    )
    return told.architecture(told.best[0]), told.best[0].metrics["accuracy"]


def _in_turn(trainer: TrainingEvaluator, seed: int) -> tuple[Architecture, float]:
    product = trainer.space
    assert isinstance(product, ProductSpace)
    networks, recipes = product.parts.values()
    plain = TrainingEvaluator(networks, trainer.data[0], **RECIPE)
    first = search(
        networks,
        evaluator=plain,
        maximize="accuracy",
        budget=BUDGET // 2,
        seed=seed,
        executor="serial",
    )
    network = first.architecture(first.best[0]).indices

    def trained(recipe: Architecture) -> dict[str, float]:
        told = trainer.evaluate((*network, *recipe.indices), seed=seed)
        return {"accuracy": told.metrics.get("accuracy", 0.0)}

    second = search(
        recipes,
        evaluator=trained,
        maximize="accuracy",
        budget=BUDGET // 2,
        seed=seed,
        executor="serial",
    )
    recipe = second.architecture(second.best[0]).indices
    return product.architecture((*network, *recipe)), second.best[0].metrics["accuracy"]


def _tested(trainer: TrainingEvaluator, chosen: Architecture) -> list[float]:
    tests = []
    for again in range(TRAININGS):
        told = trainer.train(chosen, seed=derive_seed(1, "retrained", again))
        tests.append(trainer.test(told)["accuracy"])
    return tests


def _on_table(path: Path) -> list[list[Any]]:
    """Mean accuracy of what is chosen, by order."""
    with np.load(path) as file:
        recipe, seed, arch = (file[name] for name in ("recipe", "seed", "arch"))
        accuracy, hours = file["val_top1"].astype(float), file["train_time_s"].astype(float) / 3600
    names = np.unique(recipe)
    long = max(names, key=lambda name: hours[recipe == name].mean())
    count, seeds = int(arch.max()) + 1, np.unique(seed)
    values, cost = np.full((2, len(seeds), count), np.nan), np.full((2, count), np.nan)
    for which, name in enumerate((next(n for n in names if n != long), long)):
        for place, number in enumerate(seeds):
            own = (recipe == name) & (seed == number)
            values[which, place, arch[own]] = accuracy[own]
            cost[which, arch[own]] = hours[own]
    draw = np.random.default_rng(0)
    told: dict[str, list[float]] = {"together": [], "one after the other": []}
    for _ in range(REPEATS):
        seen, truth = draw.permutation(len(seeds))[:2]
        for order, choose in (("together", _drawn), ("one after the other", _cheap_first)):
            told[order].append(float(values[1, truth, choose(values[:, seen], cost, draw)]))
    return [
        [order, "table", HOURS, len(each), mean(each), stdev(each) / len(each) ** 0.5]
        for order, each in told.items()
    ]


def _drawn(values: np.ndarray, cost: np.ndarray, draw: np.random.Generator) -> int:
    """Pairs at random until the hours are over; the best of them, with its own recipe."""
    left, best = HOURS, (-1.0, 0)
    for pair in draw.permutation(2 * values.shape[1]):
        which, arch = divmod(int(pair), values.shape[1])
        left -= cost[which, arch]
        if left < 0:
            break
        best = max(best, (float(values[which, arch]), arch))
    return best[1]


def _cheap_first(values: np.ndarray, cost: np.ndarray, draw: np.random.Generator) -> int:
    """Networks with the cheap recipe for a share of the hours; the best of them with the long."""
    left, tried = HOURS, []
    for arch in draw.permutation(values.shape[1]).tolist():
        if HOURS - left + cost[0, arch] > CHEAP * HOURS:
            break
        left -= cost[0, arch]
        tried.append((float(values[0, arch]), arch))
    best = (-1.0, 0)
    for _, arch in sorted(tried, reverse=True):
        left -= cost[1, arch]
        if left < 0:
            break
        best = max(best, (float(values[1, arch]), arch))
    return best[1]


def _write(arguments: argparse.Namespace, on_table: list[list[Any]]) -> None:
    columns = ["order", "data", "cost", "runs", "accuracy, %", "standard error"]
    kept = kept_rows(arguments.kept)
    cells = []
    for order in ("together", "one after the other"):
        tests = [100 * mean(row["test"]) for row in kept if row["order"] == order]
        if len(tests) > 1:
            error = stdev(tests) / len(tests) ** 0.5
            told = [order, "trained here", f"{BUDGET} trainings", len(tests), mean(tests), error]
            cells.append(told)
    cells += [[row[0], row[1], f"{row[2]:g} hours", *row[3:]] for row in on_table]
    write(arguments.out, "recipes", {"rows": kept, "table": on_table}, markdown(columns, cells))


if __name__ == "__main__":
    main()
