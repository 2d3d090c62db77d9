"""Trains the generators that ship: ``python -m vitruvius.generators.pretrain``."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch

from .._random import derive_seed
from ..spaces import Space, space
from .card import model_card
from .diffusion import GraphDiffusion
from .training import Source, Trainer, new_denoiser, tilted

__all__ = ["MULTI", "RECIPES", "half", "source_of", "train_one"]

MULTI = "multi"
# Optimiser steps: what the longest-running one needs for its held-out loss to level off, within
# 20 CPU minutes each.
RECIPES: dict[str, int] = {
    "nasbench201": 2500,
    "nas-bench-graph": 6000,
    "nasbench101": 4500,
    "mobilenetv3": 5000,
}
LARGE = 100_000


def half(target: Space, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Splits an enumerable space into two random halves: one to train on, one held out.

    A larger space gives two sets of 100,000 uniform draws.

    Args:
        target: The space.
        seed: Seed of the split.
    """
    if not target.enumerable:
        rows = target.sample(2 * LARGE, derive_seed(seed, "half"))
    else:
        rows = target.enumerate()
        generator = torch.Generator().manual_seed(derive_seed(seed, "half"))
        rows = rows[torch.randperm(len(rows), generator=generator)]
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def source_of(target: Space, seed: int = 0) -> Source:
    """What the shipped generator of a space learns from: half of it, and tails where it is large."""
    rows, _ = half(target, seed)
    tails = None if target.enumerable else tilted(target, LARGE, derive_seed(seed, "tails"))
    return Source(target, rows, tails=tails)


def train_one(names: Sequence[str], steps: int, folder: Path, seed: int = 0) -> GraphDiffusion:
    """Trains one generator for the named spaces and saves it with its model card.

    Args:
        names: Spaces it is to serve.
        steps: Optimiser steps.
        folder: Where to save it; a checkpoint beside it lets an interrupted training go on.
        seed: Seed of everything random.
    """
    sources = [source_of(space(name), seed) for name in names]
    denoiser = new_denoiser(sources, seed=seed)
    started = time.process_time()
    checkpoint = folder.with_name(f".{folder.name}-checkpoint")
    trainer = Trainer(denoiser, sources, steps=steps, seed=seed, checkpoint=checkpoint)
    losses = trainer.run()
    generator = GraphDiffusion.of(denoiser)
    generator.save_pretrained(folder)
    details = {
        "spaces": list(names),
        "steps": steps,
        "seed": seed,
        "training_architectures": {s.space.name: len(s.rows) for s in sources},
        "tail_architectures": {s.space.name: len(s.tails) for s in sources if s.tails is not None},
        "final_loss": sum(losses[-100:]) / len(losses[-100:]),
        "cpu_seconds": round(time.process_time() - started),
        "parameters": sum(p.numel() for p in denoiser.parameters()),
    }
    (folder / "training.json").write_text(json.dumps(details, indent=2) + "\n")
    (folder / "README.md").write_text(model_card(details))
    for file in checkpoint.glob("*"):
        file.unlink()
    if checkpoint.exists():
        checkpoint.rmdir()
    return generator


def main() -> None:
    """Trains every generator that ships, or the ones named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*RECIPES, MULTI, []], help="default: all")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "pretrained")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    for name in arguments.names or RECIPES:
        names = list(RECIPES) if name == MULTI else [name]
        steps = 9000 if name == MULTI else RECIPES[name]
        train_one(names, steps, arguments.out / name, arguments.seed)


if __name__ == "__main__":
    main()
