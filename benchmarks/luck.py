"""Luck: where the optimum of a table stands by what its other architectures lead to expect.

    python benchmarks/luck.py --out benchmarks/results

A Gaussian process learns 1,500 random labels of what is searched, the ten best left out, which is
more than any search learns, and ranks all that is feasible. An optimum far from the first was lucky
in its one evaluation: no search can tell where it is.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean, median

import torch
from _report import markdown, write
from _search_cases import Case, cases, problem_of

from vitruvius.core.normal_scores import NormalScores
from vitruvius.core.seeding import derive_seed, make_generator
from vitruvius.encoders.feature_sets import fitting_sets
from vitruvius.predictors.gaussian_process import GaussianProcess

DATA = Path(__file__).parents[1].parent / "shared" / "data"
LABELS = 1500
# Of the best, how many are looked at beside the very best.
BEST = 10


def main() -> None:
    """Measures every case whose table is there, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    columns = [
        "case",
        "feasible",
        "labels",
        "rank of the optimum",
        f"median rank of the best {BEST}",
        "standard deviations above",
    ]
    rows = []
    for case in cases().values():
        if case.kind == "front" or case.open:
            continue
        if case.data and not (arguments.data_folder / case.data).is_file():
            print(f"{case.name} is skipped: {case.data} is not in {arguments.data_folder}")
            continue
        found = [measured(case, arguments.data_folder, draw) for draw in range(arguments.draws)]
        feasible, labels = found[0][:2]
        ranks = [round(median(each[i] for each in found)) for i in (2, 3)]
        rows.append([case.name, feasible, labels, *ranks, mean(each[4] for each in found)])
        print(*rows[-1], flush=True)
    results = [dict(zip(columns, row, strict=True)) for row in rows]
    write(arguments.out, "luck", {"rows": results}, markdown(columns, rows))


def measured(case: Case, folder: Path, draw: int) -> tuple[int, int, float, float, float]:
    """Feasible architectures, labels, ranks as predicted, and how far the optimum is above."""
    problem = problem_of(case, folder)
    x = problem.whole()
    x = x[problem.possible(x)]
    values = {**problem.exact(x), **problem.evaluator.values(x)}
    scores = problem.scores(values)[:, 0].double()
    feasible = problem.feasible(values)
    best = scores.masked_fill(~feasible, -torch.inf).topk(BEST).indices
    chance = make_generator(derive_seed(draw, "luck"))
    learnt = torch.randperm(len(x), generator=chance)
    learnt = learnt[~torch.isin(learnt, best)][: min(LABELS, len(x) // 2)]
    process = GaussianProcess(problem.space, seed=draw, features=fitting_sets(problem.space))
    process.fit(x[learnt], scores[learnt])
    told, deviation = process.predict_scores(x)
    told = told.masked_fill(~feasible, -torch.inf)
    rank = told.argsort(descending=True).argsort() + 1
    above = NormalScores(scores[learnt])(scores[best[:1]]) - told[best[:1]]
    return (
        int(feasible.sum()),
        len(learnt),
        float(rank[best[0]]),
        float(rank[best].median()),
        float(above / deviation[best[0]]),
    )


if __name__ == "__main__":
    main()
