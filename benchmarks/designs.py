"""`vitruvius design`, from data to a trained network: is it better than random ones?

    python benchmarks/designs.py --out benchmarks/results

A folder of images, a graph and series are given some minutes each. What `design` found was trained
on the training and validation part together, here with three seeds; so are five random
architectures within the same limits, with a seed each, and all are measured on the test part. The
exported folder is asked for its own test accuracy, by its own script.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from _report import kept_rows, markdown, write
from PIL import Image

from vitruvius.bo.problem import Problem
from vitruvius.core.options import with_options
from vitruvius.core.seeding import derive_seed
from vitruvius.evaluators import evaluator
from vitruvius.spaces import space
from vitruvius.verbs.design import design

DATA = Path(__file__).parents[1].parent / "shared" / "data"
RANDOM, SEEDS = 5, 3
CLASSES, EACH, LENGTH = 6, 200, 128


@dataclass(frozen=True)
class Case:
    """Data, limits and time.

    Args:
        file: Of the shared data, blank for what is made here.
        make: Writes the data below a folder and returns their path.
        where: Limits.
        minutes: The time there is.
    """

    file: str
    make: Callable[[Path, Path], Path]
    where: str
    minutes: float


def photos(source: Path, folder: Path) -> Path:
    """PNG files of 300 images a class of CIFAR-10."""
    target = folder / "photos"
    if not target.is_dir():
        with np.load(source) as file:
            images, labels = file["x_train"], file["y_train"]
        random = np.random.default_rng(0)
        for label in range(10):
            (target / f"class_{label}").mkdir(parents=True)
            of_class = np.flatnonzero(labels == label)
            for index in random.choice(of_class, 300, replace=False):
                Image.fromarray(images[index]).save(target / f"class_{label}" / f"{index}.png")
    return target


def series(_: Path, folder: Path) -> Path:
    """Waves of six forms, of any pitch and phase, in noise twice as strong."""
    random = np.random.default_rng(0)
    labels = np.repeat(np.arange(CLASSES), EACH)
    time = np.arange(LENGTH) / LENGTH
    pitch, phase = random.uniform(3, 6, (len(labels), 1)), random.uniform(0, 1, (len(labels), 1))
    turn = (pitch * time + phase) % 1
    forms = [
        np.sin(2 * np.pi * turn),
        np.sign(np.sin(2 * np.pi * turn)),
        2 * turn - 1,
        1 - 2 * turn,
        4 * np.abs(turn - 0.5) - 1,
        np.sin(2 * np.pi * (turn + 3 * time**2)),
    ]
    clean = np.stack(forms)[labels, np.arange(len(labels))]
    noisy = clean + 1.4 * random.normal(size=clean.shape)
    path = folder / "waves.npz"
    np.savez(path, x=noisy[:, None].astype(np.float32), y=labels)
    return path


CASES = {
    "images": Case("cifar10_10k.npz", photos, "latency<=5ms, params<=300k", 20),
    "citeseer": Case("graph_citeseer.npz", lambda source, _: source, "params<=500k", 8),
    "waves": Case("", series, "params<=100k", 8),
}


def main() -> None:
    """Designs and trains what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=CASES, action="append")
    parser.add_argument("--runs", type=Path, default=Path("runs/designs"))
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/designs.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    for name in arguments.case or CASES:
        case = CASES[name]
        source = arguments.data_folder / case.file
        if case.file and not source.is_file():
            print(f"{name} is skipped: {case.file} is not in {arguments.data_folder}")
            continue
        arguments.runs.mkdir(parents=True, exist_ok=True)
        _case(name, case, case.make(source, arguments.runs), arguments)
    _write(arguments)


def _case(name: str, case: Case, data: Path, arguments: argparse.Namespace) -> None:
    out = arguments.runs / name
    told = design(data, where=case.where, minutes=case.minutes, out=out)
    assert told.exported is not None
    plan = told.plan
    text = with_options(str(data), plan.options)
    made = evaluator(space(plan.space), text)
    # What is measured, not counted, networks this small meet.
    counted = [term for term in case.where.split(",") if "latency" not in term]
    problem = Problem.of(made, maximize=plan.maximize, where=",".join(counted))
    if problem.exact_constraints:
        x = made.space.sample(100 * RANDOM, 1)
        x = x[problem.exact_constraints.satisfied(problem.exact(x))][:RANDOM]
    else:
        x = made.space.sample(RANDOM, 1)
    networks = {"designed": str(told.exported.architecture)}
    networks |= {f"random {i}": str(each) for i, each in enumerate(made.space.architectures(x))}
    done = {(row["case"], row["what"], row["seed"]) for row in kept_rows(arguments.kept)}
    trainer = made.retraining(**plan.retrain)
    for number, (what, network) in enumerate(networks.items()):
        for seed in range(SEEDS) if what == "designed" else [number]:
            if (name, what, seed) in done:
                continue
            trained = trainer.train(network, seed=derive_seed(1, "retrained", seed))
            row: dict[str, Any] = {"case": name, "what": what, "seed": seed}
            row |= {"architecture": network, "test": trainer.test(trained)["accuracy"]}
            if what == "designed" and seed == 0:
                row["exported"] = told.exported.scores
                row["itself"] = _itself(out / "model")
                row["minutes"] = case.minutes
            arguments.kept.parent.mkdir(parents=True, exist_ok=True)
            with arguments.kept.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def _itself(folder: Path) -> str:
    """What the exported script says of the test part."""
    command = [sys.executable, "-E", str(folder / "predict.py"), "--check"]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    return re.sub(r"\s+", " ", said.stdout + said.stderr).strip()


def _write(arguments: argparse.Namespace) -> None:
    columns = [
        "data", "designed, test accuracy", "deviation", "random, median", "random, best",
        "exported", "what its script says",
    ]  # fmt: skip
    kept = kept_rows(arguments.kept)
    rows = []
    for name in CASES:
        own = [row for row in kept if row["case"] == name]
        if not own:
            continue
        tests: dict[str, list[float]] = {}
        for row in own:
            tests.setdefault(row["what"], []).append(100 * row["test"])
        designed = torch.tensor(tests.pop("designed"))
        others = [float(np.mean(each)) for each in tests.values()]
        first = next(row for row in own if "itself" in row)
        score = 100 * first["exported"]["test accuracy"][0]
        rows.append(
            [
                name, float(designed.mean()), float(designed.std()), median(others), max(others),
                score, first["itself"],
            ]
        )  # fmt: skip
    write(arguments.out, "designs", {"rows": kept}, markdown(columns, rows))


if __name__ == "__main__":
    main()
