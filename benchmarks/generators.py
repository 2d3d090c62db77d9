"""All generators in one table a space: what comes out, what it costs, and whether targets are met.

Every generator was trained on half of its space, as those that ship;
novelty of all is told against that half. Nothing is repaired: raw validity of continuous diffusion
is that of the likeliest choices. On NAS-Bench-Graph the task of `conditional.py` follows: the same
random labels and predictors for all but regularized evolution, which spends as many labels on
look-ups of its own and returns the children it would look up next. SemiNAS has the decoder of NAO;
what it adds is its predictor, so it has a row where predictors matter.

FOLDER holds one folder a space, as `pretrain --out FOLDER` writes them.

    python benchmarks/generators.py --generator continuous=FOLDER nao=FOLDER
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from _report import markdown, write
from conditional import DATA, LABELS, RETURNED, WholeSpace, target_of
from generation import PEER, SPACES, quality

from vitruvius import evaluator, space
from vitruvius.evaluators.targets import parse_targets
from vitruvius.generators import (
    Generator,
    GraphDiffusion,
    Uniform,
    continuous_scheduler,
    load,
)
from vitruvius.generators.continuous import CONTINUOUS
from vitruvius.generators.recipe import hold_out_split
from vitruvius.spaces import Space
from vitruvius.verbs.sampler import Sampler
from vitruvius.verbs.search import new_search

# The label of NAO's folder; and the predictors that are trained together with such a decoder.
NAO, JOINT = "nao", ("nao", "seminas")
DISCRETE_STEPS, CONTINUOUS_STEPS, GUIDED_STEPS = (16,), (10, 20, 50), 16


@cache
def trained_on(name: str) -> torch.Tensor:
    """Hashes of the half that generators were trained on."""
    return space(name).hashes(hold_out_split(space(name))[0])


@dataclass(frozen=True)
class Against:
    """A generator whose novelty is told against the same half as that of all others."""

    generator: Generator

    def seen(self, target: Space, x: torch.Tensor) -> torch.Tensor:
        return torch.isin(target.hashes(x), trained_on(target.name))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.generator, name)


def variants(name: str, generator: Generator) -> list[tuple[str, Generator, int]]:
    """Every form of a generator that the table of quality shows: name, generator and steps."""
    if not isinstance(generator, GraphDiffusion):
        return [(name, generator, 1)]
    if generator.denoiser.config.process != "continuous":
        return [(name, generator, steps) for steps in DISCRETE_STEPS]
    return [
        (f"{name}, {scheduler}", GraphDiffusion(generator.denoiser, made), steps)
        for scheduler in CONTINUOUS
        for made in [continuous_scheduler(scheduler)]
        for steps in CONTINUOUS_STEPS
    ]


def evolution(data: str, seed: int) -> dict[str, float]:
    """Regularized evolution: its own labels, then the hit rate of what it would look up next."""
    graphs = space("nas-bench-graph")
    table = evaluator(graphs, data)
    target = target_of(table)
    objective, where = target.split(", ")
    started = time.process_time()
    search = new_search(
        graphs,
        evaluator=table,
        maximize=objective.split(">=")[0],
        where=where,
        method="evolution",
        seed=seed,
    )
    search.run(LABELS)
    rows = torch.tensor([trial.proposal.row for trial in search.ask(RETURNED)])
    spent = time.process_time() - started
    met = parse_targets(target, table.metrics).satisfied(table.values(rows))
    return {"hit_rate": float(met.double().mean()), "cpu_seconds": spent}


def hits(data: str, seed: int, generators: dict[str, Generator]) -> list[dict[str, Any]]:
    """The task of `conditional.py` for every generator, on one set of labels."""
    graphs = space("nas-bench-graph")
    table = evaluator(graphs, data)
    target = target_of(table)

    def labelled(predictor: str) -> Sampler:
        return Sampler(
            graphs, data=table, target=target, labels=LABELS, predictor=predictor, seed=seed
        )

    average = labelled("average")
    compared = [("whole space, ranked", average, WholeSpace())]
    compared += [(name, average, generator) for name, generator in generators.items()]
    if NAO in generators:
        compared += [
            (f"{NAO}, predictor {name}", labelled(name), generators[NAO]) for name in JOINT
        ]
    rows = []
    for name, sampler, generator in compared:
        form = "resampling" if generator.guidable else "none"
        summary = sampler.sample(
            RETURNED, generator=generator, guidance=form, steps=GUIDED_STEPS
        ).summary
        rows.append(
            {"generator": name, "guidance": form, "base_rate": summary["base_rate"]}
            | {key: summary[key] for key in ("hit_rate", "cpu_seconds")}
        )
    own = {"generator": "regularized evolution", "guidance": "own look-ups"}
    rows.append(own | {"base_rate": rows[0]["base_rate"]} | evolution(data, seed))
    return [{"data": data, "seed": seed, **row} for row in rows]


def table_of(runs: list[dict[str, Any]]) -> str:
    """One row a generator, one column a data set."""
    sets = list(dict.fromkeys(run["data"] for run in runs))
    rows: list[list[Any]] = []
    for name in dict.fromkeys(run["generator"] for run in runs):
        mine = [run for run in runs if run["generator"] == name]
        row = [name, mine[0]["guidance"]]
        for data in sets:
            rates = [run["hit_rate"] for run in mine if run["data"] == data]
            row.append(f"{mean(rates):.3f} ± {stdev(rates) if len(rates) > 1 else 0.0:.3f}")
        rows.append([*row, mean(run["cpu_seconds"] for run in mine)])
    base = {run["data"]: run["base_rate"] for run in runs}
    rows.append(["base rate", "", *(base[data] for data in sets), None])
    return markdown(["generator", "guidance", *sets, "CPU s"], rows)


def main() -> None:
    """Measures every generator on every space and writes one table a space."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--spaces", nargs="+", choices=SPACES, default=list(SPACES))
    parser.add_argument("--data", nargs="*", choices=DATA, default=list(DATA))
    parser.add_argument("--generator", nargs="*", default=[], help="trained ones, NAME=FOLDER")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    folders = dict(given.split("=", 1) for given in arguments.generator)
    for name in arguments.spaces:
        target = space(name)
        generators: dict[str, Generator] = {"uniform": Uniform(), "discrete": load(name)}
        for label, folder in folders.items():
            if (Path(folder) / name).is_dir():
                generators[label] = load(str(Path(folder) / name))
        rows = [
            quality(target, label, Against(made), steps, arguments.seeds)
            for given, generator in generators.items()
            for label, made, steps in variants(given, generator)
        ]
        results: dict[str, Any] = {"seeds": arguments.seeds, "quality": rows, "peer_cpu_ms": PEER}
        text = markdown(list(rows[0]), [list(row.values()) for row in rows])
        if name == "nas-bench-graph" and arguments.data:
            runs = [
                run
                for seed in range(arguments.seeds)
                for data in arguments.data
                for run in hits(data, seed, generators)
            ]
            results["hits"] = runs
            text += f"\n\nHit rates with {LABELS} labels, {RETURNED} architectures returned:\n\n"
            text += table_of(runs)
        write(arguments.out, f"generators-{name}", results, text)
        print(text, flush=True)


if __name__ == "__main__":
    main()
