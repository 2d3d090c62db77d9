"""Conditional quality on NAS-Bench-Graph: do returned architectures meet the targets?

Targets are the best 2 % of validation performance and a latency below the median. Labels are
random; 100 architectures are returned; the hit rate is by the table and excludes the labelled ones.
The guided generators stand beside a ranking of the whole space by the same predictors, fitted to
the same labels, and beside that ranking with boosted trees.

    python benchmarks/conditional.py --seeds 10 --out benchmarks/results
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _report import markdown, write

from vitruvius import evaluator, space
from vitruvius.evaluators.tables.table import Table
from vitruvius.generators import (
    GraphDiffusion,
    Guidance,
    Proposals,
    Source,
    Trainer,
    load,
    new_denoiser,
)
from vitruvius.generators.recipe import hold_out_split
from vitruvius.verbs.sampler import Sampler

DATA = ("cora", "pubmed", "arxiv", "physics")
FORMS = ("none", "resampling")
GRADIENT, GRADIENT_SEEDS = ("gradient", "gradient+resampling"), 5
# These need a generator trained on what the predictors say of its training set, anew for each set
# of labels: fewer seeds.
CONDITIONED = ("classifier-free", "classifier-free+resampling")
CONDITIONED_SEEDS, CONDITIONED_STEPS = 1, 600
LABELS, RETURNED = 200, 100
# Only ranks the whole space, for comparison.
BASELINE = "lightgbm"


class WholeSpace:
    """Proposes every architecture: what is best by the predictor is then what is returned."""

    name, guidable, conditions = "whole space", False, ()

    def to(self, device: torch.device) -> WholeSpace:
        return self

    def seen(self, space: Any, x: torch.Tensor) -> None:
        return None

    def propose(self, space: Any, n: int, *, guidance: Guidance, **_: Any) -> Proposals:
        x = space.enumerate()
        return Proposals(x, torch.ones(len(x), dtype=torch.bool))


def conditioned(sampler: Sampler, seed: int) -> GraphDiffusion:
    """Trains a generator with the predicted metrics as conditions; spends no further label."""
    rows, _ = hold_out_split(sampler.space)
    properties = {m: model.predict(rows)[0] for m, model in sampler.goal.predictors.items()}
    sources = [Source(sampler.space, rows, properties)]
    denoiser = new_denoiser(sources, seed=seed)
    Trainer(denoiser, sources, steps=CONDITIONED_STEPS, seed=seed, show=False).run()
    return GraphDiffusion.of(denoiser)


def target_of(table: Table) -> str:
    """The best 2 % of validation performance at a latency below the median."""
    values = table.values(table.rows)
    best = float(values["valid_perf"].quantile(0.98))
    median = float(values["latency"].median())
    return f"valid_perf>={best!r}, latency<={median!r}"


def run(data: str, seed: int, predictor: str) -> dict[str, dict[str, Any]]:
    """All forms of guidance on one set of labels."""
    graphs = space("nas-bench-graph")
    table = evaluator(graphs, data)
    started = time.process_time()
    sampler = Sampler(
        graphs, data=table, target=target_of(table), labels=LABELS, predictor=predictor, seed=seed
    )
    fitting = time.process_time() - started
    results = {}
    generator = load("nas-bench-graph")
    full = predictor != BASELINE
    forms = FORMS + (GRADIENT if seed < GRADIENT_SEEDS else ()) if full else ()
    ways = {"whole space": (WholeSpace(), "none")} | {form: (generator, form) for form in forms}
    if full and seed < CONDITIONED_SEEDS:
        trained = conditioned(sampler, seed)
        ways |= {form: (trained, form) for form in CONDITIONED}
    for name, (source, form) in ways.items():
        summary = sampler.sample(RETURNED, generator=source, guidance=form).summary
        results[name] = {
            key: summary[key]
            for key in ("hit_rate", "base_rate", "returned", "proposals", "labels_used")
        } | {"cpu_seconds": summary["cpu_seconds"], "predictors": summary["predictor"]}
    results["whole space"]["fit_cpu_seconds"] = fitting
    return results


def main() -> None:
    """Runs every data set and seed and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", nargs="+", default=list(DATA))
    parser.add_argument("--predictors", nargs="+", default=["average", BASELINE])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--workers", type=int, default=2)
    arguments = parser.parse_args()
    cases = [
        (data, seed, predictor)
        for seed in range(arguments.seeds)
        for data in arguments.data
        for predictor in arguments.predictors
    ]
    runs: list[dict[str, Any]] = []
    with ProcessPoolExecutor(
        arguments.workers, mp_context=get_context("spawn"), initializer=_one_thread
    ) as pool:
        for (data, seed, predictor), results in zip(
            cases, pool.map(run, *zip(*cases, strict=True)), strict=True
        ):
            for way, result in results.items():
                runs.append(
                    {"data": data, "predictor": predictor, "seed": seed, "way": way, **result}
                )
            print(data, predictor, seed, [r["hit_rate"] for r in results.values()], flush=True)
            write(arguments.out, "conditional", {"runs": runs}, table_of(runs))


def _one_thread() -> None:
    torch.set_num_threads(1)


def table_of(runs: list[dict[str, Any]]) -> str:
    """One row a data set, predictor and way; ratio to the ranking of the whole space."""
    rows = []
    for data, predictor in sorted({(r["data"], r["predictor"]) for r in runs}):
        group = [r for r in runs if (r["data"], r["predictor"]) == (data, predictor)]
        ranking = {r["seed"]: r["hit_rate"] for r in group if r["way"] == "whole space"}
        for way in dict.fromkeys(r["way"] for r in group):
            some = [r for r in group if r["way"] == way]
            hits = [r["hit_rate"] for r in some]
            whole = mean(ranking[r["seed"]] for r in some)
            spread = stdev(hits) if len(hits) > 1 else 0.0
            rows.append(
                [
                    data,
                    predictor,
                    way,
                    len(some),
                    f"{mean(hits):.3f} ± {spread:.3f}",
                    f"{mean(hits) / whole:.2f}" if whole else "–",
                    some[0]["base_rate"],
                    some[0]["labels_used"],
                    round(mean(r["proposals"] for r in some)),
                    mean(r["cpu_seconds"] for r in some),
                ]
            )
    columns = [
        "data set",
        "predictor",
        "way",
        "seeds",
        "hit rate",
        "of whole space",
        "base rate",
        "labels",
        "proposals",
        "CPU s",
    ]
    return markdown(columns, rows)


if __name__ == "__main__":
    main()
