"""Zero-cost proxies on NAS-Bench-201: ours beside published ones, and how they rank.

    python benchmarks/proxies.py --out benchmarks/results

Some cells of the 9,445 without dead operations are scored by every proxy on a batch of real images.
Beside each stand the Spearman correlation with the same proxy of the public table, that with itself
for other weights and another batch (20 cells), that of either with test accuracy on CIFAR-10,
Kendall's tau over all cells and within the best tenth, and CPU seconds a cell. The last rows are
sums of logarithms of ranks, which need no label.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _report import kept_rows, markdown, write
from scipy.stats import kendalltau, spearmanr

from vitruvius import evaluator, space
from vitruvius.evaluators.proxies import PROXIES, ProxyEvaluator, proxy, rank_sum

DATA = Path(__file__).parents[1].parent / "shared" / "data"
# Cells that are drawn; fewer are the first of them, and the first of those are scored twice.
MOST, TWICE = 100, 20
# Names of the public table, where those are others.
PUBLIC = {"naswot": "nwot"}
TRUTH = "c10_test_e200"
# Spearman correlations with CIFAR-10 accuracy that papers print (zero-cost-nas, VKDNW's table 1).
PUBLISHED = {
    "grad_norm": 0.594, "snip": 0.596, "grasp": 0.514, "fisher": 0.360, "synflow": 0.737,
    "jacov": 0.731, "naswot": 0.762, "zico": 0.802, "AZ-NAS": 0.892, "VKDNW": 0.919,
}  # fmt: skip
SUMS = {
    "AZ-NAS": ("expressivity", "progressivity", "trainability", "macs"),
    "VKDNW": ("expressivity", "progressivity", "trainability", "macs", "vkdnw"),
    "all": (),
}


def main() -> None:
    """Scores what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=50)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/proxies.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    path = arguments.data_folder / "nb201_proxies.npz"
    if not path.is_file():
        print(f"skipped: {path.name} is not there")
        return
    torch.set_num_threads(1)
    table = np.load(path)
    drawn = np.random.default_rng(0).choice(len(table["arch_str"]), MOST, replace=False)
    chosen = drawn[: arguments.cells].tolist()
    rows = [row for row in kept_rows(arguments.kept) if row["cell"] in chosen]
    seen = {(row["cell"], row.get("seed", 0)) for row in rows}
    images = arguments.data_folder / "cifar10_10k.npz"
    for seed, numbers in enumerate((chosen, chosen[:TWICE])):
        names = [name for name in PROXIES.names() if not seed or PUBLIC.get(name, name) in table]
        made = ProxyEvaluator(space("nasbench201"), batch=arguments.batch, data=images, seed=seed)
        for number in numbers:
            if (number, seed) not in seen:
                scored = _score(made, str(table["arch_str"][number]), names)
                rows.append({"cell": number, "seed": seed, **scored})
                with arguments.kept.open("a") as file:
                    file.write(json.dumps(rows[-1]) + "\n")
    _write(rows, table, arguments)


def _score(made: ProxyEvaluator, cell: str, names: list[str]) -> dict[str, Any]:
    probe = made.probe(cell)
    told: dict[str, float] = {}
    seconds: dict[str, float] = {}
    for name in names:
        start = time.process_time()
        told[name] = proxy(name)(probe).value
        seconds[name] = time.process_time() - start
    return {"architecture": cell, "told": told, "seconds": seconds}


def _write(every: list[dict[str, Any]], table: Any, arguments: argparse.Namespace) -> None:
    cells = space("nasbench201")
    rows = [row for row in every if not row.get("seed")]
    once = {row["cell"]: row["told"] for row in rows}
    again = {row["cell"]: row["told"] for row in every if row.get("seed")}
    x = torch.tensor([cells.architecture(row["architecture"]).canonical for row in rows])
    file = arguments.data_folder / "nb201.npz"
    truth = evaluator(cells, file, metrics=f"accuracy[%]={TRUTH}").values(x)["accuracy"].numpy()
    index = np.array([row["cell"] for row in rows])
    ours = {name: np.array([row["told"][name] for row in rows]) for name in PROXIES.names()}
    counted = {"macs": cells.statistics(x)["macs"].double().numpy()}
    lines = []
    for name, values in ours.items():
        public = table[PUBLIC.get(name, name)][index] if PUBLIC.get(name, name) in table else None
        cost = float(np.mean([row["seconds"][name] for row in rows]))
        lines.append(_line(name, values, public, _repeats(name, once, again), truth, cost))
    for name, members in SUMS.items():
        known = {**ours, **counted}
        scores = rank_sum([torch.as_tensor(known[each]) for each in members or known])
        lines.append(_line(f"ranks: {name}", scores.numpy(), None, None, truth, None))
    columns = [
        "proxy", "Spearman with the table's", "with itself, other weights", "with accuracy",
        "the table's", "published", "tau", "tau in the best tenth", "CPU s",
    ]  # fmt: skip
    head = f"{len(rows)} cells, batch {arguments.batch}"
    write(arguments.out, "proxies", {"rows": every}, f"{head}\n\n{markdown(columns, lines)}")


def _repeats(
    name: str, once: dict[int, dict[str, float]], again: dict[int, dict[str, float]]
) -> float | None:
    """How far a proxy agrees with itself where weights and batch are others."""
    cells = [cell for cell, told in again.items() if name in told]
    if not cells:
        return None
    first, second = ([told[cell][name] for cell in cells] for told in (once, again))
    return float(spearmanr(first, second).statistic)


def _line(
    name: str,
    ours: np.ndarray,
    public: np.ndarray | None,
    itself: float | None,
    truth: np.ndarray,
    cost: float | None,
) -> list[Any]:
    top = truth >= np.quantile(truth, 0.9)
    own = name.removeprefix("ranks: ")
    return [
        name,
        None if public is None else spearmanr(ours, public).statistic,
        itself,
        spearmanr(ours, truth).statistic,
        None if public is None else spearmanr(public, truth).statistic,
        PUBLISHED.get(own),
        kendalltau(ours, truth).statistic,
        kendalltau(ours[top], truth[top]).statistic,
        cost,
    ]


if __name__ == "__main__":
    main()
