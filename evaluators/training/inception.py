"""Inception's features, in which published distances are: where its weights are there."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from torch import Tensor

from ...core.errors import TableError
from ...core.optional import optional_import
from ...datasets import RawImages, Splits
from ...datasets.cache import cache_folder, new_entry
from ...spaces import ImageTask
from .extractor import Extractor, as_levels, fingerprint, reference_images

__all__ = ["InceptionExtractor"]

NAME = "inception-v3-compat"
FEATURES = ["2048", "logits_unbiased"]
REFERENCE = "reference.safetensors"
PUBLISHED = "pt_inception-2015-12-05-6726825d.pth"


class InceptionExtractor(Extractor):
    """The Inception network that torch-fidelity converted from that of the first papers.

    Features of the reference images are computed once and kept in the cache. Grey images are given
    three times.

    Args:
        weights: File of its weights, as torch-fidelity has them.
        raw: The images.
        splits: Their parts.
        task: What generators make.

    Raises:
        MissingExtraError: Where torch-fidelity is not installed.
        TableError: Where the file is not of its weights.
    """

    def __init__(self, weights: Path, raw: RawImages, splits: Splits, task: ImageTask) -> None:
        try:
            # torch-fidelity unpickles whatever is in the file, so that it is read safely first.
            torch.load(weights, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, ValueError, pickle.UnpicklingError) as error:
            raise TableError(
                f"{weights} holds no weights of Inception.",
                f"torch-fidelity's file is called {PUBLISHED}.",
            ) from error
        optional_import("torch_fidelity", extra="inception")
        from torchmetrics.image.fid import NoTrainInceptionV3

        self._network = NoTrainInceptionV3(NAME, FEATURES, str(weights))
        digest = hashlib.blake2b(weights.read_bytes(), digest_size=8).hexdigest()
        entry = cache_folder() / "extractors" / f"{fingerprint(raw, splits, task)}-{digest}"
        if not (entry / REFERENCE).is_file():
            features, _ = self.all(reference_images(raw, splits, task))
            with new_entry(entry) as folder:
                save_file({"reference": features}, folder / REFERENCE)
        self.reference = load_file(entry / REFERENCE)["reference"]
        self.protocol = {
            "network": f"Inception, weights {weights.name} {digest}",
            "reference": len(self.reference),
        }

    @torch.no_grad()
    def __call__(
        self, images: Float[Tensor, "B C H W"]
    ) -> tuple[Float[Tensor, "B F"], Float[Tensor, "B K"]]:
        network = self._network.to(images.device)
        levels = as_levels(images).byte()
        if levels.shape[1] == 1:
            levels = levels.expand(-1, 3, -1, -1)
        features, logits = network._torch_fidelity_forward(levels)
        return features.float().cpu(), logits.float().cpu()
