"""The two sides of a generative adversarial network, as a trainer knows them."""

from __future__ import annotations

from typing import ClassVar

import torch
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ..space import Space
from ..task import ImageTask, Task

__all__ = ["DiscriminatorSpace", "GeneratorSpace", "generation_task"]

# Generators begin at an eighth of the resolution.
SCALE = 8


class GeneratorSpace(Space):
    """A space whose networks make images of noise (Goodfellow et al., arXiv 1406.2661).

    A module's ``forward(z)`` takes noise ``[B, latent]`` and gives images ``[B, C, H, W]`` from -1
    to 1. A conditional one takes ``forward(z, labels)``.

    Attributes:
        width: Channels.
        latent: Values of the noise.
        conditional: Whether the class of an image is given.
        published: Architectures of papers, by name.
    """

    width: int
    latent: int
    conditional: bool
    published: ClassVar[dict[str, str]]

    def example_inputs(self, task: Task, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        generator = make_generator(seed)
        z = torch.randn(batch, self.latent, generator=generator)
        return (z, _labels(task, batch, generator)) if self.conditional else (z,)


class DiscriminatorSpace(Space):
    """A space whose networks tell real images from generated ones.

    A module's ``forward(images)`` takes images ``[B, C, H, W]`` and gives scores ``[B, 1]``, high
    for real ones. A conditional one takes ``forward(images, labels)``.

    Attributes:
        width: Channels.
        conditional: Whether the class of an image is given.
        published: Architectures of papers, by name.
    """

    auxiliary = True
    width: int
    conditional: bool
    published: ClassVar[dict[str, str]]

    def example_inputs(self, task: Task, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        generator = make_generator(seed)
        (images,) = task.inputs(batch, generator)
        return (images, _labels(task, batch, generator)) if self.conditional else (images,)


def generation_task(task: Task) -> ImageTask:
    """Returns the task of a generator, whose images have sides that are multiples of 8.

    Args:
        task: The task.

    Raises:
        UsageError: For no images, or another resolution.
    """
    if not isinstance(task, ImageTask) or task.resolution % SCALE:
        raise UsageError(
            f"Generators make images whose side is a multiple of {SCALE}, asked for {task}.",
            "Choose a resolution such as 32.",
        )
    return task


def _labels(task: Task, batch: int, generator: torch.Generator) -> Tensor:
    return torch.randint(task.classes, (batch,), generator=generator)
