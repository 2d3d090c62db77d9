"""What a set of images is like as a task: statistics, and a learned embedding of the set.

Zaheer et al., Deep Sets, 2017 (arXiv 1703.06114); Jomaa, Schmidt-Thieme & Grabocka, Dataset2Vec,
2021 (arXiv 1905.11063); Lee, Hyung & Hwang, MetaD2A, 2021 (arXiv 2107.00860).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...core.errors import CheckpointError, UsageError
from ...core.seeding import derive_seed, make_generator
from ...datasets.raw_data import RawImages
from .task_description import TaskDescription

__all__ = ["ImageSetEncoder", "describe_images", "sub_task", "train_image_encoder"]

SIDE, PATCH = 16, 4
CHUNK = 4096
# Of training: sub-tasks a step, images a batch, and the most classes of a sub-task.
TASKS, BATCH, CLASSES = 12, 48, 10
RATE = 3e-3
CONFIG, WEIGHTS = "config.json", "model.safetensors"


class ImageSetEncoder(nn.Module):
    """Embeds a set of labelled images, whatever their order and the names of their classes.

    1. Every image is brought to 16 × 16 pixels and three channels; a layer over patches of 4 × 4
       and one over all patches give ``g(x)``.
    2. Per class ``k``: ``c_k = f(mean of g(x), standard deviation of g(x))``.
    3. Over classes: ``h(mean of c_k, standard deviation of c_k)``.

    Sizes of the set and of its classes do not enter; statistics tell those.

    Args:
        width: Channels and hidden units.
        size: Numbers in an embedding.

    Example:
        >>> encoder = ImageSetEncoder(width=8, size=4)
        >>> images = torch.zeros(6, 1, 28, 28, dtype=torch.uint8)
        >>> encoder(images, torch.tensor([0, 0, 1, 1, 2, 2])).shape
        torch.Size([4])
    """

    def __init__(self, *, width: int = 32, size: int = 16) -> None:
        super().__init__()
        self.width, self.size = width, size
        self.image = nn.Sequential(
            nn.Conv2d(3, width, PATCH, stride=PATCH),
            nn.SiLU(),
            nn.Flatten(),
            nn.Linear((SIDE // PATCH) ** 2 * width, width),
            nn.SiLU(),
        )
        self.of_class = nn.Sequential(
            nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.of_set = nn.Sequential(nn.Linear(2 * width, width), nn.SiLU(), nn.Linear(width, size))

    def forward(
        self, images: UInt8[Tensor, "N C H W"], labels: Int[Tensor, " N"]
    ) -> Float[Tensor, " D"]:
        """Embeds one set.

        Args:
            images: Grey levels or colours, on any device.
            labels: Class of every image, any numbers.
        """
        device = next(self.parameters()).device
        images, labels = images.to(device), labels.to(device)
        parts = [self.image((_small(chunk) - 0.5) / 0.25) for chunk in images.split(CHUNK)]
        _, place, count = labels.unique(return_inverse=True, return_counts=True)
        classes = self.of_class(_mean_and_deviation(torch.cat(parts), place, count))
        one = torch.zeros(len(classes), dtype=torch.long, device=classes.device)
        return self.of_set(
            _mean_and_deviation(classes, one, torch.tensor([len(classes)], device=one.device))
        )[0]

    def save(self, folder: str | Path) -> None:
        """Saves it as safetensors and JSON.

        Args:
            folder: Made where it is missing.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / CONFIG).write_text(json.dumps({"width": self.width, "size": self.size}))
        save_file(self.state_dict(), folder / WEIGHTS)

    @classmethod
    def load(cls, folder: str | Path) -> ImageSetEncoder:
        """Loads what `save` wrote.

        Args:
            folder: The folder.

        Raises:
            CheckpointError: Where it is missing, broken or of another kind.
        """
        folder = Path(folder)
        try:
            config = json.loads((folder / CONFIG).read_text())
            encoder = cls(width=config["width"], size=config["size"])
            encoder.load_state_dict(load_file(folder / WEIGHTS))
        except (
            LookupError,
            OSError,
            RuntimeError,
            SafetensorError,
            TypeError,
            ValueError,
        ) as error:
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            raise CheckpointError(
                f"{folder} holds no encoder of images: {reason}.",
                "Give a folder that `ImageSetEncoder.save` wrote.",
            ) from error
        return encoder


def train_image_encoder(
    images: Sequence[RawImages], steps: int = 300, seed: int = 0
) -> ImageSetEncoder:
    """Trains an encoder to tell whether two batches are of one data set; no accuracy is needed.

    The auxiliary task of Dataset2Vec: batches ``a``, ``b`` are of one data set with probability
    ``exp(-|e_a - e_b|²)``, trained by cross-entropy, where both outcomes weigh the same. Data sets
    are sub-tasks of those given: some of the classes, at times in grey, at times at a lower
    resolution; batches of one sub-task share no image.

    Args:
        images: Data sets, at least one of them with two classes.
        steps: Optimiser steps, of 24 batches each.
        seed: Of weights and sub-tasks.

    Raises:
        UsageError: For no data set, one of a single image, or no step.

    Example:
        >>> pixels = torch.randint(256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0))
        >>> noise = RawImages(pixels.byte(), torch.arange(40) % 4)
        >>> train_image_encoder([noise], steps=1)(noise.images, noise.labels).shape
        torch.Size([16])
    """
    images = [each.training for each in images]
    if steps < 1 or not images or min(len(each.images) for each in images) < 2:
        raise UsageError(
            f"Training takes at least one step and data sets of two or more images, got {steps} "
            f"steps and {len(images)} data sets of {[len(each.images) for each in images]} images.",
            "Give more.",
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(seed, "image encoder"))
        encoder = ImageSetEncoder()
    generator = make_generator(derive_seed(seed, "sub-tasks"))
    optimizer = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=1e-2)
    same = torch.eye(TASKS, dtype=torch.bool).repeat(2, 2)
    pairs = torch.ones_like(same).triu(1)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / steps))
        halves: tuple[list[Tensor], list[Tensor]] = ([], [])
        for _ in range(TASKS):
            whole = sub_task(images[_below(len(images), generator)], generator, 2 * BATCH)
            order = torch.randperm(len(whole.images), generator=generator)
            for half, place in zip(halves, order.chunk(2), strict=True):
                half.append(encoder(whole.images[place], whole.labels[place]))
        embedding = torch.stack(halves[0] + halves[1])
        distance = (embedding[:, None] - embedding[None]).square().sum(-1)
        other = -torch.log(-torch.expm1(-distance[pairs & ~same].clamp(min=1e-6)))
        loss = distance[pairs & same].mean() + other.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return encoder


def sub_task(images: RawImages, generator: torch.Generator, n: int = 2 * BATCH) -> RawImages:
    """Draws a task that is part of a data set: some classes, maybe in grey, maybe coarser.

    Args:
        images: The data set, of at least two images.
        generator: Source of randomness.
        n: Most images of the part.

    Example:
        >>> pixels = torch.zeros(40, 3, 8, 8, dtype=torch.uint8)
        >>> part = sub_task(RawImages(pixels, torch.arange(40) % 8), torch.Generator(), 6)
        >>> len(part.images)
        6
    """
    classes = torch.unique(images.labels)
    most = min(len(classes), CLASSES)
    count = min(2, most) + _below(most - min(2, most) + 1, generator)
    chosen = classes[torch.randperm(len(classes), generator=generator)[:count]]
    members = torch.isin(images.labels, chosen).nonzero()[:, 0]
    members = members[torch.randperm(len(members), generator=generator)[:n]]
    pixels = images.images[members]
    if pixels.shape[1] == 3 and _below(3, generator) == 0:
        pixels = pixels.float().mean(1, keepdim=True).byte()
    if _below(3, generator) == 0:
        height, width = pixels.shape[2:]
        coarse = F.interpolate(pixels.float(), (-(-height // 2), -(-width // 2)), mode="area")
        pixels = coarse.byte()
    return RawImages(pixels, images.labels[members])


@torch.no_grad()
def describe_images(images: RawImages, encoder: ImageSetEncoder | None = None) -> TaskDescription:
    """Describes the classification of images by statistics and, given an encoder, its embedding.

    Neither the order of images nor the names of classes count. What a set does not have
    (separability with a single class, or of a regression) is left out. Of parts that were given,
    that to train on counts.

    ===============================  ===========================================================
    ``log images``, ``log classes``  sizes, on a logarithmic scale
    ``log resolution``               of an image, on a logarithmic scale
    ``channels``                     of an image
    ``balance``                      entropy of labels over its maximum
    ``mean 0`` to ``mean 2``,        of red, green and blue, from 0 to 1, at 16 × 16 pixels
    ``deviation 0`` to …             standard deviations of the same
    ``colour``                       mean standard deviation of a pixel over its channels
    ``smoothness``,                  correlation of neighbouring pixels within an image, as it is
    ``coarse smoothness``            and at 16 × 16 pixels
    ``separability``                 how often the nearest mean of a class, the image itself left
                                     out, is that of its own: 0 by chance, 1 always, classes
                                     weighing the same
    ``embedding 0`` to …             by the encoder
    ===============================  ===========================================================

    Args:
        images: The images.
        encoder: As `train_image_encoder` returns it. Descriptions are compared by value, so that
            all have to be by the same.

    Example:
        >>> pixels = torch.randint(256, (40, 3, 8, 8), generator=torch.Generator().manual_seed(0))
        >>> said = describe_images(RawImages(pixels.byte(), torch.arange(40) % 4)).values
        >>> round(said["mean 0"], 1), abs(said["smoothness"]) < 0.05, said["balance"]
        (0.5, True, 1.0)
    """
    images = images.training
    pixels = torch.cat([_small(chunk) for chunk in images.images.split(CHUNK)])
    first, second = (pixels.pow(power).mean((2, 3)).double().mean(0) for power in (1, 2))
    deviation = (second - first.square()).clamp(min=0).sqrt()
    # Targets of a regression are of no class.
    labels = torch.zeros(len(pixels)).long() if images.regression else images.labels
    _, place, count = labels.unique(return_inverse=True, return_counts=True)
    said = {
        "log images": math.log(len(pixels)),
        "log classes": math.log(images.classes),
        "log resolution": math.log(images.task.resolution),
        "channels": images.task.channels,
        "colour": pixels.std(1, correction=0).mean((1, 2)).double().mean().item(),
        "smoothness": _smoothness(chunk.float() for chunk in images.images.split(CHUNK)),
        "coarse smoothness": _smoothness([pixels]),
        **{f"mean {channel}": value for channel, value in enumerate(first.tolist())},
        **{f"deviation {channel}": value for channel, value in enumerate(deviation.tolist())},
    }
    if len(count) > 1:
        entropy = torch.special.entr(count.double() / count.sum()).sum().item()
        said["balance"] = entropy / math.log(len(count))
        said["separability"] = _separability(pixels.flatten(1), place, count)
    if encoder is not None:
        embedding = encoder(images.images, labels)
        said |= {f"embedding {i}": value for i, value in enumerate(embedding.tolist())}
    known = {name: float(value) for name, value in said.items() if math.isfinite(value)}
    return TaskDescription("image", known)


def _small(images: UInt8[Tensor, "N C H W"]) -> Float[Tensor, "N 3 16 16"]:
    """Brings images to 16 × 16 pixels, from 0 to 1, in colour; other channels become their mean."""
    scaled = F.interpolate(images.float() / 255, (SIDE, SIDE), mode="area")
    if scaled.shape[1] != 3:
        scaled = scaled.mean(1, keepdim=True).expand(-1, 3, -1, -1)
    return scaled


def _smoothness(parts: Iterable[Float[Tensor, "_ C H W"]]) -> float:
    """Correlation of neighbours within an image; NaN where every image is of one colour."""
    variance, apart = 0.0, 0.0
    for chunk in parts:
        variance += 2 * chunk.var((2, 3), correction=0).double().sum().item()
        steps = [chunk.diff(dim=axis).square().mean((2, 3)).double().sum() for axis in (2, 3)]
        apart += torch.stack(steps).nanmean().item()
    return 1 - apart / variance if variance else math.nan


def _separability(
    x: Float[Tensor, "N D"], place: Int[Tensor, " N"], count: Int[Tensor, " C"]
) -> float:
    sums = torch.zeros(len(count), x.shape[1], dtype=torch.float64).index_add(0, place, x.double())
    means = (sums / count[:, None]).float()
    # Without x, a mean of n is further from it by n / (n - 1).
    factor = (count / (count - 1).clamp(min=0)).square()
    found = []
    for rows, own in zip(x.split(CHUNK), place.split(CHUNK), strict=True):
        distance = torch.cdist(rows, means).square()
        at = torch.arange(len(rows))
        distance[at, own] *= factor[own]
        found.append(distance.argmin(1) == own)
    hits = torch.zeros(len(count)).index_add(0, place, torch.cat(found).float()) / count
    chance = 1 / len(count)
    return (hits.mean().item() - chance) / (1 - chance)


def _mean_and_deviation(
    values: Float[Tensor, "N D"], place: Int[Tensor, " N"], count: Int[Tensor, " C"]
) -> Float[Tensor, "C _"]:
    """Mean and standard deviation of the rows of every place."""
    zeros = values.new_zeros(len(count), values.shape[1])
    mean = zeros.index_add(0, place, values) / count[:, None]
    square = zeros.index_add(0, place, (values - mean[place]).square()) / count[:, None]
    return torch.cat([mean, (square + 1e-6).sqrt()], 1)


def _below(n: int, generator: torch.Generator) -> int:
    return int(torch.randint(n, (), generator=generator))
