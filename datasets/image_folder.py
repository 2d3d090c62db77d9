"""Folders of images, one folder a class."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from PIL import Image, ImageOps

from ..core.errors import UsageError
from .raw_images import RawImages, channels_first

__all__ = ["read_image_folder"]

_SAY = logging.getLogger(__name__)
SUFFIXES = {
    *(".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
}
# Parts of a data set, in the order in which one is taken: the test part only where it is alone.
SPLITS = (
    ("train", "training", "trn"),
    ("val", "valid", "validation", "dev"),
    ("test", "testing", "tst"),
)
SPLIT_NAMES = {name for names in SPLITS for name in names}
# What archives and file managers leave behind.
LITTER = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"}
GREY = {"1", "L"}
# Share of the usual side below which the smallest image costs a strong loss of resolution.
STRONG_LOSS = 0.5

# Folders below the root, then the file.
_Place = tuple[str, ...]


def read_image_folder(path: Path) -> RawImages:
    """Reads images from a folder that holds one folder a class.

    1. Hidden files and folders, and files of other kinds, are skipped.
    2. Where the folders are ``train``, ``val`` or ``test`` (in any case, also by longer names), the
       first that is there is stepped into; a single folder around the classes, too.
    3. Sizes are read from the headers. Of several, all are fitted to the smallest side. Then one
       image after the other is decoded, so that memory grows with the result alone.

    What was skipped, the part that was taken and a strong loss of resolution are logged.

    Args:
        path: The folder.

    Raises:
        UsageError: Where it holds no images, no classes, or an image that cannot be read.
    """
    found = _Found.of(path)
    within, places = _classes(found.images)
    if within:
        _SAY.info("%s: the classes are read from %s.", path.name, "/".join(within))
    other = len(found.images) - len(places)
    skipped = {"hidden": found.hidden, "beside the classes": other, **found.kinds}
    if any(skipped.values()):
        said = ", ".join(f"{count} {what}" for what, count in skipped.items() if count)
        _SAY.warning("%s: files skipped: %s.", path.name, said)
    names = sorted({place[len(within)] for place in places})
    files = [path.joinpath(*place) for place in places]
    headers = [_header(file) for file in files]
    grey = all(header.mode in GREY for header in headers)
    side = _side(path, files, headers)
    width, height = headers[0].size if side is None else (side, side)
    pixels = np.empty((len(files), height, width, 1 if grey else 3), dtype=np.uint8)
    for place, file in enumerate(files):
        with _opened(file) as image:
            converted = image.convert("L" if grey else "RGB")
        fitted = converted if side is None else ImageOps.fit(converted, (side, side))
        pixels[place] = np.asarray(fitted).reshape(pixels.shape[1:])
    labels = [names.index(place[len(within)]) for place in places]
    return RawImages(channels_first(pixels), torch.tensor(labels))


@dataclass(frozen=True)
class _Found:
    """What a folder holds: the places of its images, and how many files of which kind else."""

    images: list[_Place]
    hidden: int
    kinds: dict[str, int]

    @classmethod
    def of(cls, root: Path) -> _Found:
        images: list[_Place] = []
        hidden, kinds = 0, Counter[str]()
        for folder, _, files in os.walk(root):
            parts = Path(folder).relative_to(root).parts
            for name in files:
                place = (*parts, name)
                if any(part.startswith(".") or part.lower() in LITTER for part in place):
                    hidden += 1
                elif (suffix := Path(name).suffix.lower()) in SUFFIXES:
                    images.append(place)
                else:
                    kinds[suffix or "without suffix"] += 1
        return cls(sorted(images), hidden, dict(sorted(kinds.items())))


def _classes(places: Sequence[_Place]) -> tuple[_Place, list[_Place]]:
    """The folder that holds those of the classes, and the images in these."""
    within: _Place = ()
    while True:
        depth = len(within)
        below = [place for place in places if len(place) > depth + 1]
        if not below:
            raise UsageError(
                "the folder holds no images in folders.",
                "Put them into one folder a class: cats/1.png.",
            )
        heads = {place[depth]: False for place in below}
        for place in below:
            heads[place[depth]] |= len(place) > depth + 2
        splits = {head.lower(): head for head in heads if head.lower() in SPLIT_NAMES}
        parts = {name: head for name, head in splits.items() if heads[head]}
        if splits and len(splits) == len(heads) and not parts:
            raise UsageError(
                f"the folders {', '.join(sorted(heads))} are parts of a data set without classes.",
                "Put the images of each class into a folder of their own: train/cats/1.png.",
            )
        trains = any(name in parts for name in SPLITS[0])
        if parts and (trains or len(splits) == len(heads)):
            step = next(parts[name] for names in SPLITS for name in names if name in parts)
        elif len(heads) == 1 and all(len(place) > depth + 2 for place in below):
            step = next(iter(heads))
        else:
            return within, below
        within = (*within, step)
        places = [place for place in below if place[depth] == step]


@dataclass(frozen=True)
class _Header:
    size: tuple[int, int]
    mode: str


def _header(file: Path) -> _Header:
    with _opened(file, load=False) as image:
        return _Header(image.size, image.mode)


def _side(path: Path, files: Sequence[Path], headers: Sequence[_Header]) -> int | None:
    """The side that all images are fitted to; None where they have one size."""
    if len({header.size for header in headers}) == 1:
        return None
    sides = [min(header.size) for header in headers]
    side, usual = min(sides), median(sides)
    if side < STRONG_LOSS * usual:
        _SAY.warning(
            "%s: all images are fitted to %d x %d, the size of %s; half of them have %d or more.",
            path.name, side, side, files[sides.index(side)].name, usual,
        )  # fmt: skip
    return side


@contextmanager
def _opened(file: Path, *, load: bool = True) -> Iterator[Image.Image]:
    """An image of at most 8 bits a channel."""
    try:
        with Image.open(file) as image:
            if image.mode.startswith(("I", "F")):
                raise UsageError(f"{file.name} has more than 8 bits a channel.", "Save it with 8.")
            if load:
                image.load()
            yield image
    except UsageError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UsageError(f"{file.name} is no image: {error}.", "Leave it out.") from None
