"""Trains NAO on the architectures of a space, into a folder that can be loaded."""

from __future__ import annotations

import json
import time
from pathlib import Path

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.checkpoint import Checkpoint
from ...core.device import resolve_device
from ...core.output import writing
from ...core.seeding import derive_seed
from ...core.torch_state import own_torch_state
from ...encoders.autoencoding import train_autoencoder
from ...encoders.schema import Schema
from ...spaces import Space
from .generator import NAO
from .network import NAONetwork

__all__ = ["train_nao"]


@own_torch_state()
def train_nao(
    space: Space,
    rows: Int[Tensor, "A V"],
    folder: str | Path | None = None,
    *,
    steps: int = 1000,
    width: int = 64,
    seed: int = 0,
    device: str = "auto",
    show: bool = True,
) -> NAO:
    """Trains encoder and decoder on architectures alone, which costs no label.

    While it trains, a checkpoint is kept beside the folder; called again with the same arguments
    it goes on from there.

    Args:
        space: The space.
        rows: Architectures to learn from.
        folder: Where to save it with its model card; None does not.
        steps: Optimiser steps.
        width: Channels of a node.
        seed: Seed of everything random.
        device: ``auto``, ``cpu`` or ``cuda``.
        show: Whether to show a progress bar.

    Raises:
        UsageError: For fewer than one step or architecture.
        OutputError: Where the folder cannot be written.
        CheckpointError: Where the checkpoint beside the folder is of another training.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> generator = train_nao(cells, cells.enumerate(), steps=1, width=8, show=False)
        >>> bool(generator.seen(cells, cells.sample(2, 0)).all())
        True
    """
    checkpoint = None if folder is None else Checkpoint.beside(Path(folder))
    seen = space.hashes(rows).unique()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "weights"))
        network = NAONetwork(Schema.of(space).to_json(), width=width, seen_count=len(seen))
    network.seen.copy_(seen)
    network.to(resolve_device(device))
    started = time.process_time()
    losses = train_autoencoder(
        network.autoencoder, space, rows, steps=steps, seed=seed, checkpoint=checkpoint, show=show
    )
    few = torch.linspace(0, len(rows) - 1, min(len(rows), 20_000)).long()
    network.fit_density(space.canonical(rows[few]))
    generator = NAO(network)
    if folder is not None:
        details = {
            "space": space.name,
            "steps": steps,
            "seed": seed,
            "training_architectures": len(rows),
            "final_loss": sum(losses[-100:]) / len(losses[-100:]),
            "cpu_seconds": round(time.process_time() - started),
            "parameters": sum(p.numel() for p in network.parameters()),
        }
        with writing(folder):
            generator.save_pretrained(folder)
        (Path(folder) / "training.json").write_text(json.dumps(details, indent=2) + "\n")
        (Path(folder) / "README.md").write_text(_card(details))
    if checkpoint is not None:
        Checkpoint.remove(checkpoint)
    return generator


def _card(details: dict[str, object]) -> str:
    return f"""---
library_name: vitruvius
license: apache-2.0
tags: [neural-architecture-search, autoencoder]
---

# NAO for {details["space"]}

Generates architectures by decoding embeddings, and optimises them in the embedding.

- Encoder by message passing, decoder to the choices of every variable:
  {details["parameters"]:,} parameters
- Trained to reconstruct {details["training_architectures"]:,} architectures in
  {details["steps"]:,} steps with seed {details["seed"]}, in {details["cpu_seconds"]:,} CPU seconds;
  mean loss of the last hundred steps {details["final_loss"]:.5f} nats a variable

No benchmark labels were used: it has learnt the architectures of the space, not which are good.
"""
