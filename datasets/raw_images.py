"""Images that are to be classified or told a number of."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from ..core.errors import UsageError
from ..core.npz import Column
from ..spaces.task import ImageTask
from .labelled import Labelled, check_targets

__all__ = ["RawImages", "as_bytes", "channels_first"]

CHANNELS = range(1, 5)


@dataclass(frozen=True, eq=False)
class RawImages(Labelled):
    """Images with a class or targets each.

    Args:
        images: Grey levels or colours, 0 to 255.
        labels: Class of every image, or its targets.
        splits: See `Labelled`.
        class_names: See `Labelled`.
        notes: See `Labelled`.

    Raises:
        UsageError: Where there is not one label for every image, or one is negative.

    Example:
        >>> images = torch.zeros(4, 3, 8, 8, dtype=torch.uint8)
        >>> task = RawImages(images, torch.tensor([0, 1, 0, 1])).task
        >>> task.classes, task.channels, task.resolution
        (2, 3, 8)
    """

    images: UInt8[Tensor, "_n C H W"]
    labels: Int[Tensor, " _m"] | Float[Tensor, "_m ..."]

    def __post_init__(self) -> None:
        check_targets(self.labels, len(self.images), "image")

    @property
    def training(self) -> RawImages:
        """Those of the given training part; all where no parts were given."""
        if self.splits is None:
            return self
        part = self.splits.train
        # Images that lie side by side are not copied.
        first, last = int(part.min()), int(part.max()) + 1
        chosen = slice(first, last) if last - first == len(part) else part
        return replace(self, images=self.images[chosen], labels=self.labels[chosen], splits=None)

    @property
    def task(self) -> ImageTask:
        """What an architecture for it is built for; its resolution is the height."""
        channels, height = self.images.shape[1:3]
        return ImageTask(classes=self.classes, channels=channels, resolution=height)


def as_bytes(images: Column) -> tuple[UInt8[np.ndarray, "..."], tuple[str, ...]]:
    """Takes images of any type of number, and says how their values were read.

    Args:
        images: Whole numbers from 0 to 255, or floats from 0 to 1 or 0 to 255.

    Raises:
        UsageError: For other values.

    Example:
        >>> as_bytes(np.array([0.0, 0.5, 1.0]))[0].tolist()
        [0, 128, 255]
    """
    if images.dtype == np.uint8 or not images.size:
        return images.astype(np.uint8, copy=False), ()
    if images.dtype.kind not in "iuf":
        raise UsageError(f"images are of type {images.dtype}.", "Save them as bytes, 0 to 255.")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 255):  # NaN is neither
        raise UsageError(
            f"images are of type {images.dtype}, with values from {low:g} to {high:g}.",
            "Save them as bytes, 0 to 255, or as floats from 0 to 1; trainers standardise them.",
        )
    if images.dtype.kind != "f":
        return images.astype(np.uint8), ()
    factor = 255 if high <= 1 else 1
    said = f"Images are floats from {low:g} to {high:g}, read as levels of 0 to {255 // factor}."
    return np.rint(images * np.float32(factor)).astype(np.uint8), (said,)


def channels_first(images: Column) -> UInt8[Tensor, "N C H W"]:
    """Takes images as bytes, with or without channels, which may come last.

    Args:
        images: ``[N, H, W]``, ``[N, H, W, C]`` or ``[N, C, H, W]``.

    Raises:
        UsageError: For another type or shape.
    """
    if images.dtype != np.uint8:
        raise UsageError(f"images are of type {images.dtype}.", "Save them as bytes, 0 to 255.")
    if images.ndim == 3:
        images = images[:, None]
    elif images.ndim == 4 and images.shape[3] in CHANNELS:
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1] not in CHANNELS:
        raise UsageError(
            f"images have the shape {images.shape}.",
            "Save them as [N, H, W], [N, H, W, C] or [N, C, H, W] with at most 4 channels.",
        )
    return torch.from_numpy(np.ascontiguousarray(images))
