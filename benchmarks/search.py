"""Search: all methods on the same problems, from the same initial designs.

    python benchmarks/search.py --seeds 60 --out benchmarks/results

Five random architectures, the same for every method, begin each search and are counted. Results
are kept one by one in `search-jobs.jsonl`, so that an interrupted benchmark goes on where it was;
tables and plots are made of everything in there that was asked for; methods that were not, or whose
jobs are gone, keep their rows. Methods take options:
`--methods random "evolution:population=20;tournament=5"`.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from _report import write
from _search_cases import Case, cases
from _search_jobs import Job, done, run_all, seeds_of
from _search_tables import joined, plot, summary, table_of

# Where nothing is said: the single-objective baselines learn ranks at best on a front.
FRONT_METHODS = ("random", "evolution", "nsga2", "bo")
METHODS = (
    "random",
    "local-search",
    "evolution",
    "nsga2",
    "bananas",
    "boosting",
    "gp-wl",
    "nao",
    "nao:semi=true",
    "bo:surrogate=latent",
    "bo:surrogate=average",
    "bo",
)
# Those that look at zero-cost proxies, choose by pairs, or search a pruned space: where the public
# table has proxies.
PROXIES = "DATA/nb201_proxies.npz"
SEEING = (
    f"bo:views=[{PROXIES}]",
    f"robot:views=[{PROXIES}]",
    "ctnas",
    "pruned-space:method=boosting;first=20",
)
DATA = Path(__file__).parents[1].parent / "shared" / "data"


def main() -> None:
    """Runs what is missing, then writes one table and plot per case."""
    every = cases()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=60, help="slow methods and cases have fewer")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--only", default=",".join(every), help="cases, joined by commas")
    parser.add_argument("--methods", nargs="+", help="all, unless said")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--data-folder", type=Path, default=DATA)
    parser.add_argument("--tables-only", action="store_true", help="of what was run")
    arguments = parser.parse_args()
    wanted = []
    for name in arguments.only.split(","):
        case = every[name]
        if case.data and not (arguments.data_folder / case.data).is_file():
            print(f"{name} is skipped: {case.data} is not in {arguments.data_folder}", flush=True)
            continue
        wanted.append(case)
    jobs = [
        Job(case.name, method, seed, arguments.data_folder)
        for case in wanted
        for method in arguments.methods or _methods(case)
        for seed in range(seeds_of(method, arguments.seeds, case.seeds))
    ]
    path = arguments.out / "search-jobs.jsonl"
    if not arguments.tables_only:
        run_all(jobs, path, arguments.workers)
    results = done(path)
    found = [results[job.key] for job in jobs if job.key in results]
    for case in wanted:
        runs = [result for result in found if result["case"] == case.name]
        if not runs:
            continue
        rows = summary(case, runs, arguments.data_folder)
        before = arguments.out / f"search-{case.name}.json"
        if before.is_file():
            rows = joined(rows, json.loads(before.read_text()))
        write(arguments.out, f"search-{case.name}", rows, table_of(case, rows))
        plot(case, rows, arguments.out / f"search-{case.name}.svg")


def _methods(case: Case) -> tuple[str, ...]:
    if case.kind == "front":
        return FRONT_METHODS
    return (*METHODS, *SEEING) if case.name in ("nb201-c10", "nb201-c100") else METHODS


if __name__ == "__main__":
    main()
