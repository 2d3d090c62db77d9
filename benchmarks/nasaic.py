"""NASAIC's three workloads (Yang et al., DAC 2020) in its own cost setting.

    python benchmarks/nasaic.py --out benchmarks/results

Two networks share a chip of two arrays; latency, energy and area have to stay below the paper's
specifications, with MAESTRO's area of 2019 and its energy in multiples of a multiply-add. Its
networks' accuracies are not public. Here both are cells of NAS-Bench-201, by its table: of CIFAR-10
twice for the third workload, else of CIFAR-10 and of CIFAR-100, which is in the place of STL-10 and
of segmentation. So the specifications are the paper's, and the networks are not.

- together: a search for the mean accuracy within the specifications, as NASAIC's; then the best
  chip of all for its networks, by latency times energy within the specifications, and the regret
  of the chip that was searched with them.
- in turn: a search for the mean accuracy alone at as many trainings, then the best chip for it,
  without the specifications; and whether any chip at all would meet them.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import cache
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import kept_rows, markdown, standard_error, write
from torch import Tensor

from vitruvius import evaluator, search, space
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, Evaluator, parse_targets
from vitruvius.evaluators.hardware.accelerators import AcceleratorEvaluator
from vitruvius.evaluators.hardware.best_chip import best_chip
from vitruvius.evaluators.metric import metric_of
from vitruvius.spaces import ArchitectureLike, ProductSpace

DATA = Path(__file__).parents[1].parent / "shared" / "data" / "nb201.npz"
NETWORKS = "nasbench201 x nasbench201"
COST = {"energy": "maestro", "area": "maestro2019"}
# Columns of the two accuracies, and the specifications: the paper's nanojoules are MAESTRO's
# multiples of a multiply-add, which `energy_nj` counts in thousands.
WORKLOADS = {
    "W1": (("c10_valid_e200", "c100_valid_e200"), (8e5, 2e6, 4e9)),
    "W2": (("c10_valid_e200", "c100_valid_e200"), (1e6, 3.5e6, 4e9)),
    "W3": (("c10_valid_e200", "c10_valid_e200"), (4e5, 1e6, 4e9)),
}
METRICS = ("latency_cycles", "energy_nj", "area_um2")
BUDGET = 40


class MeanAccuracy(Evaluator):
    """The mean accuracy of two networks of a product."""

    batched = True

    def __init__(self, space: ProductSpace, parts: Mapping[str, Evaluator]) -> None:
        super().__init__(space, {"accuracy": metric_of("accuracy")})
        self.parts = parts

    def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
        assert isinstance(self.space, ProductSpace)
        told = [
            each.values(x[:, self.space.columns[name]])["accuracy"]
            for name, each in self.parts.items()
        ]
        return {"accuracy": torch.stack(told).mean(0)}

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: object = None,
    ) -> Evaluation:
        made = self.space.architecture(architecture)
        told = self.values(torch.tensor([made.indices]))
        return Evaluation(made, {name: float(value[0]) for name, value in told.items()})


def accuracy(pairs: ProductSpace, data: Path, columns: tuple[str, str]) -> MeanAccuracy:
    """The mean of what a table says of both networks."""
    cells = space("nasbench201")
    told = [evaluator(cells, f"{data}:accuracy={column}") for column in columns]
    return MeanAccuracy(pairs, {f"nasbench201_{n}": each for n, each in enumerate(told, 1)})


@cache
def chips() -> tuple[ProductSpace, AcceleratorEvaluator]:
    """Networks on chips, and what they take."""
    pairs = space(f"{NETWORKS} x nasaic")
    assert isinstance(pairs, ProductSpace)
    return pairs, AcceleratorEvaluator(pairs, **COST)


def within(workload: str) -> str:
    """The specifications of a workload as constraints."""
    return ", ".join(
        f"{name}<={limit:.0f}" for name, limit in zip(METRICS, WORKLOADS[workload][1], strict=True)
    )


def together(data: Path, workload: str, seed: int) -> dict[str, Any]:
    """The most accurate design within the specifications, and the best chip for its networks."""
    pairs, hardware = chips()
    where = within(workload)
    found = search(
        pairs,
        evaluator=[accuracy(pairs, data, WORKLOADS[workload][0]), hardware],
        maximize="accuracy",
        where=where,
        budget=BUDGET,
        seed=seed,
    )
    targets = parse_targets(where, hardware.metrics)
    rows = torch.tensor([found.architecture(trial).indices for trial in found.trials])
    best = found.architecture(found.best[0])
    least = best_chip(hardware, best, targets)
    searched = hardware.values(torch.tensor([best.indices]))
    return {
        "architecture": str(best),
        "accuracy": found.best[0].metrics["accuracy"],
        "met": float(targets.satisfied(hardware.values(rows)).double().mean()),
        "searched": {name: float(value[0]) for name, value in searched.items()},
        "regret": product(searched) / product(least.metrics) - 1,
        "scheduled": least.scheduled,
        **least.metrics,
    }


def in_turn(data: Path, workload: str, seed: int) -> dict[str, Any]:
    """The most accurate networks, and the best chip for them."""
    pairs, hardware = chips()
    networks = space(NETWORKS)
    assert isinstance(networks, ProductSpace)
    found = search(
        networks,
        evaluator=accuracy(networks, data, WORKLOADS[workload][0]),
        maximize="accuracy",
        budget=BUDGET,
        seed=seed,
    )
    best = found.architecture(found.best[0])
    row = (*best.indices, *pairs.example[len(best.indices) :])
    told = best_chip(hardware, row)
    targets = parse_targets(within(workload), hardware.metrics)
    try:
        possible = best_chip(hardware, row, targets).metrics
    except UsageError:
        possible = None
    return {
        "architecture": str(best),
        "accuracy": found.best[0].metrics["accuracy"],
        "met": float(targets.satisfied(hardware.values(torch.tensor([told.row])))[0]),
        "possible": possible,
        **told.metrics,
    }


def product(told: Mapping[str, Any]) -> float:
    """Latency times energy."""
    return float(told["latency_cycles"]) * float(told["energy_nj"])


WAYS = {"together": together, "in turn": in_turn}


def run(data: Path, way: str, workload: str, seed: int) -> dict[str, Any]:
    """One job."""
    torch.set_num_threads(1)
    return {"way": way, "workload": workload, "seed": seed, **WAYS[way](data, workload, seed)}


def main() -> None:
    """Runs what is not in the file yet, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/nasaic.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data", type=Path, default=DATA)
    arguments = parser.parse_args()
    if not arguments.data.is_file():
        print(f"Skipped: {arguments.data.name} is not there.")
        return
    done = {(row["way"], row["workload"], row["seed"]) for row in kept_rows(arguments.kept)}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        running = [
            pool.submit(run, arguments.data, way, workload, seed)
            for seed in range(arguments.seeds)
            for workload in WORKLOADS
            for way in WAYS
            if (way, workload, seed) not in done
        ]
        for each in as_completed(running):
            with arguments.kept.open("a") as file:
                file.write(json.dumps(each.result()) + "\n")
            print(each.result(), flush=True)
    rows = kept_rows(arguments.kept)
    text = _table(rows)
    print(text)
    write(arguments.out, "nasaic", {"runs": rows}, text)


def _table(rows: list[dict[str, Any]]) -> str:
    table = []
    for workload in WORKLOADS:
        for way in WAYS:
            own = [row for row in rows if (row["way"], row["workload"]) == (way, workload)]
            if own:
                regrets = [row["regret"] for row in own if "regret" in row]
                table.append([
                    workload, way, len(own), mean(each["accuracy"] for each in own),
                    standard_error([each["accuracy"] for each in own]),
                    *(mean(each[name] for each in own) for name in METRICS),
                    mean(each["met"] for each in own),
                    mean(each.get("possible", True) is not None for each in own),
                    mean(regrets) if regrets else None,
                ])  # fmt: skip
    heads = [
        "workload", "way", "seeds", "mean accuracy", "standard error", *METRICS,
        "designs within the specifications", "that could be", "regret of the chip as searched",
    ]  # fmt: skip
    return markdown(heads, table)


if __name__ == "__main__":
    main()
