"""Few labels: do the gains that papers report for predictors show at this scale?

    python benchmarks/claims.py --out benchmarks/results

Four parts, each a table: predictors and losses of papers on NAS-Bench-201 (``papers``), statistics
of untrained networks layer by layer (``layers``), architectures together with how they were
trained (``recipes``), and how many held-out values intervals of 90 % hold (``intervals``). Taus are
Kendall's on what was held out, mean and standard error over draws of labels, which are the same for
every row. What is done is kept in a file, so that an interrupted benchmark goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import re
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import torch
from _report import kept_rows, markdown, standard_error, write
from _tables import SCORE, accel_space, table_of
from scipy.stats import kendalltau
from torch import Tensor

from vitruvius.core.npz import read_npz
from vitruvius.encoders import View
from vitruvius.evaluators import Evaluation, Evaluator, Metric, evaluator
from vitruvius.evaluators.tables.table import Table
from vitruvius.predictors import new_predictor
from vitruvius.spaces import Space
from vitruvius.spaces.declared import DeclaredSpace

DATA = Path(__file__).parents[1].parent / "shared" / "data"
HELD_OUT = 2000
# Cells whose networks are looked at layer by layer, and what of them.
LOOKED_AT, LAYERS = 320, "proxy:snip+synflow+fisher;nodes=32;batch=16"
WIDE = 1.6449


@dataclass(frozen=True)
class Case:
    """Architectures whose values are predicted.

    Args:
        target: The space.
        x: Rows.
        values: What is predicted of them.
        views: What may be seen of them, by name.
    """

    target: Space
    x: Tensor
    values: Tensor
    views: dict[str, View]


@dataclass(frozen=True)
class Part:
    """A table of the report.

    Args:
        cases: Names of the cases.
        labels: Numbers of labels.
        rows: Predictors, each with the name of a view behind ``@`` where it has one; a view alone
            is taken as the prediction.
        draws: Draws of labels.
    """

    cases: tuple[str, ...]
    labels: tuple[int, ...]
    rows: tuple[str, ...]
    draws: int = 5


PARTS = {
    "papers": Part(
        ("c10",),
        (25, 100, 400),
        (
            "gp", "lightgbm:features=one-hot", "gnn", "gnn:loss=kendall", "gnn:loss=pairwise",
            "gnn:loss=list", "comparator", "pretrained:pretrain=false", "pretrained",
            "@one-shot", "@few-shot", "gp@one-shot", "pretrained@one-shot", "gp@few-shot",
            "pretrained@few-shot",
        ),
    ),
    "layers": Part(
        ("layers",),
        (78, 156),
        ("gp", "gp@layers", "lightgbm@layers", "ridge@layers", "mixer@layers", "gp@sums",
         "mixer@sums"),
    ),
    "recipes": Part(
        ("accel-nasbench", "timm"),
        (20, 50, 100),
        ("gp", "gp@counts", "ridge@counts", "lightgbm@counts", "pretrained:pretrain=false",
         "pretrained@counts"),
    ),
    "intervals": Part(
        ("c10", "cora", "nb101"),
        (100,),
        ("gp", "ridge", "lightgbm", "gnn", "average", "ensemble", "deep-kernel", "comparator",
         "pretrained"),
        draws=6,
    ),
}  # fmt: skip


def main() -> None:
    """Runs what is not in the file yet, then writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/claims.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    parser.add_argument("--workers", type=int, default=1)
    arguments = parser.parse_args()
    done = {row["key"]: row for row in kept_rows(arguments.kept)}
    jobs = [
        (part, case, draw)
        for part in arguments.parts
        for case, draw in product(PARTS[part].cases, range(PARTS[part].draws))
        if (arguments.data_folder / FILES[case]).exists()
        and any(_key(part, case, draw, *row) not in done for row in _rows(part))
    ]
    arguments.kept.parent.mkdir(parents=True, exist_ok=True)
    if any(case == "layers" for _, case, _ in jobs):
        _look(arguments)
    with ProcessPoolExecutor(
        arguments.workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        running = [
            pool.submit(_run, *job, set(done), arguments.data_folder, arguments.kept)
            for job in jobs
        ]
        for finished in as_completed(running):
            for row in finished.result():
                done[row["key"]] = row
                with arguments.kept.open("a") as file:
                    print(json.dumps(row), file=file)
    for part in arguments.parts:
        found = [row for row in done.values() if row["part"] == part]
        if found:
            write(arguments.out, f"claims-{part}", {"rows": found}, _table(part, found))


def _look(arguments: argparse.Namespace) -> None:
    """Looks at the layers of all cells, and keeps in a file what processes read then."""
    data = _case("layers", arguments.data_folder)
    for view in data.views.values():
        view.keep_in(_seen_file(arguments.kept))
        for rows in data.x.split(20):
            view(rows)
            print("looked at", len(rows), flush=True)


def _seen_file(kept: Path) -> Path:
    return kept.with_name("claims-layers.jsonl")


def _rows(part: str) -> list[tuple[str, int]]:
    return list(product(PARTS[part].rows, PARTS[part].labels))


def _key(part: str, case: str, draw: int, row: str, labels: int) -> str:
    return f"{part} {case} {draw} {row} {labels}"


def _one_thread() -> None:
    torch.set_num_threads(1)


def _run(
    part: str, case: str, draw: int, done: set[str], folder: Path, kept: Path
) -> list[dict[str, Any]]:
    data = _case(case, folder)
    for view in data.views.values():
        if view.costly:
            view.keep_in(_seen_file(kept))
    order = torch.randperm(len(data.x), generator=torch.Generator().manual_seed(draw))
    held = order[-min(HELD_OUT, len(order) // 2) :]
    results = []
    for row, labels in _rows(part):
        key = _key(part, case, draw, row, labels)
        if key in done:
            continue
        started = time.process_time()
        measured = _measured(data, row, order[:labels], held, draw, part == "intervals")
        results.append(
            {"key": key, "part": part, "case": case, "row": row, "labels": labels, **measured}
            | {"cpu_seconds": time.process_time() - started}
        )
        print(key, measured, flush=True)
    return results


def _measured(
    data: Case, row: str, known: Tensor, held: Tensor, draw: int, intervals: bool
) -> dict[str, float]:
    name, _, view = row.partition("@")
    seen = data.views[view] if view else None
    if not name:
        assert seen is not None
        return {"tau": _tau(seen.trend(seen(data.x[held])), data.values[held])}
    views = () if seen is None else (seen,)
    given = f"conformal:predictor={name}" if intervals else name
    made = new_predictor(given, data.target, seed=draw, views=views)
    made.fit(data.x[known], data.values[known])
    center, deviation = made.predict_scores(data.x[held])
    told = {"tau": _tau(center, data.values[held])}
    if intervals:
        off = (made.scores(data.values[held]) - center).abs()
        for what, factor in (("held", 1.0), ("held_before", made.factor)):
            told[what] = float((off <= WIDE * deviation / factor).double().mean())
    return told


def _tau(guess: Tensor, truth: Tensor) -> float:
    return float(kendalltau(guess.numpy(), truth.numpy()).statistic)


def _table(part: str, found: list[dict[str, Any]]) -> str:
    texts = []
    for case in PARTS[part].cases:
        here = [row for row in found if row["case"] == case]
        if not here:
            continue
        columns = ["predictor", *(f"{labels} labels" for labels in PARTS[part].labels), "CPU s"]
        lines = []
        for name in PARTS[part].rows:
            own = [row for row in here if row["row"] == name]
            cells = [
                _cell([row for row in own if row["labels"] == labels])
                for labels in PARTS[part].labels
            ]
            predictor, _, view = name.partition("@")
            title = f"{predictor} with {view}" if predictor and view else predictor or view
            lines.append([title, *cells, mean(row["cpu_seconds"] for row in own)])
        texts.append(f"{case}, {PARTS[part].draws} draws of labels\n\n{markdown(columns, lines)}")
    return "\n\n".join(texts)


def _cell(rows: list[dict[str, Any]]) -> str:
    if "held" in rows[0]:
        now, before = (mean(row[what] for row in rows) for what in ("held", "held_before"))
        return f"{now:.1%} (uncalibrated {before:.1%})"
    taus = [row["tau"] for row in rows]
    return f"{mean(taus):.3f} ± {standard_error(taus) or 0:.3f}"


@cache
def _case(name: str, folder: Path) -> Case:
    if name in CASES:
        return CASES[name](folder)
    return Case(*table_of(name, folder), {})


def _cells(folder: Path) -> Case:
    """Cells, and their scores in the supernets of few-shot NAS."""
    target, x, values = table_of("c10", folder)
    columns = read_npz(folder / "nb201_supernet_scores.npz")
    rows = target.rows([str(text) for text in columns["arch_str"]])
    views = {
        name: View(Table(target, rows, {"score": torch.as_tensor(columns[key])}, {"score": SCORE}))
        for name, key in (("one-shot", "one_shot_acc"), ("few-shot", "few_shot_acc"))
    }
    return Case(target, x, values, views)


def _layers(folder: Path) -> Case:
    """Some cells, and their proxies, layer by layer and summed."""
    target, x, values = table_of("c10", folder)
    some = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))[:LOOKED_AT]
    views = {
        "layers": View(evaluator(target, LAYERS)),
        "sums": View(evaluator(target, re.sub("nodes=[0-9]+;", "", LAYERS))),
    }
    return Case(target, x[some], values[some], views)


class _Counts(Evaluator):
    """Parameters and MACs of Accel-NASBench's networks, polynomials of their blocks.

    Widths and strides are the same for all, so that both are sums over blocks of products of what
    is chosen there; the coefficients follow from the table, exactly.
    """

    batched = True

    def __init__(self, target: Space, columns: dict[str, np.ndarray]) -> None:
        counts = {name: Metric(name, "", "lower") for name in ("macs_m", "params_m")}
        super().__init__(target, counts)
        blocks = np.stack([columns[v.name] for v in accel_space().variables], 1)
        terms = self._terms(torch.as_tensor(blocks).double())
        told = np.stack([columns[name] for name in counts], 1)
        self._weights = torch.linalg.lstsq(terms, torch.as_tensor(told).double(), driver="gelsd")[0]

    def evaluate(self, architecture: Any, *_: Any, **__: Any) -> Evaluation:
        raise NotImplementedError

    def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
        chosen = [
            torch.tensor([float(c) for c in variable.choices])[x[:, column]]
            for column, variable in enumerate(self.space.variables)
            if variable.name.startswith("block")
        ]
        told = self._terms(torch.stack(chosen, 1).double()) @ self._weights
        return dict(zip(self.metrics, told.T, strict=True))

    @staticmethod
    def _terms(blocks: Tensor) -> Tensor:
        terms = [torch.ones(len(blocks), 1, dtype=torch.float64)]
        for expand, kernel, layers, excite in (block.T for block in blocks.split(4, 1)):
            wide = (expand > 1).double()
            each = [1 + 0 * layers, expand, expand * kernel**2, wide, kernel**2]
            each += [excite, excite * expand, excite * expand**2]
            terms.append(torch.stack([t * n for t in each for n in (layers, 1 + 0 * layers)], 1))
        return torch.cat(terms, 1)


def _accel(folder: Path) -> Case:
    """Networks of Accel-NASBench, each under two recipes; the mean over three seeds."""
    blocks = [
        {"name": v.name, "choices": [int(c) for c in v.choices], "kind": "size", "place": [n // 4]}
        for n, v in enumerate(accel_space().variables)
    ]
    recipes = ["proxified", "fewproxy"]
    target = DeclaredSpace(
        {
            "name": "accel-nasbench with recipes",
            "nodes": [f"block {block}" for block in range(7)],
            "skeleton": [[block, block + 1] for block in range(6)],
            "variables": [*blocks, {"name": "recipe", "choices": recipes, "kind": "recipe"}],
        }
    )
    columns = read_npz(folder / "accel_nasbench_recipes.npz")
    rows = torch.tensor(
        [
            [
                variable.choices.index(str(columns[variable.name][n]))
                for variable in target.variables
            ]
            for n in range(len(columns["recipe"]))
        ]
    )
    table = Table(
        target, rows, {"score": torch.as_tensor(columns["val_top1"]).double()}, {"score": SCORE}
    )
    counts = View(_Counts(target, read_npz(folder / "accel_nasbench.npz")))
    return Case(target, table.rows, table.values(table.rows)["score"], {"counts": counts})


def _timm(folder: Path) -> Case:
    """Checkpoints of timm: family, size, variant, resolution, data and recipe, as words."""
    columns = read_npz(folder / "timm_imagenet_results.npz")
    rare = 5
    found = [
        _words(str(name), str(tag), int(size))
        for name, tag, size in zip(
            columns["arch"], columns["tag"], columns["img_size"], strict=True
        )
    ]
    names = ("family", "size", "variant", "resolution", "data", "recipe", "tuned", "distilled")
    texts = []
    for column in zip(*found, strict=True):
        counts = {word: column.count(word) for word in column}
        texts.append([word if counts[word] >= rare else "other" for word in column])
    target = DeclaredSpace(
        {
            "name": "timm",
            "nodes": ["network", "training"],
            "skeleton": [[0, 1]],
            "variables": [
                {
                    "name": name,
                    "choices": sorted({*column, "other"}),
                    "kind": "op" if place == 0 else "recipe",
                    "place": [place],
                }
                for name, column, place in zip(names, texts, (0, 0, 0, 1, 1, 1, 1, 1), strict=True)
            ],
        }
    )
    rows = torch.tensor(
        [
            [target.variables[n].choices.index(word) for n, word in enumerate(row)]
            for row in zip(*texts, strict=True)
        ]
    )
    known = {
        "score": torch.as_tensor(columns["top1"]).double(),
        "params": torch.as_tensor(columns["params_m"]).double(),
    }
    table = Table(target, rows, {"score": known["score"]}, {"score": SCORE})
    sizes = Table(
        target, rows, {"params": known["params"]}, {"params": Metric("params", "", "lower")}
    )
    return Case(target, table.rows, table.values(table.rows)["score"], {"counts": View(sizes)})


def _words(name: str, tag: str, resolution: int) -> tuple[str, ...]:
    parts, tags = name.split("_"), tag.split("_")
    first = re.match(r"([a-z]+)(v\d)?(\d*)([a-z]*)", parts[0])
    assert first is not None
    family, version, number, letters = first.groups(default="")
    sized = [p for p in parts[1:] if re.fullmatch(r"[a-z]*\d*[a-z]*", p)]
    data = next((t for t in tags if re.match(r"in\d+k|laion|jft|ig1b|yfcc|lvd", t)), "none")
    recipe = next((t for t in tags if t not in ("ft", "dist", data)), "none")
    return (
        family + version,
        number or next(iter(sized), "none"),
        letters or next(iter(sized[1:]), "none"),
        str(min(range(160, 641, 32), key=lambda size: abs(size - resolution))),
        data,
        recipe,
        str("ft" in tags),
        str("dist" in tags),
    )


CASES: dict[str, Callable[[Path], Case]] = {
    "c10": _cells,
    "layers": _layers,
    "accel-nasbench": _accel,
    "timm": _timm,
}
FILES = {
    "c10": "nb201_supernet_scores.npz",
    "layers": "nb201.npz",
    "accel-nasbench": "accel_nasbench_recipes.npz",
    "timm": "timm_imagenet_results.npz",
    "cora": "",
    "nb101": "nb101_2500.npz",
}


if __name__ == "__main__":
    main()
