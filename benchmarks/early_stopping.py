"""Early stopping: what ASHA saves of the CPU time of a search that trains, and what it costs.

    python benchmarks/early_stopping.py --out benchmarks/results

The same random candidates are trained with and without asynchronous successive halving
(arXiv 1810.05934); the best is trained anew with other seeds and measured on the test part.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _report import markdown, write

from vitruvius.core.seeding import derive_seed
from vitruvius.datasets import load_raw, split
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import space
from vitruvius.verbs.search import search

BUDGET, EPOCHS, RETRAINED = 30, 9, 3
PRUNERS = ("none", "asha:min_resource=1,reduction_factor=3")


def main() -> None:
    """Runs both for every seed, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = ["pruner", "runs", "CPU seconds", "epochs trained", "pruned", "test accuracy, %", "±"]
    runs = [_run(pruner, seed) for seed in range(arguments.seeds) for pruner in PRUNERS]
    rows = []
    for pruner in PRUNERS:
        own = [run for run in runs if run["pruner"] == pruner]
        tests = [100 * run["test"] for run in own]
        rows.append([
            pruner,
            len(own),
            mean(run["cpu"] for run in own),
            mean(run["epochs"] for run in own),
            mean(run["pruned"] for run in own),
            mean(tests),
            stdev(tests) if len(tests) > 1 else None,
        ])  # fmt: skip
    print(markdown(columns, rows))
    results = [dict(zip(columns, row, strict=True)) for row in rows]
    write(arguments.out, "early_stopping", {"rows": results, "runs": runs}, markdown(columns, rows))


def _run(pruner: str, seed: int) -> dict[str, Any]:
    raw = load_raw("digits")
    parts = split(raw, seed=seed, val=0.2, test=0.2)
    made = TrainingEvaluator(
        space("nasbench201:width=4,cells=1"), replace(raw, splits=parts), epochs=EPOCHS, lr=0.1
    )
    start = time.process_time()
    told = search(
        made.space,
        evaluator=made,
        maximize="accuracy",
        method="random",
        budget=BUDGET,
        seed=seed,
        pruner=pruner,
        executor="serial",
    )
    cpu = time.process_time() - start
    best = told.architecture(told.best[0])
    pruned = [trial for trial in told.trials if trial.status == "pruned"]
    stopped = [int(trial.reason.rsplit(" ", 1)[1]) for trial in pruned]
    test = [
        made.test(made.train(best, seed=derive_seed(seed, "anew", i)))["accuracy"]
        for i in range(RETRAINED)
    ]
    return {
        "pruner": pruner,
        "seed": seed,
        "cpu": cpu,
        "epochs": sum(stopped) + EPOCHS * (BUDGET - len(pruned)),
        "pruned": len(pruned),
        "test": mean(test),
    }


if __name__ == "__main__":
    main()
