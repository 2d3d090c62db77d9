"""Networks and the chips they run on: sampled together, and what is lost otherwise.

    python benchmarks/codesign.py --out benchmarks/results

NAS-Bench-201's cells, whose accuracy is looked up, on one of 11,250 chips, whose cycles, energy and
area are computed.

Targets: four at once, from easy to hard, with 200 labels of accuracy and 50 pairs asked for. What
counts is the share of them that meet all four by the table. Beside it stand networks sampled for
their accuracy alone, each on any chip of all that meets the rest, and uniform pairs.

Fronts: accuracy, latency and energy within an area, by the hypervolume of what 50, 200 and 500
trainings found; latency and energy by their logarithm, from the median of uniform pairs to the best
of them. Pairs are searched by Bayesian optimisation, NSGA-II or at random; or networks alone for
their accuracy, each then on the chip with the least product of latency and energy.

Analog: accuracy on analog in-memory hardware a month after programming (AnalogNAS-Bench), where it
is searched for, and where digital accuracy is and the best is hoped for.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import kept_rows, markdown, standard_error, write

from vitruvius import evaluator, sample, search, space
from vitruvius.bo.measures import hypervolume
from vitruvius.evaluators import Evaluator, parse_targets
from vitruvius.spaces import Architecture, ProductSpace

DATA = Path(__file__).parents[1].parent / "shared" / "data"
FILE, COLUMN = "nb201.npz", "c10_valid_e200"
PAIRS = "nasbench201 x accelerator"
HARDWARE = {
    "easy": "latency_cycles<=1.5M, energy_nj<=1.5M, area_um2<=4M",
    "medium": "latency_cycles<=1M, energy_nj<=1.2M, area_um2<=3M",
    "hard": "latency_cycles<=800k, energy_nj<=1M, area_um2<=2.5M",
}
ACCURACY = {"easy": "accuracy>=88", "medium": "accuracy>=89", "hard": "accuracy>=89"}
LABELS, ASKED, DRAWN = 200, 50, 200_000
AREA = "area_um2<=4M"
COUNTS = (50, 200, 500)
# Seeds that go on to the last count.
LONG = 5
MONTH, DIGITAL = "analog_drift_2592000", "baseline_accuracy"
BUDGET = 60


@cache
def parts(folder: Path) -> tuple[ProductSpace, Evaluator]:
    """The pairs, and what tells of them."""
    pairs = space(PAIRS)
    assert isinstance(pairs, ProductSpace)
    table = f"{folder / FILE}:accuracy={COLUMN},part=nasbench201"
    return pairs, evaluator(pairs, [table, "hardware"])


def joint(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Pairs sampled to all four targets."""
    pairs, told = parts(folder)
    target = f"{HARDWARE[name]}, {ACCURACY[name]}"
    found = sample(pairs, data=told, target=target, labels=LABELS, n=ASKED, seed=seed).summary
    return {"hits": found["hit_rate"], "cpu_seconds": found["cpu_seconds"]}


def in_turn(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Networks sampled for accuracy, then any chip of all that meets the rest."""
    pairs, told = parts(folder)
    cells = pairs.parts["nasbench201"]
    table = f"{folder / FILE}:accuracy={COLUMN}"
    found = sample(cells, data=table, target=ACCURACY[name], labels=LABELS, n=ASKED, seed=seed)
    chips = pairs.parts["accelerator"].enumerate()
    targets = parse_targets(f"{HARDWARE[name]}, {ACCURACY[name]}", told.metrics)
    hits = 0
    for each in found.samples:
        row = torch.tensor([cells.architecture(each.architecture).indices])
        x = torch.cat([row.expand(len(chips), -1), chips], 1)
        hits += bool(targets.satisfied(told.values(x)).any())
    return {"hits": hits / ASKED, "cpu_seconds": found.summary["cpu_seconds"]}


def uniform(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Uniform pairs."""
    pairs, told = parts(folder)
    targets = parse_targets(f"{HARDWARE[name]}, {ACCURACY[name]}", told.metrics)
    met = targets.satisfied(told.values(pairs.sample(DRAWN, seed)))
    return {"hits": float(met.double().mean()), "cpu_seconds": None}


@cache
def scale(folder: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """The median of uniform pairs, and the best of each score."""
    pairs, told = parts(folder)
    values = scores(told.values(pairs.sample(DRAWN, 0)))
    return values.median(0).values, values.amax(0)


def scores(told: dict[str, torch.Tensor]) -> torch.Tensor:
    """More is better."""
    costs = [-told[name].log10() for name in ("latency_cycles", "energy_nj")]
    return torch.stack([told["accuracy"], *costs], 1)


def fronts(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Hypervolume by the number of trainings."""
    pairs, told = parts(folder)
    counts = COUNTS if seed < LONG else COUNTS[:-1]
    most = max(counts)
    if name == "in turn":
        cells = pairs.parts["nasbench201"]
        table = f"{folder / FILE}:accuracy={COLUMN}"
        found = search(cells, evaluator=table, maximize="accuracy", budget=most, seed=seed)
        rows = [_chip_for(folder, found.architecture(trial)) for trial in found.trials]
    else:
        found = search(
            pairs, evaluator=told, maximize="accuracy", minimize="latency_cycles, energy_nj",
            where=AREA, budget=most, method=name, seed=seed,
        )  # fmt: skip
        rows = [torch.tensor(found.architecture(trial).indices) for trial in found.trials]
    values = told.values(torch.stack(rows))
    met = parse_targets(AREA, told.metrics).satisfied(values)
    low, high = scale(folder)
    volumes = {}
    for count in counts:
        own = ((scores(values) - low) / (high - low))[:count][met[:count]]
        volumes[str(count)] = hypervolume(own, torch.zeros_like(low))
    return {"volumes": volumes}


def _chip_for(folder: Path, architecture: Architecture) -> torch.Tensor:
    """The network on the chip within the area that has the least product."""
    pairs, told = parts(folder)
    chips = pairs.parts["accelerator"].enumerate()
    row = torch.tensor([architecture.indices])
    x = torch.cat([row.expand(len(chips), -1), chips], 1)
    values = told.values(x)
    product = values["latency_cycles"] * values["energy_nj"]
    within = parse_targets(AREA, told.metrics).satisfied(values)
    return x[torch.where(within, product.nan_to_num(torch.inf), torch.inf).argmin()]


def analog(folder: Path, name: str, seed: int) -> dict[str, Any]:
    """Searches for one accuracy, and tells the other of what it chose."""
    cells = space("nasbench201")
    told = search(cells, evaluator="analog", maximize=name, budget=BUDGET, seed=seed)
    metrics = told.best[0].metrics
    return {key: metrics[key] for key in (MONTH, DIGITAL)}


WAYS = {"together": joint, "in turn": in_turn, "uniform": uniform}
METHODS = ("bo", "nsga2", "random", "in turn")
OTHERS = {"analog": analog, "fronts": fronts}


def run(folder: Path, what: str, name: str, seed: int) -> dict[str, Any]:
    """One job."""
    torch.set_num_threads(1)
    way = {**WAYS, **OTHERS}[what]
    return {"what": what, "name": name, "seed": seed, **way(folder, name, seed)}


def jobs(arguments: argparse.Namespace) -> list[tuple[str, str, int]]:
    """What is to be run."""
    found: list[tuple[str, str, int]] = []
    if (arguments.data_folder / FILE).is_file():
        found += [
            (way, name, seed)
            for seed in range(arguments.seeds)
            for name in HARDWARE
            for way in WAYS
            if way != "uniform" or not seed
        ]
        found += [("fronts", way, seed) for seed in range(10) for way in METHODS]
    else:
        print(f"The targets are skipped: {FILE} is not in {arguments.data_folder}")
    found += [("analog", name, seed) for seed in range(10) for name in (MONTH, DIGITAL)]
    return found


def main() -> None:
    """Runs what is not in the file yet, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/codesign.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    done = {(row["what"], row["name"], row["seed"]) for row in kept_rows(arguments.kept)}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        running = [
            pool.submit(run, arguments.data_folder, *job)
            for job in jobs(arguments)
            if job not in done
        ]
        for each in as_completed(running):
            with arguments.kept.open("a") as file:
                file.write(json.dumps(each.result()) + "\n")
            print(each.result(), flush=True)
    rows = kept_rows(arguments.kept)
    text = "\n\n".join([_targets(rows), _fronts(rows), _analog(rows)])
    print(text)
    write(arguments.out, "codesign", {"runs": rows}, text)


def _targets(rows: list[dict[str, Any]]) -> str:
    table = []
    for name in HARDWARE:
        for way in WAYS:
            own = [row for row in rows if (row["what"], row["name"]) == (way, name)]
            if own:
                hits = [row["hits"] for row in own]
                spent = [row["cpu_seconds"] for row in own if row["cpu_seconds"]]
                table.append([
                    name, f"{HARDWARE[name]}, {ACCURACY[name]}", way, len(own), mean(hits),
                    standard_error(hits),
                    mean(spent) if spent else None,
                ])  # fmt: skip
    heads = ["targets", "", "way", "seeds", "hit rate", "standard error", "CPU seconds"]
    return markdown(heads, table)


def _fronts(rows: list[dict[str, Any]]) -> str:
    table = []
    for way in METHODS:
        own = [row["volumes"] for row in rows if (row["what"], row["name"]) == ("fronts", way)]
        if own:
            row: list[Any] = [way]
            for count in COUNTS:
                values = [each[str(count)] for each in own if str(count) in each]
                row += [len(values), mean(values) if values else None, standard_error(values)]
            table.append(row)
    heads = ["way"]
    for count in COUNTS:
        heads += ["seeds", f"hypervolume at {count}", "standard error"]
    return markdown(heads, table)


def _analog(rows: list[dict[str, Any]]) -> str:
    table = []
    for name in (MONTH, DIGITAL):
        own = [row for row in rows if (row["what"], row["name"]) == ("analog", name)]
        if own:
            table.append([name, len(own)] + [
                f(row[key] for row in own)
                for key in (MONTH, DIGITAL)
                for f in (mean, standard_error)
            ])  # fmt: skip
    heads = [
        "searched for", "seeds", "analog, after a month, %", "standard error", "digital, %",
        "standard error of it",
    ]  # fmt: skip
    return markdown(heads, table)


if __name__ == "__main__":
    main()
