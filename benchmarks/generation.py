"""Generation quality and cost, before any repair: validity, uniqueness, novelty, joints, CPU time.

Every generator was trained on half of its space (of MobileNetV3, on 100,000 uniform draws and as
many from the tails). Uniqueness stands beside that of an ideal uniform sampler over the same
architectures; the total variation (TV) of pairwise joints to the held-out half stands beside the
training half's own, at equal sample size. CPU time is of one thread, batch 256, the median of
`REPEATS` runs.

    python benchmarks/generation.py --seeds 5 --out benchmarks/results
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
import torch.nn.functional as F
from _report import markdown, write

from vitruvius import sample, space
from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.generators import Generator, Gradient, Guidance, Resampling, load, shipped
from vitruvius.generators.recipe import hold_out_split
from vitruvius.predictors import GaussianProcess, Goal, GraphNetwork
from vitruvius.spaces import Space

SPACES = ("nasbench201", "nas-bench-graph", "nasbench101", "mobilenetv3")
STEPS = (4, 8, 16, 32)
N, BATCH, REPEATS = 1000, 256, 7
# CPU milliseconds an architecture of DiffusionNAG, one thread, batch 256 (measured elsewhere on a
# machine of this kind; its authors report 8 s on their GPU).
PEER = {"unguided": 1400, "guided": 1910}


def joints(target: Space, x: torch.Tensor) -> torch.Tensor:
    """Relative frequencies of every pair of choices of every pair of variables."""
    one_hot = F.one_hot(target.canonical(x), target.choice_mask.shape[1]).float()
    flat = one_hot.flatten(1)
    counts = sum(part.T @ part for part in flat.split(8192))
    size = one_hot.shape[1:]
    return (counts / len(x)).view(*size, *size).permute(0, 2, 1, 3)


def total_variation(p: torch.Tensor, q: torch.Tensor) -> float:
    """Total variation between two sets of pairwise joints, averaged over pairs of variables."""
    distance = (p - q).abs().sum((2, 3)) / 2
    pairs = torch.ones_like(distance).triu(1).bool()
    return float(distance[pairs].mean())


@cache
def held_joints(name: str) -> torch.Tensor:
    """Joints of the held-out half of a space."""
    return joints(space(name), hold_out_split(space(name))[1])


def cpu_milliseconds(work: Callable[[], Any], n: int) -> float:
    """Median CPU time an architecture."""
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        times.append((time.process_time() - started) / n * 1e3)
    return median(times)


def quality(
    target: Space, name: str, generator: Generator, steps: int, seeds: int
) -> dict[str, Any]:
    """One row of the quality table, averaged over seeds."""
    train, _ = hold_out_split(target)
    wanted = held_joints(target.name)
    valid, unique, ideal, novel, chance, tv, own = [], [], [], [], [], [], []
    for seed in range(seeds):
        proposals = generator.propose(target, N, steps=steps, seed=seed)
        x = proposals.x[proposals.valid]
        reference = target.sample(N, seed + 1000)
        random = torch.Generator().manual_seed(seed)
        same = train[torch.randint(len(train), (N,), generator=random)]
        valid.append(float(proposals.valid.float().mean()))
        unique.append(len(target.hashes(x).unique()) / len(x))
        ideal.append(len(target.hashes(reference).unique()) / N)
        seen = generator.seen(target, x)
        novel.append(float((~seen).float().mean()))
        chance.append(float((~generator.seen(target, reference)).float().mean()))
        tv.append(total_variation(joints(target, x), wanted))
        own.append(total_variation(joints(target, same), wanted))
    return {
        "generator": name,
        "steps": steps,
        "raw_validity": mean(valid),
        "raw_unique": mean(unique),
        "ideal_unique": mean(ideal),
        "novelty": mean(novel),
        "novelty_of_uniform": mean(chance),
        "tv_to_held_out": mean(tv),
        "tv_of_training_half": mean(own),
        "cpu_ms": cpu_milliseconds(
            lambda: generator.propose(target, BATCH, steps=steps, batch_size=BATCH, seed=0), BATCH
        ),
    }


def guided_cost(steps: int) -> list[dict[str, Any]]:
    """CPU time of the forms of guidance on NAS-Bench-201, with 200 labels of a counted metric."""
    cells = space("nasbench201")
    generator = load("nasbench201")
    x = cells.sample(200, 0)
    params = cells.statistics(x)["params"]
    targets = parse_targets("params<=0.2M", exact_metrics(cells))
    predictors = {"gp": GaussianProcess(cells), "gnn": GraphNetwork(cells)}
    for predictor in predictors.values():
        predictor.fit(x, params)
    gp, gnn = (Goal(cells, targets, lambda _: {}, {"params": p}) for p in predictors.values())
    forms = {
        "resampling by a GP": Guidance(resampling=Resampling(gp.log_value)),
        "gradient of a graph network": Guidance(gradient=Gradient(gnn.relaxed_log_value)),
        "both": Guidance(
            gradient=Gradient(gnn.relaxed_log_value), resampling=Resampling(gp.log_value)
        ),
    }
    rows = []
    for name, guidance in forms.items():
        proposals = generator.propose(cells, N, steps=steps, guidance=guidance, seed=0)
        met = targets.satisfied(cells.statistics(proposals.x[proposals.valid]))
        milliseconds = cpu_milliseconds(
            lambda guidance=guidance: generator.propose(
                cells, 4 * BATCH, steps=steps, guidance=guidance, batch_size=BATCH, seed=0
            ),
            4 * BATCH,
        )
        rows.append(
            {
                "guidance": name,
                "steps": steps,
                "cpu_ms": milliseconds,
                "raw_hits": float(met.double().mean()),
            }
        )
    uniform = cells.statistics(cells.enumerate())
    for row in rows:
        row["base_rate"] = float(targets.satisfied(uniform).double().mean())
    return rows


def main() -> None:
    """Measures every generator that ships and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--spaces", nargs="+", default=list(SPACES))
    parser.add_argument("--steps", nargs="+", type=int, default=list(STEPS))
    parser.add_argument("--generator", nargs="*", default=[], help="further ones, NAME=FOLDER")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    others = {name: load(folder) for name, folder in (g.split("=", 1) for g in arguments.generator)}
    for name in arguments.spaces:
        target = space(name)
        sources = {"single": load(name)} if name in shipped() else {}
        rows = [
            quality(target, label, generator, steps, arguments.seeds)
            for label, generator in (sources | others).items()
            if name in generator.denoiser.space_names
            for steps in arguments.steps
        ]
        text = markdown(list(rows[0]), [list(row.values()) for row in rows])
        returned = sample(target, n=N, seed=0).summary["returned"]
        text += f"\n\nDistinct architectures returned when {N:,} are asked for: {returned:,}.\n"
        results = {"seeds": arguments.seeds, "quality": rows, "returned": returned}
        if name == "nasbench201":
            guided = [row for steps in arguments.steps for row in guided_cost(steps)]
            results |= {"guided": guided, "peer_cpu_ms": PEER}
            text += "\n" + markdown(list(guided[0]), [list(row.values()) for row in guided])
            text += (
                f"\n\nDiffusionNAG takes {PEER['unguided']:,} CPU-ms an architecture unguided and "
                f"{PEER['guided']:,} guided on a machine of this kind (one thread, batch 256).\n"
            )
        write(arguments.out, f"generation-{name}", results, text)
        print(text, flush=True)


if __name__ == "__main__":
    main()
