"""Exact targets in a space too large to list: MobileNetV3, no labels, by form of guidance.

python benchmarks/large_space.py --seeds 3 --out benchmarks/results
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from _report import markdown, write

from vitruvius import sample, space

TARGET, N = "params=4.2e6±2%, macs<=220e6", 200
FORMS = ("auto", "resampling", "classifier-free+resampling")


def run(form: str, seed: int) -> dict[str, Any]:
    """Samples, then counts the parameters of every built module."""
    nets = space("mobilenetv3")
    result = sample(nets, target=TARGET, n=N, guidance=form, seed=seed)
    met = 0
    for entry in result.samples:
        built = sum(p.numel() for p in nets.build(entry.architecture).parameters())
        met += abs(built - 4.2e6) <= 0.02 * 4.2e6 and entry.exact["macs"] <= 220e6
    keys = ("guidance", "returned", "proposals", "raw_yield", "raw_unique", "base_rate")
    summary = {key: result.summary[key] for key in (*keys, "cpu_seconds", "labels_used")}
    distinct = len({entry.architecture for entry in result.samples})
    return {"seed": seed, **summary, "distinct": distinct, "met_by_built_modules": met}


def main() -> None:
    """Runs every form and seed and writes the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    runs = [run(form, seed) for form in FORMS for seed in range(arguments.seeds)]
    columns = [key for key in runs[0] if key not in ("seed", "guidance")]
    rows = []
    for name in dict.fromkeys(r["guidance"] for r in runs):
        some = [r for r in runs if r["guidance"] == name]
        rows.append([name, *(mean(r[key] for r in some) for key in columns)])
    write(arguments.out, "large_space", {"runs": runs}, markdown(["guidance", *columns], rows))


if __name__ == "__main__":
    main()
