"""What one decision of the search costs: CPU seconds and memory, by observations and by pool.

    python benchmarks/overhead.py --out benchmarks/results

Every point runs in a process of its own, on one thread. Observations are random rows of a table of
made-up, smooth values; the pool is what the table still holds. A decision is timed as a running
search meets it: the architectures are encoded once, and then a trial is added before each.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

from _report import markdown, write

OBSERVED = (50, 100, 200, 500, 1000)
POOLS = (500, 2000, 8000, 20000)
# Observations where the pool varies, pool where the observations do.
FEW, POOL = 100, 2000
DECISIONS = 5
LIMITS = {(100, 2000): 1.0, (500, 2000): 4.0}


def main() -> None:
    """Measures every point, then writes table and plot."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--point", nargs=2, type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.point:
        print(json.dumps(measure(*arguments.point)))
        return
    points = dict.fromkeys([*((n, POOL) for n in OBSERVED), *((FEW, size) for size in POOLS)])
    runs = []
    for n, size in points:
        runs.append(_in_its_own_process(n, size))
        print(runs[-1], flush=True)
    wide = [run for run in runs if run["observations"] == FEW]
    growth = {key: _growth(wide, key) for key in ("decision_peak_mb", "encoded_mb")}
    columns = [key for key in runs[0] if key != "decisions_cpu_seconds"]
    text = markdown([*columns, "limit_cpu_seconds"], [_row(run, columns) for run in runs])
    text += (
        f"\n\nThe peak memory of decisions, over what was resident before, grows by "
        f"{growth['decision_peak_mb']:.2g} MB per 1,000 candidates from {POOLS[-2]:,} to "
        f"{POOLS[-1]:,}; smaller pools do not fill a chunk. "
        f"The encoded pool, which is kept from one decision to the next, takes "
        f"{growth['encoded_mb']:.2g} MB per 1,000."
    )
    write(arguments.out, "overhead", {"runs": runs, "mb_per_1000_candidates": growth}, text)
    _plot(runs, arguments.out / "overhead.svg")


def measure(observations: int, pool: int) -> dict[str, Any]:
    """One point, in this process."""
    import torch

    from vitruvius import space
    from vitruvius.bo.methods.bayesian import BayesianOptimization
    from vitruvius.bo.problem import Problem
    from vitruvius.bo.trial import History, Trial
    from vitruvius.evaluators.evaluation import Evaluation
    from vitruvius.evaluators.metric import Metric
    from vitruvius.evaluators.tables.table import Table

    torch.set_num_threads(1)
    cells = space("nas-bench-graph")
    generator = torch.Generator().manual_seed(0)
    rows = cells.enumerate()
    rows = rows[torch.randperm(len(rows), generator=generator)[: observations + pool]]
    weights = torch.randn(rows.shape[1], generator=generator, dtype=torch.float64)
    noise = torch.randn(len(rows), generator=generator, dtype=torch.float64)
    values = (weights * rows).sum(1).tanh() + 0.1 * noise
    table = Table(cells, rows, {"quality": values}, {"quality": Metric("quality", "", "higher")})
    problem = Problem.of(table, maximize="quality")
    method = BayesianOptimization()
    trials = [
        Trial.of(i, Evaluation(cells.architecture(row), {"quality": float(values[i])}))
        for i, row in enumerate(rows[:observations].tolist())
    ]
    before = _reset_mark()
    start = time.process_time()
    whole = method._prepared(problem).whole
    assert whole is not None
    encoding = time.process_time() - start
    encoding_peak = _resident("VmHWM") - before
    # Whatever is loaded on first use is not the pool's.
    few = problem.within(rows[: observations + 50])
    BayesianOptimization().propose(History(few, trials), 0)
    warm = _reset_mark()
    seconds = []
    for number in range(observations, observations + DECISIONS):
        start = time.process_time()
        proposal = method.propose(History(problem, trials), number)
        seconds.append(time.process_time() - start)
        assert proposal is not None
        measured = {"quality": float(table.values(torch.tensor([proposal.row]))["quality"])}
        told = Evaluation(cells.architecture(proposal.row), measured)
        trials.append(Trial(number, proposal).finish(told))
    return {
        "observations": observations,
        "pool": pool,
        "cpu_seconds": median(seconds),
        "decisions_cpu_seconds": seconds,
        "encoding_cpu_seconds": encoding,
        "encoded_mb": sum(each.nbytes for each in whole.features) / 1e6,
        "encoding_peak_mb": encoding_peak,
        "decision_peak_mb": _resident("VmHWM") - warm,
    }


def _in_its_own_process(observations: int, pool: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--point", str(observations), str(pool)]
    done = subprocess.run(
        command,
        check=True,
        capture_output=True,
        text=True,
        # Freed memory goes back at once, so that the high-water mark is that of what is in use.
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _resident(kind: str) -> float:
    """Memory of this process in MB: ``VmRSS`` now, ``VmHWM`` at most since the mark was reset."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(kind)).split()[1]) / 1e3


def _reset_mark() -> float:
    """Sets the high-water mark to what is resident now, and returns that."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    return _resident("VmRSS")


def _growth(runs: list[dict[str, Any]], key: str) -> float:
    """Megabytes per 1,000 candidates between the two largest pools."""
    large, larger = sorted(runs, key=lambda run: run["pool"])[-2:]
    return float(larger[key] - large[key]) * 1000 / (larger["pool"] - large["pool"])


def _row(run: dict[str, Any], columns: list[str]) -> list[Any]:
    limit = LIMITS.get((run["observations"], run["pool"]))
    return [*(run[key] for key in columns), limit]


def _plot(runs: list[dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    figure, (left, right) = plt.subplots(1, 2, figsize=(8.4, 3.6), layout="constrained")
    grown = [run for run in runs if run["pool"] == POOL]
    left.plot(*_curve(grown, "observations", "cpu_seconds"), marker="o")
    for (n, _), limit in LIMITS.items():
        left.plot(n, limit, marker="_", markersize=16, color="tab:red")
    left.set(xlabel="observations", ylabel="CPU seconds a decision", title=f"pool of {POOL:,}")
    wide = [run for run in runs if run["observations"] == FEW]
    for key, label in (("decision_peak_mb", "peak of decisions"), ("encoded_mb", "encoded pool")):
        right.plot(*_curve(wide, "pool", key), marker="o", label=label)
    right.set(xlabel="candidates", ylabel="memory, MB", title=f"{FEW} observations", ylim=(0, None))
    right.legend()
    figure.savefig(path)
    plt.close(figure)


def _curve(runs: list[dict[str, Any]], x: str, y: str) -> tuple[list[float], list[float]]:
    ordered = sorted(runs, key=lambda run: run[x])
    return [run[x] for run in ordered], [run[y] for run in ordered]


if __name__ == "__main__":
    main()
