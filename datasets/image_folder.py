"""Folders of images, one folder a class, in parts where there are folders of parts."""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from ..core.errors import UsageError
from .image_cache import Source, decode
from .labelled import Splits
from .raw_images import RawImages

__all__ = ["read_image_folder"]

_SAY = logging.getLogger(__name__)
SUFFIXES = {
    *(".avif", ".bmp", ".dib", ".gif", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg"),
    *(".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tga", ".tif", ".tiff", ".webp"),
}
# Parts of a data set, and what their folders are called. Where there is nothing to train on, the
# first that is there is.
PARTS = {
    "train": ("train", "training", "trn"),
    "val": ("val", "valid", "validation", "dev"),
    "test": ("test", "testing", "tst"),
}
PART_OF = {name: part for part, names in PARTS.items() for name in names}
# What archives and file managers leave behind.
LITTER = {"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin"}

# Folders below the root, then the file.
_Place = tuple[str, ...]


def read_image_folder(
    path: Path, *, resolution: int | None = None, skip_corrupt: bool = False
) -> RawImages:
    """Reads images from a folder that holds one folder a class.

    1. Hidden files and folders, and files of other kinds, are skipped.
    2. Where the folders are ``train``, ``val`` and ``test`` (in any case, also by longer names),
       they are the parts, and each holds the folders of the classes; a single folder around them is
       stepped into.
    3. All images are decoded once, into a file that is mapped into memory: see `decode`. Of several
       sizes, all are fitted to the smallest side.

    What was skipped and a strong loss of resolution are among the notes of the result.

    Args:
        path: The folder.
        resolution: Height and width to fit all images to.
        skip_corrupt: Leaves out images that cannot be read, and says how many.

    Raises:
        UsageError: Where it holds no images, no classes, or an image that cannot be read.
    """
    found = _Found.of(path)
    parts = _parts(path.name, found.images)
    places = [(part, depth, place) for part, (depth, own) in parts.items() for place in own]
    notes = []
    skipped = {
        "hidden": found.hidden,
        "beside the classes": len(found.images) - len(places),
        **found.kinds,
    }
    if any(skipped.values()):
        said = ", ".join(f"{count} {what}" for what, count in skipped.items() if count)
        notes.append(f"Files skipped: {said}.")
    if found.empty:
        notes.append(f"Empty folders: {', '.join(found.empty)}.")
    sources = [Source("/".join(place), path.joinpath(*place).read_bytes) for _, _, place in places]
    decoded = decode(sources, resolution, skip_corrupt=skip_corrupt)
    kept = [places[place] for place in decoded.kept]
    names = sorted({place[depth] for _, depth, place in places})
    if not {"", "train"} & set(parts):
        notes.append(f"There is no train folder; {next(iter(parts))} is trained on.")
    number = {name: place for place, name in enumerate(names)}
    return RawImages(
        decoded.images,
        torch.tensor([number[place[depth]] for _, depth, place in kept]),
        splits=None if "" in parts else Splits.of_names([part for part, _, _ in kept]),
        class_names=tuple(names),
        notes=(*notes, *decoded.notes),
    )


@dataclass(frozen=True)
class _Found:
    """What a folder holds: places of images, empty folders, and how many files of other kinds."""

    images: list[_Place]
    empty: list[str]
    hidden: int
    kinds: dict[str, int]

    @classmethod
    def of(cls, root: Path) -> _Found:
        images: list[_Place] = []
        empty: list[str] = []
        hidden, kinds = 0, Counter[str]()
        for folder, folders, files in os.walk(root):
            parts = Path(folder).relative_to(root).parts
            if not (folders or files or any(part.startswith(".") for part in parts)):
                empty.append("/".join(parts))
            for name in files:
                place = (*parts, name)
                if any(part.startswith(".") or part.lower() in LITTER for part in place):
                    hidden += 1
                elif (suffix := Path(name).suffix.lower()) in SUFFIXES:
                    images.append(place)
                else:
                    kinds[suffix or "without suffix"] += 1
        return cls(sorted(images), sorted(empty), hidden, dict(sorted(kinds.items())))


def _parts(name: str, places: Sequence[_Place]) -> dict[str, tuple[int, list[_Place]]]:
    """Of every part, how deep the folders of its classes lie, and the images in these.

    Without parts, there is one that is called "".
    """
    depth = 0
    while True:
        below = [place for place in places if len(place) > depth + 1]
        if not below:
            raise UsageError(
                "the folder holds no images in folders.",
                "Put them into one folder a class: cats/1.png.",
            )
        nested = {place[depth]: False for place in below}
        for place in below:
            nested[place[depth]] |= len(place) > depth + 2
        called = {head: PART_OF[head.lower()] for head in nested if head.lower() in PART_OF}
        heads = {head: part for head, part in called.items() if nested[head]}
        if called and len(called) == len(nested) and not heads:
            raise UsageError(
                f"the folders {', '.join(sorted(nested))} are parts of a data set without classes.",
                "Put the images of each class into a folder of their own: train/cats/1.png.",
            )
        if heads and ("train" in heads.values() or len(called) == len(nested)):
            break
        if len(nested) > 1 or any(len(place) == depth + 2 for place in below):
            return {"": (depth, below)}
        _SAY.info("%s: the classes are read from %s.", name, next(iter(nested)))
        places, depth = below, depth + 1
    of_part = {
        part: [place for place in below if heads.get(place[depth]) == part] for part in PARTS
    }
    return {part: _within(own, depth + 1) for part, own in of_part.items() if own}


def _within(places: Sequence[_Place], depth: int) -> tuple[int, list[_Place]]:
    """Steps into single folders around the classes of a part."""
    while True:
        below = [place for place in places if len(place) > depth + 1]
        heads = {place[depth] for place in below}
        if len(heads) != 1 or any(len(place) == depth + 2 for place in below):
            return depth, below
        depth += 1
