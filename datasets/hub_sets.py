"""Data sets of images on the Hugging Face Hub."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from ..core.errors import MissingExtraError, TableError, UsageError
from ..core.optional import optional_import
from .image_cache import Source, decode
from .labelled import Splits
from .raw_images import RawImages

__all__ = ["hub_set"]

PART_OF = {"train": "train", "validation": "val", "valid": "val", "val": "val", "test": "test"}


def hub_set(
    name: str = "",
    *,
    config: str | None = None,
    image: str = "",
    label: str = "",
    resolution: int | None = None,
    skip_corrupt: bool = False,
) -> RawImages:
    """Reads a data set of images from the Hub, or from its cache on disk; no code of it is run.

    Args:
        name: As on the Hub, e.g. ``"uoft-cs/cifar10"``.
        config: Which of several configurations.
        image: Column of the images; by default the first of images.
        label: Column of the classes; by default the first of classes.
        resolution: Height and width to fit all images to.
        skip_corrupt: Leaves out images that cannot be read, and says how many.

    Raises:
        MissingExtraError: Without Hugging Face's ``datasets``.
        TableError: Where it cannot be loaded.
        UsageError: Without a name, or without columns of images and of classes.
    """
    hub = optional_import("datasets", extra="hub")
    if not hasattr(hub, "load_dataset"):  # a folder of that name is found where Python looks first
        raise MissingExtraError(
            "This needs the package 'datasets' of Hugging Face, and another one was found.",
            'Install it with: pip install "vitruvius[hub]", and run from another folder.',
        )
    if not name:
        raise UsageError("A data set of the Hub needs a name.", "Try huggingface:uoft-cs/cifar10.")
    try:
        loaded = hub.load_dataset(name, config)
    except (OSError, ValueError, RuntimeError) as error:  # the Hub's own errors are among them
        raise TableError(
            f"{name} cannot be loaded from the Hub: {error}.",
            "Is the name right, and the network up?",
        ) from error
    made = {PART_OF[part]: data for part, data in loaded.items() if part in PART_OF}
    if "train" not in made:
        raise UsageError(
            f"{name} has the parts {', '.join(loaded)}, none to train on.", "Choose another."
        )
    kinds = made["train"].features
    image = image or _first(kinds, "Image", name, "images", "image")
    label = label or _first(kinds, "ClassLabel", name, "classes", "label")
    if missing := [column for column in (image, label) if column not in kinds]:
        raise UsageError(
            f"{name} has no column {missing[0]!r}.", f"Its columns: {', '.join(kinds)}."
        )
    labels, sources, parts = [], [], []
    for part in ("train", "val", "test"):
        if part not in made:
            continue
        column = made[part].cast_column(image, hub.Image(decode=False))
        own = list(made[part][label])
        # A part whose labels are withheld has -1.
        known = [place for place, each in enumerate(own) if each is not None and each >= 0]
        labels += [int(own[place]) for place in known]
        parts += [part] * len(known)
        sources += [
            Source(f"{part}/{place}", partial(_bytes, column, image, place)) for place in known
        ]
    decoded = decode(sources, resolution, skip_corrupt=skip_corrupt)
    return RawImages(
        decoded.images,
        torch.tensor([labels[place] for place in decoded.kept]),
        splits=Splits.of_names([parts[place] for place in decoded.kept]),
        class_names=tuple(getattr(kinds[label], "names", None) or ()),
        notes=decoded.notes,
    )


def _first(kinds: Mapping[str, Any], kind: str, name: str, what: str, option: str) -> str:
    """The first column of a kind."""
    for column, each in kinds.items():
        if type(each).__name__ == kind:
            return column
    raise UsageError(
        f"{name} has no column of {what}; its columns: {', '.join(kinds)}.",
        f"Name it: {option}=COLUMN.",
    )


def _bytes(data: Any, column: str, place: int) -> bytes:
    cell = data[place][column]
    return cell["bytes"] or Path(cell["path"]).read_bytes()
