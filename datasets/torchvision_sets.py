"""Data sets of torchvision, by the names of their classes."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from ..core.errors import MissingExtraError, TableError, UnknownNameError, UsageError
from ..core.optional import optional_import
from .cache import cache_folder
from .image_cache import Source, decode
from .labelled import Splits
from .raw_images import RawImages

__all__ = ["torchvision_set"]

# What torchvision calls the parts where a data set takes `split`.
PARTS = {"train": ("train", "trainval", "train_noval"), "val": ("val", "valid"), "test": ("test",)}


def torchvision_set(
    name: str = "",
    *,
    root: str = "",
    resolution: int | None = None,
    skip_corrupt: bool = False,
) -> RawImages:
    """Reads a data set of torchvision, and downloads it where it is not on disk.

    Args:
        name: Name of its class, in any case, e.g. ``"CIFAR10"``.
        root: Folder that holds it; by default one in the `cache_folder`.
        resolution: Height and width to fit all images to.
        skip_corrupt: Leaves out images that cannot be read, and says how many.

    Raises:
        MissingExtraError: Without torchvision, or with one that does not go with torch.
        UnknownNameError: For another name.
        TableError: Where it cannot be downloaded.
        UsageError: For a data set that is none of images with one class each.
    """
    try:
        sets = optional_import("torchvision.datasets", extra="vision")
    except (OSError, RuntimeError) as error:  # of a build for another version of torch
        raise MissingExtraError(
            f"The installed torchvision does not go with torch {torch.__version__}: {error}.",
            "Install both from one index, see https://pytorch.org/get-started/locally.",
        ) from error
    known = [each for each in sets.__all__ if each not in ("FakeData", "ImageFolder")]
    name = {each.lower(): each for each in known}.get(name.lower(), name)
    if name not in known:
        raise UnknownNameError.of("data set of torchvision", name, known)
    made = {
        part: data
        for part in PARTS
        if (data := _part(getattr(sets, name), part, root or cache_folder() / "torchvision"))
    }
    if not made:
        raise UsageError(f"torchvision makes no training part of {name}.", "Save it as a folder.")
    labels, sources, parts = [], [], []
    for part, data in made.items():
        targets = _targets(name, data)
        labels += targets
        parts += [part] * len(targets)
        sources += [
            Source(f"{part}/{place}", partial(_image, data, place)) for place in range(len(targets))
        ]
    decoded = decode(sources, resolution, skip_corrupt=skip_corrupt)
    kept = [parts[place] for place in decoded.kept]
    names = getattr(next(iter(made.values())), "classes", None) or ()
    return RawImages(
        decoded.images,
        torch.tensor([labels[place] for place in decoded.kept]),
        splits=Splits.of_names(kept),
        class_names=tuple(str(each) for each in names),
        notes=decoded.notes,
    )


def _part(kind: Callable[..., Any], part: str, root: str | Path) -> Any | None:
    """One part of a data set; None where torchvision has none by that name."""
    takes = inspect.signature(kind).parameters
    options = {"download": True} if "download" in takes else {}
    if "train" in takes:
        return None if part == "val" else _made(kind, root, train=part == "train", **options)
    if "split" not in takes:
        return _made(kind, root, **options) if part == "train" else None
    for called in PARTS[part]:
        try:
            return _made(kind, root, split=called, **options)
        except ValueError:  # no such split
            continue
    return None


def _made(kind: Callable[..., Any], root: str | Path, **options: Any) -> Any:
    try:
        return kind(str(root), **options)
    except (OSError, RuntimeError) as error:
        raise TableError(
            f"The data set is not in {root}, and cannot be downloaded: {error}.",
            "Give the folder that holds it: root=FOLDER.",
        ) from error


def _targets(name: str, data: Any) -> list[int]:
    for attribute in ("targets", "labels", "_labels"):
        found = getattr(data, attribute, None)
        if found is not None and len(found) == len(data):
            break
    else:
        found = [data[place][1] for place in range(len(data))]
    try:
        return [int(target) for target in found]
    except (TypeError, ValueError):
        raise UsageError(
            f"{name} does not have one class for each image.",
            "Save its images in a folder, one folder a class.",
        ) from None


def _image(data: Any, place: int) -> Image.Image:
    image: Image.Image = data[place][0]
    return image
