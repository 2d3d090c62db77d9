"""How many evaluations boosted trees save: the claim of GBDT-NAS, on a fitted truth.

    python benchmarks/sample_ratio.py --out benchmarks/results

The paper says that random search takes 22 times and regularised evolution 8 times as many
evaluations on NAS-Bench-101 as GBDT-NAS. Here the truth is a fit to 3,700 cells
(`_large_cases.py`), which loses the noise of training, and the methods look at 100 to 300 cells
instead of 2,000. What each needs is the number of evaluations after which its mean best so far is
that of boosted trees; for random search it is the expected best of so many draws.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _large_cases import CASES, curve, held_out, problem_of
from _report import kept_rows, markdown, standard_error, write

from vitruvius import search

DATA = Path(__file__).parents[1].parent / "shared" / "data"
CASE = "nasbench101"
METHODS = {"boosting": 300, "pruned-space:method=boosting;first=50": 300, "evolution": 3000}
AT = (100, 200, 300)
# Uniform draws that tell what random search finds.
DRAWN = 100_000


def run(job: tuple[str, int], folder: Path, results: Path) -> dict[str, Any]:
    """The best so far of one search."""
    torch.set_num_threads(1)
    text, seed = job
    problem = problem_of(CASE, folder, results)
    found = search(
        problem.space, evaluator=problem.evaluator, maximize="score", budget=METHODS[text],
        method=text, seed=seed,
    )  # fmt: skip
    rows = torch.tensor([found.architecture(trial).indices for trial in found.trials])
    best = curve(CASE, problem.evaluator.values(rows), folder, results)
    return {"method": text, "seed": seed, "best": best}


def expected_best(folder: Path, results: Path) -> torch.Tensor:
    """The expected best of 1, 2, 3, … draws: P(best of n <= v) is F(v)^n."""
    problem = problem_of(CASE, folder, results)
    values = problem.evaluator.values(problem.space.sample(DRAWN, 0))["score"].sort().values
    below = torch.arange(1, DRAWN + 1, dtype=torch.float64) / DRAWN
    counts = torch.arange(1, 20_001, 10, dtype=torch.float64)
    steps = torch.diff(below ** counts[:, None], prepend=torch.zeros(len(counts), 1))
    return torch.stack([counts, (steps * values).sum(1)], 1)


def main() -> None:
    """Runs what is missing, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--kept", type=Path, help="runs; sample_ratio.jsonl of --out by default")
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    missing = [f for f in CASES[CASE].files if not (arguments.data_folder / f).is_file()]
    if missing:
        print(f"skipped: {', '.join(missing)} not there")
        return
    kept = arguments.kept or arguments.out / "sample_ratio.jsonl"
    done = {(row["method"], row["seed"]) for row in kept_rows(kept)}
    jobs = [job for job in product(METHODS, range(arguments.seeds)) if job not in done]
    where = arguments.data_folder, arguments.out
    with ProcessPoolExecutor(arguments.workers, mp_context=get_context("spawn")) as pool:
        for found in pool.map(partial(run, folder=where[0], results=where[1]), jobs):
            print(found["method"], found["seed"], flush=True)
            with kept.open("a") as file:
                print(json.dumps(found), file=file)
    runs = kept_rows(kept)
    drawn = expected_best(*where)
    best = {text: [run["best"] for run in runs if run["method"] == text] for text in METHODS}
    curves = {text: list(map(mean, zip(*each, strict=True))) for text, each in best.items()}
    rows = []
    for text, count in product([name for name in METHODS if name != "evolution"], AT):
        goal = curves[text][count - 1]
        ends = [each[count - 1] for each in best[text]]
        evolved = next((i + 1 for i, v in enumerate(curves["evolution"]) if v >= goal), None)
        enough = drawn[drawn[:, 1] >= goal, 0]
        random = int(enough[0]) if len(enough) else None
        rows.append(
            [
                text, count, f"{goal:.4f} ± {standard_error(ends):.4f}",
                f"{evolved} ({evolved / count:.1f})" if evolved else f"> {METHODS['evolution']}",
                f"{random} ({random / count:.1f})" if random else "> 20000",
            ]
        )  # fmt: skip
    columns = ["method", "evaluations", "mean best", "evolution needs", "random needs"]
    note = held_out(problem_of(CASE, *where))
    write(arguments.out, "sample_ratio", {"runs": runs}, f"{note}\n\n{markdown(columns, rows)}")


if __name__ == "__main__":
    main()
