"""Trains the generators that ship: ``python -m vitruvius.generators.pretrain``."""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ..core.seeding import derive_seed
from ..predictors.source_tasks import named_tasks
from ..spaces import Space, space
from .across_tasks import source_across
from .choices import DIFFUSION
from .recipe import LARGE, hold_out_split, train_generator
from .training import Source, tail_sample

__all__ = ["MULTI", "RECIPES", "TASKS", "shipped_source"]

MULTI = "multi"
# Optimiser steps at which the held-out loss has levelled off, within 20 CPU minutes each.
RECIPES: dict[str, int] = {
    "nasbench201": 2500,
    "nas-bench-graph": 3000,
    "nasbench101": 4500,
    "mobilenetv3": 5000,
    "darts": 3000,
    "nasnet": 3000,
    "mnasnet": 3000,
    "transnas101-micro": 2000,
    "resnet-size": 2000,
    "resnet-pooling": 100,
    "autognn": 2000,
    "lpgnas": 2000,
    "autogan": 2000,
    "eagan-generator": 3000,
    "eagan-discriminator": 3000,
    "nas-bench-graph-tasks": 4000,
    MULTI: 9000,
}
# Most architectures to learn from, where their fingerprints would take too much of the wheel.
FEW = {
    "lpgnas": 40_000,
    "autogan": 20_000,
    "eagan-generator": 20_000,
    "eagan-discriminator": 20_000,
}
# Spaces of the generator that serves several.
SEVERAL = ("nasbench201", "nas-bench-graph", "nasbench101", "mobilenetv3")
# Those trained across tasks: the space, and its data sets. Photo is left out, to be transferred to.
TASKS: dict[str, tuple[str, tuple[str, ...]]] = {
    "nas-bench-graph-tasks": (
        "nas-bench-graph",
        ("arxiv", "citeseer", "computers", "cora", "cs", "physics", "proteins", "pubmed"),
    ),
}


def shipped_source(target: Space, seed: int = 0) -> Source:
    """What a shipped generator learns from: half of the space, so that novelty can be told.

    Args:
        target: The space.
        seed: Seed of the split.
    """
    few, drawn = FEW.get(target.name), derive_seed(seed, "tails")
    tails = None if target.enumerable else tail_sample(target, few or LARGE, drawn)
    return Source(target, hold_out_split(target, seed)[0][:few], tails=tails)


def main() -> None:
    """Trains the generators named, or those that ship."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of {', '.join(RECIPES)}")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pretrained")
    parser.add_argument("--process", choices=DIFFUSION, default="absorbing")
    parser.add_argument("--steps", type=int, help="optimiser steps; by default the recipe's")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    # One generator for all spaces is for comparison: it is no better, so it does not ship.
    for name in arguments.names or [name for name in RECIPES if name != MULTI]:
        sources = _sources(name, arguments.seed)
        train_generator(
            sources,
            arguments.out / name,
            steps=arguments.steps or RECIPES[name],
            process=arguments.process,
            seed=arguments.seed,
        )


def _sources(name: str, seed: int) -> list[Source]:
    if name in TASKS:
        target, data_sets = space(TASKS[name][0]), TASKS[name][1]
        tasks = named_tasks(target, data_sets)
        return [source_across(target, hold_out_split(target, seed)[0], tasks, tasks.metric())]
    return [shipped_source(space(key), seed) for key in (SEVERAL if name == MULTI else [name])]


if __name__ == "__main__":
    main()
