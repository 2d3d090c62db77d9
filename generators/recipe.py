"""Recipes: what a generator learns from, and training it into a folder that can be loaded."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.checkpoint import Checkpoint
from ..core.device import resolve_device
from ..core.errors import UnknownNameError
from ..core.output import writing
from ..core.seeding import derive_seed, make_generator
from ..core.torch_state import own_torch_state
from ..spaces import Space
from .card import model_card
from .choices import DIFFUSION
from .diffusion import GraphDiffusion
from .training import Source, Trainer, new_denoiser, tail_sample

__all__ = ["LARGE", "hold_out_split", "source_of", "train_generator"]

# Architectures drawn from a space that is too large to list.
LARGE = 100_000


def hold_out_split(space: Space, seed: int = 0) -> tuple[Int[Tensor, "A V"], Int[Tensor, "H V"]]:
    """Splits a space at random into a half to train on and one held out.

    Of a space too large to list these are two sets of 100,000 uniform draws.

    Args:
        space: The space.
        seed: Seed of the split.

    Returns:
        Canonical choice indices of the two halves.

    Example:
        >>> from vitruvius.spaces import space
        >>> [len(rows) for rows in hold_out_split(space("nasbench201"))]
        [3233, 3233]
    """
    if space.enumerable:
        rows = space.enumerate()
        rows = rows[torch.randperm(len(rows), generator=make_generator(derive_seed(seed, "half")))]
    else:
        rows = space.sample(2 * LARGE, derive_seed(seed, "half"))
    return rows[: len(rows) // 2], rows[len(rows) // 2 :]


def source_of(space: Space, rows: Int[Tensor, "A V"] | None = None, seed: int = 0) -> Source:
    """Makes the training set of a space.

    Args:
        space: The space.
        rows: Architectures to learn from; by default all of them, or 100,000 draws and as many
            that reach the tails of the properties where there are too many to list.
        seed: Seed of the draws.

    Example:
        >>> from vitruvius.spaces import space
        >>> source_of(space("nasbench201")).rows.shape
        torch.Size([6466, 6])
    """
    if rows is not None:
        return Source(space, rows)
    if space.enumerable:
        return Source(space, space.enumerate())
    tails = None if space.constrained else tail_sample(space, LARGE, derive_seed(seed, "tails"))
    return Source(space, space.sample(LARGE, derive_seed(seed, "rows")), tails=tails)


@own_torch_state()
def train_generator(
    sources: Sequence[Source],
    folder: str | Path,
    *,
    steps: int,
    process: str = "absorbing",
    seed: int = 0,
    device: str = "auto",
) -> GraphDiffusion:
    """Trains one generator for the spaces of the sources and saves it with its model card.

    While it trains, a checkpoint is kept beside the folder; called again with the same arguments
    it goes on from there.

    Args:
        sources: One per space.
        folder: Where to save it.
        steps: Optimiser steps.
        process: One of `vitruvius.generators.choices.DIFFUSION`.
        seed: Seed of everything random.
        device: ``auto``, ``cpu`` or ``cuda``.

    Raises:
        UnknownNameError: For another process.
        UsageError: For fewer than one step.
        OutputError: Where the folder cannot be written.
        CheckpointError: Where the checkpoint beside the folder is of another training.

    Example:
        >>> import tempfile
        >>> from vitruvius.spaces import space
        >>> folder = Path(tempfile.mkdtemp()) / "cells"
        >>> train_generator([source_of(space("nasbench201"))], folder, steps=1).conditions
        ('params', 'macs', 'depth')
        >>> (folder / "README.md").exists()
        True
    """
    if process not in DIFFUSION:
        raise UnknownNameError.of("diffusion process", process, DIFFUSION)
    folder = Path(folder)
    checkpoint = Checkpoint.beside(folder)
    denoiser = new_denoiser(sources, process=process, seed=seed).to(resolve_device(device))
    started = time.process_time()
    losses = Trainer(denoiser, sources, steps=steps, seed=seed, checkpoint=checkpoint).run()
    generator = GraphDiffusion.of(denoiser)
    with writing(folder):
        generator.save_pretrained(folder)
    details = {
        "spaces": [source.space.name for source in sources],
        "process": process,
        "steps": steps,
        "seed": seed,
        "training_architectures": {s.space.name: len(s.rows) for s in sources},
        "tail_architectures": {s.space.name: len(s.tails) for s in sources if s.tails is not None},
        "conditions": list(generator.conditions),
        "tasks": list(generator.tasks),
        "final_loss": sum(losses[-100:]) / len(losses[-100:]),
        "cpu_seconds": round(time.process_time() - started),
        "parameters": sum(p.numel() for p in denoiser.parameters()),
    }
    with writing(folder):
        (folder / "training.json").write_text(json.dumps(details, indent=2) + "\n")
        (folder / "README.md").write_text(model_card(details))
    Checkpoint.remove(checkpoint)
    return generator
