"""Real training: does it save trainings to look at proxies of untrained networks first?

    python benchmarks/proxy_views.py --out benchmarks/results

Searches of residual networks, 20 trainings each on Oxford Flowers-17, with and without zero-cost
proxies as views of the surrogate. What counts is the best validation accuracy after so many
trainings, and after how many the accuracy that the search without views has in the end is reached
(21 where it is not); that of the network chosen is its mean over three new trainings.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import accumulate
from pathlib import Path
from statistics import mean
from typing import Any

from _report import kept_rows, markdown, standard_error, write
from trained_search import CASES, DATA

from vitruvius.core.seeding import derive_seed
from vitruvius.datasets import load_raw
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import space
from vitruvius.verbs.search import search

CASE = CASES["resnet-size, Flowers-17"]
PLAIN = "bo"
METHODS = (PLAIN, "bo:views=[proxy:naswot+synflow;batch=32]")
SEEDS, STOPS = 5, (5, 10, 15, 20)


def main() -> None:
    """Runs what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/proxy_views.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    if not (arguments.data_folder / CASE.data).is_file():
        print(f"skipped: {CASE.data} is not in {arguments.data_folder}")
        return
    rows = kept_rows(arguments.kept)
    done = {(row["method"], row["seed"]) for row in rows}
    jobs = [(m, s) for s in range(SEEDS) for m in METHODS if (m, s) not in done]
    arguments.kept.parent.mkdir(parents=True, exist_ok=True)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(arguments.workers, mp_context=context) as pool:
        running = [pool.submit(_run, *job, str(arguments.data_folder)) for job in jobs]
        for finished in as_completed(running):
            rows.append(finished.result())
            print(rows[-1], flush=True)
            with arguments.kept.open("a") as file:
                print(json.dumps(rows[-1]), file=file)
    columns = ["method", *(f"best of {n}" for n in STOPS), "trainings to match", "test", "CPU s"]
    table = [_row(method, rows) for method in METHODS]
    write(arguments.out, "proxy_views", {"rows": rows}, markdown(columns, table))


def _run(method: str, seed: int, folder: str) -> dict[str, Any]:
    made = TrainingEvaluator(space(CASE.space), load_raw(Path(folder) / CASE.data), **CASE.recipe)
    started = time.process_time()
    told = search(
        made.space,
        evaluator=made,
        maximize="accuracy",
        method=method,
        seed=seed,
        budget=CASE.budget,
        executor="serial",
    )
    seconds = time.process_time() - started
    chosen = told.architecture(told.best[0])
    again = [made.train(chosen, seed=derive_seed(1, "retrained", n)) for n in range(CASE.retrained)]
    return {
        "method": method,
        "seed": seed,
        "values": [trial.metrics.get("accuracy", 0.0) for trial in told.trials],
        "architecture": str(chosen),
        "test": [made.test(trained, "cpu")["accuracy"] for trained in again],
        "cpu_seconds": seconds,
    }


def _row(method: str, rows: list[dict[str, Any]]) -> list[Any]:
    own = [row for row in rows if row["method"] == method]
    curves = {row["seed"]: list(accumulate(row["values"], max)) for row in own}
    goals = {row["seed"]: max(row["values"]) for row in rows if row["method"] == PLAIN}
    reached = [
        next((n + 1 for n, best in enumerate(curve) if best >= goals[seed]), CASE.budget + 1)
        for seed, curve in curves.items()
    ]
    return [
        method,
        *(_percent([curve[stop - 1] for curve in curves.values()]) for stop in STOPS),
        f"{mean(reached):.1f} ± {standard_error(reached) or 0:.1f}",
        _percent([mean(row["test"]) for row in own]),
        mean(row["cpu_seconds"] for row in own),
    ]


def _percent(values: list[float]) -> str:
    return f"{100 * mean(values):.2f} ± {100 * (standard_error(values) or 0):.2f}"


if __name__ == "__main__":
    main()
