"""Extractor: the network in whose feature space generated images are compared with real ones."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock
from jaxtyping import Float, Shaped
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ...core.device import torch_threads
from ...core.errors import UsageError
from ...core.seeding import derive_seed
from ...datasets import RawImages, Splits
from ...datasets.cache import cache_folder, new_entry
from ...spaces import ImageTask, space
from .examples import TensorExamples
from .loop import SEEDS
from .recipe import Recipe
from .supervised import measure, train

__all__ = [
    "LEVELS",
    "ClassifierExtractor",
    "Extractor",
    "as_levels",
    "extractor",
    "fingerprint",
    "reference_images",
]

# Goes up when what is kept would come out differently.
VERSION = 1
NETWORKS, ARCHITECTURE = "resnet-size:width=16", "d1w1k3-d1w1k3-d1w1.5k3"
# Images that it learns from in all, and the fewest and most epochs.
SEEN, EPOCHS = 60_000, (4, 40)
# Reference images at most, and images a batch.
REFERENCE, BATCH = 10_000, 256
# Images of which the fingerprint is made.
SAMPLED = 4_096
LEVELS = 127.5


class Extractor(ABC):
    """What gives features of images, and the features of the reference images.

    Scores of one feature space cannot be compared with those of another.

    Attributes:
        reference: Features of the reference images ``[N, F]``.
        protocol: What stands beside every figure: the ``network``, and the number of ``reference``
            images, of the training part.
    """

    reference: Float[Tensor, "N F"]
    protocol: dict[str, Any]

    @abstractmethod
    def __call__(
        self, images: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B K"]]:
        """Returns features and logits, on the CPU.

        Args:
            images: From -1 to 1; they are rounded to levels, as files would hold them.
        """

    def all(
        self, batches: Iterable[Float[Tensor, "_ C H W"]]
    ) -> tuple[Float[Tensor, "N F"], Float[Tensor, "N K"]]:
        """Returns features and logits of batches of images, joined.

        Args:
            batches: As for a call.
        """
        features, logits = zip(*map(self, batches), strict=True)
        return torch.cat(features), torch.cat(logits)


@dataclass(frozen=True, eq=False)
class ClassifierExtractor(Extractor):
    """A classifier of the data themselves, whose ``accuracy`` on a ``part`` is in the protocol.

    Args:
        network: The classifier.
        mean: Of every channel of what it learnt from, in levels of 0 to 255.
        scale: The same for the deviation.
        reference: See `Extractor`.
        protocol: See `Extractor`.
    """

    network: nn.Module
    mean: Float[Tensor, " C"]
    scale: Float[Tensor, " C"]
    reference: Float[Tensor, "N F"]
    protocol: dict[str, Any]

    @torch.no_grad()
    def __call__(
        self, images: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B K"]]:
        device = images.device
        network = self.network.to(device)
        levels = as_levels(images)
        mean, scale = (v.to(device)[:, None, None] for v in (self.mean, self.scale))
        found: list[Tensor] = []
        last = [m for m in network.modules() if isinstance(m, nn.Linear)][-1]
        handle = last.register_forward_pre_hook(lambda _, given: found.append(given[0]))
        try:
            logits = network((levels - mean) / scale)
        finally:
            handle.remove()
        return found[0].float().cpu(), logits.float().cpu()


def extractor(
    raw: RawImages, splits: Splits, task: ImageTask, home: Path | None
) -> ClassifierExtractor:
    """Returns the extractor of a data set, which is trained once.

    It is kept in the cache and with the run, so that all workers and later runs have the same.

    Args:
        raw: The images.
        splits: Their parts.
        task: What generators make: its resolution is that of the features.
        home: Folder of the run's; None without a run.

    Raises:
        UsageError: For images without classes.
    """
    if raw.regression:
        raise UsageError(
            "Generated images are compared in the features of a classifier, these have no classes.",
            "Give images with a class each.",
        )
    key = fingerprint(raw, splits, task)
    kept = cache_folder() / "extractors" / key
    places = [kept] if home is None else [home / key, kept]
    for place in places:
        found = _read(place, task)
        if found is not None:
            break
    else:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(kept.with_suffix(".lock")):
            # Another worker may have been quicker.
            found = _read(kept, task)
            if found is None:
                _train(raw, splits, task, kept)
                found = _read(kept, task)
        assert found is not None
    if home is not None and not (home / key).is_dir():
        _write(found, home / key)
    return found


def _train(raw: RawImages, splits: Splits, task: ImageTask, place: Path) -> None:
    networks = space(NETWORKS)
    device = torch.device("cpu")
    with torch_threads(1), torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive_seed(0, "extractor") % SEEDS)
        network = networks.build(ARCHITECTURE, task)
        examples = TensorExamples(
            raw.images, raw.labels, splits, task, regression=False, device=device
        )
        epochs = min(max(EPOCHS[0], SEEN // len(splits.train)), EPOCHS[1])
        recipe = Recipe.of({"epochs": epochs, "lr": 0.1}, task)
        told = train(network, examples, recipe)
        part = "test" if len(splits.test) else "val"
        scores = measure(told.network, examples, part, recipe)
    inputs, _ = examples.preparation()
    protocol = {
        "network": f"{NETWORKS} {ARCHITECTURE}, {epochs} epochs",
        "accuracy": scores["accuracy"],
        "part": part,
    }
    mean, scale = torch.tensor(inputs["mean"]), torch.tensor(inputs["scale"])
    empty = torch.zeros(0, 0)
    made = ClassifierExtractor(told.network, mean, scale, empty, protocol)
    features, _ = made.all(reference_images(raw, splits, task))
    protocol["reference"] = len(features)
    _write(replace(made, reference=features), place)


def reference_images(
    raw: RawImages, splits: Splits, task: ImageTask
) -> Iterator[Float[Tensor, "_ C H W"]]:
    """Returns the first images of the training part, from -1 to 1, in batches.

    Args:
        raw: The images.
        splits: Their parts.
        task: Whose resolution they are scaled to.
    """
    chosen = replace(splits, train=splits.train[:REFERENCE])
    device = torch.device("cpu")
    # Values play no part.
    labels = torch.zeros(len(raw.images), dtype=torch.long)
    examples = TensorExamples(raw.images, labels, chosen, task, regression=False, device=device)
    inputs, _ = examples.preparation()
    mean, scale = (torch.tensor(inputs[name])[:, None, None] for name in ("mean", "scale"))
    for batch in examples.part("train", BATCH):
        yield (batch.inputs[0] * scale + mean) / LEVELS - 1


def as_levels(images: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
    """Returns images from -1 to 1 in whole levels from 0 to 255.

    Args:
        images: The images.
    """
    return ((images.clamp(-1, 1) + 1) * LEVELS).round()


def _write(made: ClassifierExtractor, place: Path) -> None:
    with new_entry(place) as folder:
        weights = {k: v.contiguous() for k, v in made.network.cpu().state_dict().items()}
        save_file(weights, folder / "weights.safetensors")
        kept = {"mean": made.mean, "scale": made.scale, "reference": made.reference}
        save_file(kept, folder / "reference.safetensors")
        (folder / "extractor.json").write_text(json.dumps(made.protocol), encoding="utf-8")


def _read(place: Path, task: ImageTask) -> ClassifierExtractor | None:
    """What was kept; None where there is nothing, or it is damaged."""
    try:
        protocol = json.loads((place / "extractor.json").read_text(encoding="utf-8"))
        kept = load_file(place / "reference.safetensors")
        weights = load_file(place / "weights.safetensors")
        with torch.random.fork_rng(devices=[]):
            network = space(NETWORKS).build(ARCHITECTURE, task)
        network.load_state_dict(weights)
        return ClassifierExtractor(network.eval().requires_grad_(False), **kept, protocol=protocol)
    except (OSError, ValueError, SafetensorError, RuntimeError, TypeError):
        return None


def fingerprint(raw: RawImages, splits: Splits, task: ImageTask) -> str:
    """Returns what images, their parts and a resolution are kept by.

    Args:
        raw: The images.
        splits: Their parts.
        task: What generators make.
    """
    key = hashlib.blake2b(digest_size=12)
    key.update(json.dumps([VERSION, str(task), list(raw.images.shape)]).encode())
    some = torch.linspace(0, len(raw.images) - 1, min(SAMPLED, len(raw.images))).long()
    for values in (raw.images[some], raw.labels, splits.train, splits.val, splits.test):
        key.update(_bytes(values))
    return key.hexdigest()


def _bytes(values: Shaped[Tensor, "..."]) -> bytes:
    return values.contiguous().numpy().tobytes()
