"""Training of encoder, predictor and decoder together (NAO, 1808.07233; SemiNAS, 2002.10389)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..core.checkpoint import Checkpoint
from ..core.errors import UsageError
from ..core.progress import progress_bar
from ..core.seeding import derive_seed, make_generator
from ..spaces import Space
from .autoencoder import Autoencoder
from .schema import Schema

__all__ = ["Labelled", "new_autoencoder", "pretrained", "train_autoencoder"]

# Standard deviation of what is added to embeddings before they are decoded; theirs is 1.
NOISE = 0.2
# Labelled and other architectures in a batch, where there are labels.
LABELLED, OTHERS = 128, 64
BATCH = 192
# Architectures that a network learns to reconstruct where nothing else is said.
ROWS = 10_000
# Steps between two checkpoints.
EVERY = 100


@dataclass(frozen=True)
class Labelled:
    """Architectures of known performance.

    Args:
        x: Choice indices, ``[n, V]``.
        z: Performance, as normal scores, ``[n]``.
        weight: How much each label counts, 1 on average, ``[n]``.
    """

    x: Int[Tensor, "n V"]
    z: Float[Tensor, " n"]
    weight: Float[Tensor, " n"]


def new_autoencoder(
    space: Space, *, width: int = 64, layers: int = 3, seed: int = 0
) -> Autoencoder:
    """Makes an untrained network.

    Args:
        space: The space.
        width: Channels of a node.
        layers: Rounds of messages.
        seed: Of the initial weights.

    Example:
        >>> from vitruvius.spaces import space
        >>> new_autoencoder(space("nasbench201"), width=8).schema.name
        'nasbench201'
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "autoencoder"))
        return Autoencoder(Schema.of(space), width=width, layers=layers)


def train_autoencoder(
    network: Autoencoder,
    space: Space,
    rows: Int[Tensor, "A V"],
    *,
    labelled: Labelled | None = None,
    trade_off: float = 0.8,
    steps: int = 1000,
    learning_rate: float = 3e-3,
    seed: int = 0,
    checkpoint: Path | None = None,
    show: bool = False,
) -> list[float]:
    """Trains encoder, performance predictor and decoder together.

    Minimises ``trade_off * L_pp + (1 - trade_off) * L_rec`` (NAO, eq. 1): the squared error of the
    predicted performance, and the cross-entropy of every choice given the embedding, to which a
    little noise is added so that decoding is smooth. Architectures are read in random isomorphic
    encodings (NAO, section 3.2: symmetric architectures); each has to be reconstructed as it was
    read, and all have the label of their class. Reconstruction needs no labels and learns from
    ``rows`` too. Without labels it is all there is.

    Args:
        network: Trained in place.
        space: The space.
        rows: Architectures to reconstruct.
        labelled: Architectures of known performance.
        trade_off: Weight of the prediction, ``lambda`` in the paper.
        steps: Optimiser steps.
        learning_rate: Peak of the warm-up and cosine schedule.
        seed: Of every random draw.
        checkpoint: Folder to keep the state in; training goes on from there if it holds one.
        show: Whether to show a progress bar.

    Returns:
        The loss of every step.

    Raises:
        UsageError: For less than one step or architecture.
        CheckpointError: Where the checkpoint is of another training or cannot be read.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> network = new_autoencoder(cells, width=8)
        >>> len(train_autoencoder(network, cells, cells.enumerate(), steps=2))
        2
    """
    if steps < 1 or not len(rows):
        raise UsageError(
            f"Training needs at least 1 step and architecture, got {steps} and {len(rows)}.",
            "Ask for one or more.",
        )
    generator = make_generator(derive_seed(seed, "autoencoding"))
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=1e-2)
    device = network.choices.device
    few = 0 if labelled is None else min(LABELLED, len(labelled.x))
    losses: list[float] = []
    stored = None
    if checkpoint is not None:
        stored = Checkpoint(checkpoint, {"seed": seed, "steps": steps, "architectures": len(rows)})
        losses, more = stored.restore(network, optimizer)
        if more:
            generator.set_state(more["generator"])
    network.train()
    with progress_bar(show=show) as bar:
        task = bar.add_task("train", total=steps, completed=len(losses))
        for step in range(len(losses), steps):
            warmup = min(1.0, (step + 1) / min(50, steps))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * step / steps))
            pick = torch.randint(len(rows), (OTHERS if few else BATCH,), generator=generator)
            x = rows[pick]
            if labelled is not None:
                chosen = torch.randint(len(labelled.x), (few,), generator=generator)
                x = torch.cat([labelled.x[chosen], x])
            x = space.shuffle(x, generator).to(device)
            embedding = network.encode(x)
            noise = torch.randn(embedding.shape, generator=generator).to(device)
            logits = network.logits(embedding + NOISE * noise)
            loss = F.cross_entropy(logits.transpose(1, 2), x)
            if labelled is not None:
                error = (network.score(embedding[:few]) - labelled.z[chosen].to(device)).square()
                predicted = (labelled.weight[chosen].to(device) * error).mean()
                loss = trade_off * predicted + (1 - trade_off) * loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()
            losses.append(float(loss.detach()))
            bar.update(task, advance=1, description=f"train {losses[-1]:.3f}")
            if stored is not None and len(losses) % EVERY == 0:
                stored.save(network, optimizer, losses, {"generator": generator.get_state()})
    network.eval()
    return losses


@lru_cache(maxsize=8)
def pretrained(space: Space, steps: int = 600) -> Autoencoder:
    """Returns a network that reconstructs a space, trained once in a process, without labels.

    Copy it before training it further.

    Args:
        space: The space.
        steps: Optimiser steps.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> pretrained(cells, 2) is pretrained(cells, 2)
        True
    """
    network = new_autoencoder(space)
    train_autoencoder(network, space, space.sample(ROWS, 0), steps=steps)
    return network
