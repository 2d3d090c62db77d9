"""GANs: EAGAN, Bayesian optimisation and random search at equal cost, and what ranks can say.

    python benchmarks/gans.py --out benchmarks/results

Every method trains as many pairs on as many images, and chooses by FID. What is chosen is trained
again, longer and with weights of its own; beside it stands the mean of random pairs, trained in the
same way. Those random pairs, trained with two seeds, also tell how far seeds and shorter trainings
agree. With ``--transfer``, the distances of random generators on one data set are what another's
proposals are made of, without a label of its own; they and random ones are trained there. FID is in
the features of a classifier of the data set itself, and holds for the counts of images alone.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import kept_rows, markdown, standard_error, write
from scipy.stats import spearmanr

from vitruvius.core.seeding import derive_seed, make_generator
from vitruvius.datasets import RawImages, Splits, load_raw
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import GANEvaluator
from vitruvius.evaluators.training.generation_scores import frechet_distance
from vitruvius.evaluators.training.loop import TrainingError
from vitruvius.reports import image_sheet, write_bytes
from vitruvius.spaces import space
from vitruvius.verbs.search import search
from vitruvius.verbs.transfer import transfer

DATA = Path(__file__).parents[1].parent / "shared" / "data"
# Random pairs, and trainings of each and of what was chosen.
RANDOM, TRAININGS = 16, 2
# Images that distances are shown for.
COUNTS = (1_000, 5_000, 10_000)
# What is proposed for a new data set, by each of the seeds, and at random.
PROPOSED, UNGUIDED = 5, 10
SOURCE, TARGET = "Fashion-MNIST", "CIFAR-10, narrow"
# Text of the method, whose weights candidates have, and how many times the images each sees, of
# which there are as many times fewer.
METHODS = {
    "eagan": ("eagan:population=4,generators=8", "shared", 1),
    "bo": ("bo", "own", 1),
    "random": ("random", "own", 1),
    "eagan, twice the images": ("eagan:population=2,generators=4", "shared", 2),
    "bo, twice the images": ("bo", "own", 2),
    "random, twice the images": ("random", "own", 2),
}
OBJECTIVES = {"minimize": "fid, params"}


@dataclass(frozen=True)
class Case:
    """Data, the space of pairs, and how they are trained.

    Args:
        data: File of the data.
        parts: Images to learn from, to validate the classifier on, and to report its accuracy on.
        space: Text of the space.
        budget: Trainings of a search.
        low: Images of a training in a search.
        full: Images of a training of what was chosen.
        samples: Images that are generated to measure.
    """

    data: str
    parts: tuple[int, int, int]
    space: str
    budget: int
    low: int
    full: int
    samples: int


CASES = {
    "Fashion-MNIST": Case(
        "fashion_mnist.npz", (5_000, 1_000, 2_000),
        "eagan-generator:width=8,latent=30 x eagan-discriminator:width=8", 16, 6_000, 18_000, 1_000,
    ),
    "CIFAR-10, narrow": Case(
        "cifar10_10k.npz", (5_000, 1_000, 2_000), "eagan-generator:width=8,latent=30", 0, 6_000,
        18_000, 1_000,
    ),
    "CIFAR-10": Case(
        "cifar10_10k.npz", (8_000, 1_000, 1_000),
        "eagan-generator:width=64 x eagan-discriminator:width=32", 16, 100_000, 300_000, 5_000,
    ),
}  # fmt: skip


def main() -> None:
    """Runs what is not in the file yet, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--trained", type=Path, default=Path("benchmarks/results/gans.jsonl"))
    parser.add_argument("--method", choices=METHODS, action="append")
    parser.add_argument("--transfer", action="store_true")
    parser.add_argument("--train-only", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    jobs: list[tuple[str, str, int]] = []
    for name in arguments.case or ["Fashion-MNIST"]:
        if not (arguments.data_folder / CASES[name].data).is_file():
            print(f"{name} is skipped: {CASES[name].data} is not in {arguments.data_folder}")
            continue
        methods = arguments.method or METHODS
        jobs += [(name, method, seed) for seed in range(arguments.seeds) for method in methods]
        jobs += [(name, f"pair {i}", seed) for seed in range(TRAININGS) for i in range(RANDOM)]
    _run_missing(jobs, arguments)
    if arguments.transfer:
        narrow = [(SOURCE, f"generator {i}", 0) for i in range(RANDOM)]
        narrow += [(TARGET, f"generator {i}", 0) for i in range(UNGUIDED)]
        _run_missing(narrow, arguments)
        proposals = [(TARGET, "proposed", seed) for seed in range(arguments.seeds)]
        _run_missing(proposals, arguments)
    if not arguments.train_only:
        _write(arguments)


def _run_missing(jobs: list[tuple[str, str, int]], arguments: argparse.Namespace) -> None:
    kept = kept_rows(arguments.trained)
    done = {(row["case"], row["what"], row["seed"]) for row in kept}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        run = partial(_run, device=arguments.device, folder=str(arguments.data_folder), kept=kept)
        running = [pool.submit(run, *job, str(arguments.out)) for job in jobs if job not in done]
        for finished in as_completed(running):
            arguments.trained.parent.mkdir(parents=True, exist_ok=True)
            with arguments.trained.open("a") as file:
                file.write(json.dumps(finished.result()) + "\n")
            print(finished.result(), flush=True)


def _run(
    name: str,
    what: str,
    seed: int,
    out: str,
    *,
    device: str,
    folder: str,
    kept: list[dict[str, Any]],
) -> dict[str, Any]:
    """A search with the trainings of its winner, or the training of what is random or proposed."""
    case = CASES[name]
    if what == "proposed" or what.startswith("generator"):
        return _narrow(name, what, seed, device=device, folder=folder, kept=kept)
    full = _evaluator(name, folder, case.full, 3, "own")
    found: dict[str, Any] = {"case": name, "what": what, "seed": seed, "device": device}
    start = time.process_time()
    if what not in METHODS:
        pair = full.space.sample(RANDOM, 1)[int(what.split()[-1])]
        again = derive_seed(1, "trained", seed)
        found |= {"architecture": str(full.space.architecture(pair))}
        return found | _trained(full, found["architecture"], again, device)
    method, weights, times = METHODS[what]
    with tempfile.TemporaryDirectory() as run:
        told = search(
            full.space,
            evaluator=_evaluator(name, folder, times * case.low, 1, weights),
            **OBJECTIVES,
            maximize="inception_score" if method.startswith("eagan") else "",
            method=method,
            seed=seed,
            budget=case.budget // times,
            executor="serial",
            run=Path(run) / "run",
        )
    best = min((t for t in told.trials if t.status == "ok"), key=lambda t: t.metrics["fid"])
    found["architecture"] = str(told.architecture(best))
    found |= {"searched": best.metrics["fid"], "cpu_seconds": time.process_time() - start}
    again = [derive_seed(1, "trained", number) for number in range(TRAININGS)]
    sheet = Path(out) / f"gans_{what}.png" if (seed, times) == (0, 1) else None
    trained = [
        _trained(full, found["architecture"], each, device, None if number else sheet)
        for number, each in enumerate(again)
    ]
    return found | {"trained": trained}


def _narrow(
    name: str, what: str, seed: int, *, device: str, folder: str, kept: list[dict[str, Any]]
) -> dict[str, Any]:
    """A random generator's short training, or those of what a transfer proposes."""
    generators = space(CASES[TARGET].space)
    case = replace(CASES[name], space=CASES[TARGET].space)
    short = GANEvaluator(
        generators, _data(name, folder), images=case.low, rounds=1, samples=case.samples
    )
    found: dict[str, Any] = {"case": name, "what": what, "seed": seed, "device": device}
    if what != "proposed":
        row = generators.sample(RANDOM, 1)[int(what.split()[-1])]
        told = short.evaluate(row, seed=0, context=Context(device=device))
        return found | {"architecture": str(told.architecture), "metrics": told.metrics}
    with tempfile.TemporaryDirectory() as place:
        table = Path(place) / "source.csv"
        with table.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["arch_str", "fid"])
            for row in kept:
                if row["case"] == SOURCE and row["what"].startswith("generator") and row["metrics"]:
                    writer.writerow([row["architecture"], row["metrics"]["fid"]])
        moved = transfer(
            generators.text,
            data=str(Path(folder) / case.data),
            sources=[f"{table}:fid"],
            minimize="fid",
            labels=0,
            n=PROPOSED,
            seed=seed,
            out=Path(place) / "moved",
        )
    proposed = [str(entry.architecture) for entry in moved.sampled.samples]
    told = [short.evaluate(each, seed=0, context=Context(device=device)) for each in proposed]
    return found | {"architectures": proposed, "metrics": [each.metrics for each in told]}


def _trained(
    full: GANEvaluator, architecture: str, seed: int, device: str, sheet: Path | None = None
) -> dict[str, Any]:
    """Distances after every third of a training, and of growing numbers of images at its end."""
    start = time.process_time()
    counts = full.space.statistics(full.space.rows([architecture]), full.task)
    try:
        told = full.train(architecture, seed=seed, context=Context(device=device))
    except TrainingError as error:
        return {"failed": str(error), "params": float(counts["params"])}
    images = list(full.generated(told.network, COUNTS[-1], device=device))
    if sheet is not None:
        write_bytes(sheet, image_sheet(torch.cat(images)[:64]))
    features, _ = full.extractor().all(images)
    real = full.extractor().reference
    return {
        "curve": [entry["fid"] for entry in told.curve],
        "metrics": told.metrics,
        "by_count": {n: frechet_distance(real, features[:n]) for n in COUNTS},
        "params": float(counts["params"]),
        "seconds": round(time.process_time() - start, 1),
    }


@cache
def _evaluator(name: str, folder: str, images: int, rounds: int, weights: str) -> GANEvaluator:
    case = CASES[name]
    return GANEvaluator(
        space(case.space),
        _data(name, folder),
        images=images,
        rounds=rounds,
        samples=case.samples,
        weights=weights,
        # The distance after all images, whether or not there was a better one before.
        keep="last",
    )


@cache
def _data(name: str, folder: str) -> RawImages:
    case = CASES[name]
    raw = load_raw(Path(folder) / case.data)
    learn, judge, report = case.parts
    given = raw.splits
    first = torch.arange(len(raw.images)) if given is None else given.train
    order = first[torch.randperm(len(first), generator=make_generator(0))]
    test = order[learn + judge :] if given is None else given.test
    splits = Splits(order[:learn], order[learn : learn + judge], test[:report])
    return RawImages(raw.images, raw.labels, splits=splits)


def _searched(kept: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for name, case in CASES.items():
        own = [row for row in kept if row["case"] == name]
        pairs: dict[str, list[float]] = {}
        for row in own:
            if row["what"].startswith("pair") and "metrics" in row:
                pairs.setdefault(row["what"], []).append(row["metrics"]["fid"])
        drawn = [mean(each) for each in pairs.values()]
        if len(drawn) < 2:
            continue
        base = mean(drawn)
        for what in METHODS:
            runs = [row for row in own if row["what"] == what]
            told = [
                mean(each["metrics"]["fid"] for each in row["trained"] if "metrics" in each)
                for row in runs
            ]
            if not told:
                continue
            params = mean(row["trained"][0]["params"] for row in runs)
            minutes = mean(row["cpu_seconds"] for row in runs) / 60
            lower = [100 * (base - each) / base for each in told]
            yield [
                name, what, len(runs), case.budget // METHODS[what][2], minutes, mean(told),
                standard_error(told), mean(lower), standard_error(lower), params,
            ]  # fmt: skip
        params = mean(r["params"] for r in own if r["what"].startswith("pair"))
        yield [
            name, "mean of random", len(drawn), 0, None, base, standard_error(drawn), 0.0, None,
            params,
        ]  # fmt: skip


def _ranked(kept: list[dict[str, Any]]) -> Iterator[list[Any]]:
    """How far two seeds, and a third or two thirds of the images and all of them, agree."""
    for name, case in CASES.items():
        curves: dict[str, dict[int, list[float]]] = {}
        for row in kept:
            if row["case"] == name and "curve" in row:
                curves.setdefault(row["what"], {})[row["seed"]] = row["curve"]
        both = [each for each in curves.values() if len(each) == TRAININGS]
        if len(both) < 3:
            continue
        for third in range(3):
            images = case.full * (third + 1) // 3
            seeds = _spearman([(e[0][third], e[1][third]) for e in both])
            full = [
                _spearman([(e[seed][third], e[seed][-1]) for e in both])
                for seed in range(TRAININGS)
            ]
            yield [name, len(both), images, seeds, None if third == 2 else mean(full)]


def _biased(kept: list[dict[str, Any]]) -> Iterator[list[Any]]:
    for name, case in CASES.items():
        told = [
            row["by_count"]
            for row in kept
            if row["case"] == name and row["what"].startswith("pair") and "by_count" in row
        ]
        if told:
            means = [mean(each[str(n)] for each in told) for n in COUNTS]
            order = _spearman([(each[str(COUNTS[0])], each[str(COUNTS[-1])]) for each in told])
            yield [name, case.parts[0], len(told), *means, order]


def _transferred(kept: list[dict[str, Any]]) -> Iterator[list[Any]]:
    own = [row for row in kept if row["case"] == TARGET]
    drawn = [r["metrics"]["fid"] for r in own if r["what"] != "proposed" and r["metrics"]]
    runs = [
        mean(each["fid"] for each in row["metrics"] if each)
        for row in own
        if row["what"] == "proposed"
    ]
    if len(drawn) > 1 and runs:
        yield [TARGET, SOURCE, "proposed", len(runs) * PROPOSED, mean(runs), standard_error(runs)]
        yield [TARGET, "", "random", len(drawn), mean(drawn), standard_error(drawn)]


def _spearman(pairs: list[tuple[float, float]]) -> float:
    return float(spearmanr(*zip(*pairs, strict=True)).statistic)


def _write(arguments: argparse.Namespace) -> None:
    kept = kept_rows(arguments.trained)
    tables = {
        "searches": (
            [
                "data", "method", "runs", "trainings", "CPU minutes of a search", "FID",
                "standard error", "lower than random, %", "its standard error", "parameters",
            ],
            list(_searched(kept)),
        ),
        "ranking": (
            [
                "data", "pairs", "images", "Spearman between seeds",
                "Spearman with all images",
            ],
            list(_ranked(kept)),
        ),
        "bias": (
            [
                "data", "reference images", "trainings", *(f"FID of {n:,}" for n in COUNTS),
                "Spearman of the first and last",
            ],
            list(_biased(kept)),
        ),
        "transfer": (
            ["data", "from", "generators", "number", "FID", "standard error"],
            list(_transferred(kept)),
        ),
    }  # fmt: skip
    results = {
        name: [dict(zip(columns, row, strict=True)) for row in rows]
        for name, (columns, rows) in tables.items()
    }
    text = "\n".join(markdown(columns, rows) for columns, rows in tables.values())
    write(arguments.out, "gans", {**results, "runs": kept}, text)


if __name__ == "__main__":
    main()
