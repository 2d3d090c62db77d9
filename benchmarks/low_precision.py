"""Graph networks in few bits: the front of bytes against accuracy that a search finds.

    python benchmarks/low_precision.py --out benchmarks/results

`lpgnas` is searched for high validation accuracy and few bytes. Every network of the front is then
trained anew: with the formats that were found, in full precision, and uniformly in W8A8 (2.6 and
4.4) and W4A8 (2.2 and 4.4), three seeds each, and measured on the test part.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _report import kept_rows, markdown, write

from vitruvius.core.seeding import derive_seed
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import Space, space
from vitruvius.spaces.gnn.lpgnas import LPGNAS
from vitruvius.verbs.search import search

DATA = Path(__file__).parents[1].parent / "shared" / "data"
FILES = {"Cora": "graph_cora.npz", "Citeseer": "graph_citeseer.npz"}
BUDGET, TRAININGS = 40, 3
# Networks of the front that are trained anew, from the smallest to the largest.
SHOWN = 4
WHERE = "params<=500k"
RECIPE: dict[str, Any] = {
    "epochs": 150, "patience": 40, "lr": 0.005, "dropout": 0.6, "precision": "full",
}  # fmt: skip
UNIFORM = {"W8A8": ("2.6", "4.4"), "W4A8": ("2.2", "4.4")}
FULL = 4


def main() -> None:
    """Searches and trains what is not in the file yet, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", choices=FILES, action="append")
    parser.add_argument("--budget", type=int, default=BUDGET)
    parser.add_argument("--runs", type=Path, default=Path("runs/low_precision"))
    parser.add_argument("--kept", type=Path, default=Path("benchmarks/results/low_precision.jsonl"))
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    for name in arguments.case or FILES:
        path = arguments.data_folder / FILES[name]
        if not path.is_file():
            print(f"{name} is skipped: {path.name} is not in {arguments.data_folder}")
            continue
        _case(name, path, arguments)
    _write(arguments)


def _case(name: str, path: Path, arguments: argparse.Namespace) -> None:
    options = ",".join(f"{key}={value}" for key, value in RECIPE.items())
    found = search(
        "lpgnas",
        evaluator=f"{path}:{options}",
        maximize="accuracy",
        minimize="model_bytes",
        where=WHERE,
        budget=arguments.budget,
        workers=2,
        run=arguments.runs / name,
    )
    front = sorted(found.best, key=lambda trial: found.metrics(trial)["model_bytes"])
    places = torch.linspace(0, len(front) - 1, min(SHOWN, len(front))).round().long().unique()
    done = {(row["data"], row["network"], row["formats"]) for row in kept_rows(arguments.kept)}
    few = TrainingEvaluator(space("lpgnas"), path, **RECIPE)
    full = TrainingEvaluator(space("autognn"), path, **RECIPE)
    for place in places.tolist():
        found_text = str(found.architecture(front[place]))
        network = " ".join(layer.partition("/")[0] for layer in found_text.split())
        assert isinstance(few.space, LPGNAS)
        texts = {"found": found_text}
        texts |= {label: few.space.uniform(network, *pair) for label, pair in UNIFORM.items()}
        for label, text in (*texts.items(), ("full precision", network)):
            if (name, network, label) in done:
                continue
            trainer = full if label == "full precision" else few
            row = {
                "data": name,
                "network": network,
                "formats": label,
                "architecture": text,
                "bytes": _bytes(trainer.space, text),
                "test": _tested(trainer, text),
            }
            arguments.kept.parent.mkdir(parents=True, exist_ok=True)
            with arguments.kept.open("a") as file:
                file.write(json.dumps(row) + "\n")
            print(row, flush=True)


def _bytes(target: Space, text: str) -> float:
    counts = target.statistics(target.rows([text]))
    return float(counts["model_bytes"] if "model_bytes" in counts else FULL * counts["params"])


def _tested(trainer: TrainingEvaluator, text: str) -> list[float]:
    tests = []
    for again in range(TRAININGS):
        told = trainer.train(text, seed=derive_seed(1, "retrained", again))
        tests.append(trainer.test(told)["accuracy"])
    return tests


def _write(arguments: argparse.Namespace) -> None:
    columns = ["data", "network", "formats", "kB", "test accuracy, %", "deviation", "times smaller"]
    kept = kept_rows(arguments.kept)
    full = {(r["data"], r["network"]): r["bytes"] for r in kept if r["formats"] == "full precision"}
    cells = [
        [
            row["data"], row["network"].replace("|", "\\|"), row["formats"], row["bytes"] / 1e3,
            100 * mean(row["test"]), 100 * stdev(row["test"]),
            full.get((row["data"], row["network"]), 0) / row["bytes"],
        ]
        for row in kept
    ]  # fmt: skip
    write(arguments.out, "low_precision", {"rows": kept}, markdown(columns, cells))


if __name__ == "__main__":
    main()
