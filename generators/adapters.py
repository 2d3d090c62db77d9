"""Low-rank adapters: a trained generator is moved to a new task by a few weights."""

from __future__ import annotations

from copy import deepcopy

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ..core.errors import UsageError
from ..core.seeding import derive_seed, make_generator
from ..spaces import Space
from .diffusion import GraphDiffusion
from .training import Source, Trainer

__all__ = ["adapt"]

# Draws from the weighted architectures that adapters learn from.
DRAWN = 16_384


class LowRank(nn.Module):
    """A matrix plus a product of two thin ones, of which the first is zero to begin with.

    Args:
        weight: The matrix, which only says the shape.
        rank: Columns of the thin ones.
        generator: Source of randomness.
    """

    def __init__(self, weight: Float[Tensor, "O I"], rank: int, generator: torch.Generator) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.zeros(len(weight), rank))
        down = torch.randn(rank, weight.shape[1], generator=generator) / weight.shape[1] ** 0.5
        self.down = nn.Parameter(down)

    def forward(self, weight: Float[Tensor, "O I"]) -> Float[Tensor, "O I"]:
        return weight + self.up @ self.down


def adapt(
    generator: GraphDiffusion,
    space: Space,
    rows: Int[Tensor, "A V"],
    weights: Float[Tensor, " A"],
    *,
    rank: int = 8,
    steps: int = 400,
    learning_rate: float = 1e-2,
    seed: int = 0,
    show: bool = False,
) -> GraphDiffusion:
    """Teaches a copy of a generator to propose some architectures more often than others.

    Every linear map of the transformer gets a low-rank term (LoRA, Hu et al., ICLR 2022, arXiv
    2106.09685, eq. 3); only these learn, by the generator's own denoising loss, on draws of the
    weighted architectures. Then they are added to the weights, so that what is saved is a generator
    like any other. What the network knows of the space's grammar stays, as few directions of its
    weights can move; conditions can be asked for as before.

    Args:
        generator: The trained generator, left as it is.
        space: One of its spaces.
        rows: Architectures to learn from.
        weights: How often each should be proposed, relative to the others.
        rank: Of the adapters.
        steps: Optimiser steps.
        learning_rate: Peak of the warm-up and cosine schedule.
        seed: Of draws and initial weights.
        show: Whether to show a progress bar.

    Raises:
        UsageError: For weights that are negative, not finite, or all 0; or a rank below 1.
        UnknownNameError: For a space it was not trained for.

    Example:
        >>> from vitruvius.generators import load
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.enumerate()
        >>> small = (cells.statistics(x)["params"] < 2e5).double()
        >>> adapted = adapt(load("nasbench201"), cells, x, small, steps=2)
        >>> adapted.propose(cells, 3, seed=0).x.shape
        torch.Size([3, 6])
    """
    usable = bool(weights.isfinite().all()) and bool((weights >= 0).all())
    if not usable or not bool(weights.sum() > 0):
        raise UsageError(
            f"Expected {len(rows)} weights that are 0 or more and not all 0, got some from "
            f"{float(weights.min())} to {float(weights.max())}.",
            "Give every architecture a finite weight.",
        )
    if rank < 1:
        raise UsageError(f"`rank` must be at least 1, got {rank}.", "8 is the default.")
    chance = make_generator(derive_seed(seed, "adapters"))
    drawn = torch.multinomial(weights.double(), DRAWN, replacement=True, generator=chance)
    denoiser = deepcopy(generator.denoiser)
    denoiser.space_index(space.name)
    denoiser.requires_grad_(False)
    maps = [each for each in denoiser.blocks.modules() if isinstance(each, nn.Linear)]
    for each in (*maps, denoiser.modulate_out):
        term = LowRank(each.weight, rank, chance).to(each.weight.device)
        parametrize.register_parametrization(each, "weight", term)
    denoiser.bias_out.requires_grad_(True)
    source = Source(space, rows[drawn])
    Trainer(
        denoiser, [source], steps=steps, learning_rate=learning_rate, ema=0.98, seed=seed, show=show
    ).run()
    for each in (*maps, denoiser.modulate_out):
        parametrize.remove_parametrizations(each, "weight", leave_parametrized=True)
    denoiser.requires_grad_(True)
    return GraphDiffusion(denoiser, deepcopy(generator.scheduler))
