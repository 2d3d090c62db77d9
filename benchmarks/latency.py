"""Measured latency: how it repeats on a busy machine, and whether winners keep to their limit.

    python benchmarks/latency.py --out benchmarks/results

1. One network is measured 20 times while as many processes compute as the machine has cores.
2. Ten networks are measured in a process of its own, alone and beside that load.
3. Ten searches maximize parameters under a limit on the latency; what they return is measured five
   times more, in another process.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import mean, stdev

import torch
from _report import markdown, write
from scipy.stats import kendalltau

from vitruvius.evaluators.hardware import LatencyEvaluator
from vitruvius.spaces import space
from vitruvius.verbs.search import search

CELLS = "nasbench201:width=8,cells=1"
REPEATS, NETWORKS, BUDGET, AGAIN = 20, 10, 20, 5


def main() -> None:
    """Measures, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="searches")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    rows = [str(a) for a in space(CELLS).architectures(space(CELLS).sample(NETWORKS, 0))]
    alone = _elsewhere(rows)
    with _load():
        busy = _elsewhere(rows)
        one = _elsewhere(rows[:1] * REPEATS)
    middle = sorted(alone)[NETWORKS // 2]
    met, deviations = [], []
    for seed in range(arguments.seeds):
        told = search(
            CELLS,
            evaluator="latency",
            maximize="params",
            where=f"latency<={middle}",
            budget=BUDGET,
            seed=seed,
            executor="serial",
        )
        if not told.best:
            continue
        again = _elsewhere([str(told.architecture(told.best[0]))] * AGAIN)
        met += [value <= middle for value in again]
        deviations.append(mean(again) / middle)
    results = {
        "relative deviation of 20 measurements under load": stdev(one) / mean(one),
        "Kendall tau of ten networks, alone and under load": float(kendalltau(alone, busy)[0]),
        "median ratio under load to alone": sorted(b / a for a, b in zip(alone, busy, strict=True))[
            NETWORKS // 2
        ],
        "searches that returned a winner": len(deviations),
        "share of winners' measurements within the limit": mean(met),
        "mean of winners' latency over the limit": mean(deviations),
    }
    text = markdown(["what", "value"], [[name, value] for name, value in results.items()])
    print(text)
    write(arguments.out, "latency", results, text)


def _elsewhere(rows: list[str]) -> list[float]:
    """Latencies in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measured, rows).result()


def _measured(rows: list[str]) -> list[float]:
    made = LatencyEvaluator(space(CELLS))
    return [made.evaluate(row).metrics["latency"] for row in rows]


@contextmanager
def _load() -> Iterator[None]:
    """As many processes that multiply matrices as there are cores."""
    context = multiprocessing.get_context("spawn")
    busy = [context.Process(target=_compute, daemon=True) for _ in range(os.cpu_count() or 1)]
    for process in busy:
        process.start()
    try:
        yield
    finally:
        for process in busy:
            process.kill()


def _compute() -> None:
    torch.set_num_threads(1)
    matrix = torch.rand(500, 500)
    while True:
        matrix = (matrix @ matrix).softmax(1)


if __name__ == "__main__":
    main()
