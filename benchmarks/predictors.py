"""Predictors and encoders: how well do they rank architectures, given how many labels?

Kendall tau (b) of the predicted and the true value on up to 2,000 architectures that were held out,
for random labels; the mean over draws. Every encoder by itself under a Gaussian process, ridge
regression and boosted trees, where asked for; then those predictors on all plain encoders, the
others, what `auto` chooses, and some with 13 public zero-cost proxies as a view. Each draw of
labels is the same for every row. In brackets stand tau within the true best tenth, and the share of
the true best hundredth among the predicted one. Results are kept in `predictors-jobs.jsonl`, so
that an interrupted benchmark goes on where it was.

    python benchmarks/predictors.py --draws 5 --out benchmarks/results
"""

from __future__ import annotations

import argparse
import json
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import markdown, write
from _search_jobs import done
from _tables import TABLES, table_of, tables_there
from scipy.stats import kendalltau

from vitruvius.encoders import encoder_names
from vitruvius.predictors import fit_predictor

LABELS = (25, 50, 100, 400)
HELD_OUT = 2000
# Of tables that are smaller, this share is held out.
HELD_SHARE = 0.5
# Measured on a machine of this kind (10 draws, all held-out architectures): GP with WL kernel, GIN,
# boosted trees on -log error, for 25, 50, 100 and 400 labels.
PEERS = {
    "c10": {
        "peer: GP-WL": (0.653, 0.687, 0.708, 0.745),
        "peer: GIN": (0.452, 0.499, 0.568, 0.672),
        "peer: LightGBM": (0.331, 0.505, 0.545, 0.718),
    },
    "c100": {
        "peer: GP-WL": (0.640, 0.661, 0.691, 0.736),
        "peer: GIN": (0.415, 0.465, 0.568, 0.669),
        "peer: LightGBM": (0.253, 0.455, 0.548, 0.706),
    },
    "cora": {
        "peer: GP-WL": (0.199, 0.233, 0.342, 0.409),
        "peer: GIN": (0.203, 0.201, 0.315, 0.430),
        "peer: XGBoost": (0.242, 0.329, 0.392, 0.447),
    },
    "pubmed": {
        "peer: GP-WL": (0.177, 0.235, 0.312, 0.384),
        "peer: GIN": (0.202, 0.233, 0.300, 0.410),
        "peer: XGBoost": (0.142, 0.316, 0.347, 0.447),
    },
    "arxiv": {
        "peer: GP-WL": (0.322, 0.425, 0.469, 0.582),
        "peer: GIN": (0.145, 0.223, 0.299, 0.519),
        "peer: XGBoost": (0.251, 0.335, 0.418, 0.561),
    },
    "physics": {
        "peer: GP-WL": (0.302, 0.433, 0.515, 0.581),
        "peer: GIN": (0.243, 0.303, 0.407, 0.554),
        "peer: XGBoost": (0.224, 0.320, 0.403, 0.545),
    },
}
WHOLE = ("gp", "ridge", "lightgbm", "gnn", "average", "auto")
PROXIES = "nb201_proxies.npz"
# Data whose cells the public proxies are of, and who looks at them.
SEEN, SEEING = ("c10", "c10, whole", "c100"), ("gp", "average", "auto")
DATA = Path(__file__).parents[1].parent / "shared" / "data"


def rows_of(data: str, encoders: list[str]) -> list[str]:
    """Predictors of the table of a data set."""
    single = [f"{p}:features={e}" for e in encoders for p in ("gp", "ridge", "lightgbm")]
    seeing = [f"{p}:views=[{PROXIES}]" for p in SEEING] if data in SEEN else []
    return [*single, *WHOLE, *seeing]


def run(data: str, draw: int, rows: list[tuple[str, int]], folder: Path) -> list[dict[str, Any]]:
    """Some predictors, each with some number of labels, on one draw of labels."""
    target, x, values = table_of(data, folder)
    generator = torch.Generator().manual_seed(draw)
    order = torch.randperm(len(x), generator=generator)
    held = order[-min(HELD_OUT, int(HELD_SHARE * len(order))) :]
    results = []
    for name, labels in rows:
        known = order[:labels]
        started = time.process_time()
        given = name.replace(PROXIES, str(folder / PROXIES))
        fitted = fit_predictor(given, target, x[known], values[known], seed=draw)
        guess, _ = fitted.predict(x[held])
        results.append(
            {
                "key": _key(data, draw, name, labels),
                "data": data,
                "draw": draw,
                "labels": labels,
                "predictor": name,
                **_measured(guess.double(), values[held]),
                "cpu_seconds": time.process_time() - started,
                "chosen": fitted.name if name.startswith("auto") else None,
            }
        )
    return results


def _measured(guess: torch.Tensor, truth: torch.Tensor) -> dict[str, float]:
    tenth = truth >= truth.quantile(0.9)
    few = max(1, len(truth) // 100)
    best = truth >= truth.topk(few).values[-1]
    return {
        "tau": float(kendalltau(guess.numpy(), truth.numpy()).statistic),
        "tau_of_tenth": float(kendalltau(guess[tenth].numpy(), truth[tenth].numpy()).statistic),
        "found_of_hundredth": float(best[guess.topk(few).indices].double().mean()),
    }


def main() -> None:
    """Runs every data set and draw and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=10)
    parser.add_argument("--data", nargs="+", default=list(TABLES))
    parser.add_argument("--encoders", nargs="*", choices=encoder_names(), default=[])
    parser.add_argument("--data-folder", type=Path, default=DATA)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    wanted = tables_there(arguments.data, arguments.data_folder)
    path = arguments.out / "predictors-jobs.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    found = done(path)
    with ProcessPoolExecutor(
        arguments.workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        futures = {}
        for data, draw in product(wanted, range(arguments.draws)):
            names = rows_of(data, arguments.encoders)
            rows = [r for r in product(names, LABELS) if _key(data, draw, *r) not in found]
            futures[pool.submit(run, data, draw, rows, arguments.data_folder)] = data, draw
        for future in as_completed(futures):
            print(*futures[future], flush=True)
            with path.open("a") as kept:
                for result in future.result():
                    found[result["key"]] = result
                    print(json.dumps(result), file=kept)
    results = [
        found[_key(data, draw, name, labels)]
        for data, draw in product(wanted, range(arguments.draws))
        for name, labels in product(rows_of(data, arguments.encoders), LABELS)
    ]
    text = "\n\n".join(table_text(name, results) for name in dict.fromkeys(wanted))
    write(arguments.out, "predictors", {"runs": [json.dumps(r) for r in results]}, text)


def _key(data: str, draw: int, name: str, labels: int) -> str:
    return f"{data} {draw} {name} {labels}"


def _one_thread() -> None:
    torch.set_num_threads(1)


def table_text(data: str, found: list[dict[str, Any]]) -> str:
    """One row a predictor; the best of each column in bold."""
    here = [each for each in found if each["data"] == data]
    draws = len({each["draw"] for each in here})
    names = list(dict.fromkeys(each["predictor"] for each in here))
    taus, tenths, found_of = (
        {
            name: [
                mean(r[what] for r in here if (r["predictor"], r["labels"]) == (name, labels))
                for labels in LABELS
            ]
            for name in names
        }
        for what in ("tau", "tau_of_tenth", "found_of_hundredth")
    )
    best = [max(column) for column in zip(*taus.values(), strict=True)] if taus else []
    lines = [
        [
            name.replace(":features=", " on ").replace(f":views=[{PROXIES}]", " with proxies"),
            *(
                f"{f'**{t:.3f}**' if t == b else f'{t:.3f}'} ({tenth:.2f}, {share:.2f})"
                for t, b, tenth, share in zip(row, best, tenths[name], found_of[name], strict=True)
            ),
            mean(r["cpu_seconds"] for r in here if r["predictor"] == name),
        ]
        for name, row in taus.items()
    ]
    lines += [[name, *(f"{t:.3f}" for t in row), None] for name, row in PEERS.get(data, {}).items()]
    head = f"{data}, {draws} draws of labels"
    columns = ["predictor", *(f"{labels} labels" for labels in LABELS), "CPU s"]
    return f"{head}\n\n{markdown(columns, lines)}"


if __name__ == "__main__":
    main()
