"""Augmentation of batches of tensors, on the device where they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["augmented", "mixed"]

# Side of the border that crops move within, and of the square that is cut out, of the image's.
BORDER, HOLE = 8, 2
# Largest change of brightness, contrast and saturation.
COLOUR = 0.4


def augmented(
    images: Float[Tensor, "B C H W"], names: Sequence[str], generator: torch.Generator
) -> Float[Tensor, "B C H W"]:
    """Changes every image of a batch in its own way.

    ``crop`` moves it by up to an eighth of its side, with zeros around; ``flip`` mirrors half of
    them; ``colour`` scales brightness, contrast and saturation by .6 to 1.4; ``cutout`` sets a
    square of half the side to zero (arXiv 1708.04552). Zero is the mean, for images come
    normalised.

    Args:
        images: The batch.
        names: What to do, in the order above.
        generator: On the device of the batch.

    Example:
        >>> images = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> torch.equal(augmented(images, [], torch.Generator()), images)
        True
    """
    if "crop" in names:
        images = _cropped(images, generator)
    if "flip" in names:
        mirror = _uniform(images, generator)[:, None, None, None] < 0.5
        images = torch.where(mirror, images.flip(3), images)
    if "colour" in names:
        images = _coloured(images, generator)
    if "cutout" in names:
        images = _cut_out(images, generator)
    return images


def mixed(images: Tensor, alpha: float, generator: torch.Generator) -> tuple[Tensor, Tensor, float]:
    """Mixes every example with another (mixup, arXiv 1710.09412).

    Args:
        images: A batch of images or series.
        alpha: Parameter of the Beta distribution that the share is drawn from.
        generator: On the device of the batch.

    Returns:
        The mixtures, the position of every other example, and the share of the first.
    """
    seed = int(torch.randint(1 << 62, (), generator=generator, device=generator.device))
    share = float(np.random.default_rng(seed).beta(alpha, alpha))
    order = torch.randperm(len(images), generator=generator, device=images.device)
    return torch.lerp(images[order], images, share), order, share


def _uniform(images: Tensor, generator: torch.Generator, *more: int) -> Tensor:
    shape = (len(images), *more)
    return torch.rand(shape, generator=generator, device=images.device)


def _cropped(images: Tensor, generator: torch.Generator) -> Tensor:
    count, _, height, width = images.shape
    border = max(1, height // BORDER)
    padded = F.pad(images, (border, border, border, border))
    start = (_uniform(images, generator, 2) * (2 * border + 1)).long()
    rows = start[:, :1] + torch.arange(height, device=images.device)
    columns = start[:, 1:] + torch.arange(width, device=images.device)
    each = torch.arange(count, device=images.device)[:, None, None]
    cropped = padded.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return cropped.permute(0, 3, 1, 2)


def _coloured(images: Tensor, generator: torch.Generator) -> Tensor:
    scale = 1 + COLOUR * (2 * _uniform(images, generator, 3, 1, 1, 1) - 1)
    brightness, contrast, saturation = scale.unbind(1)
    images = images * brightness
    mean = images.mean((1, 2, 3), keepdim=True)
    images = torch.lerp(mean, images, contrast)
    return torch.lerp(images.mean(1, keepdim=True), images, saturation)


def _cut_out(images: Tensor, generator: torch.Generator) -> Tensor:
    height, width = images.shape[2:]
    centre = _uniform(images, generator, 2)
    inside = [
        (torch.arange(side, device=images.device) - (centre[:, axis, None] * side).floor()).abs()
        < side / HOLE / 2
        for axis, side in enumerate((height, width))
    ]
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]
    return images.masked_fill(hole, 0.0)
