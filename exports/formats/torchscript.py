"""TorchScript: the network as torch's own runtimes load it, without Python."""

from __future__ import annotations

import warnings
from pathlib import Path

import torch

from ..model import Model
from ..prepared import prepared

__all__ = ["write_torchscript"]


def write_torchscript(model: Model, folder: Path) -> list[Path]:
    """Writes ``model.ts``, which takes raw inputs: their preparation is part of it.

    Args:
        model: The model.
        folder: Where to.
    """
    network, inputs, _ = prepared(model)
    with warnings.catch_warnings(), torch.no_grad():
        # Torch would have its own export used instead, which its runtimes do not all read.
        warnings.simplefilter("ignore")
        traced = torch.jit.trace(network, inputs, check_trace=False)
    path = folder / "model.ts"
    traced.save(str(path))
    return [path]
