"""ONNX: the network in the exchange format of runtimes, checked against ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import torch

from ...core.errors import VitruviusError
from ...core.optional import optional_import
from ..model import Model
from ..onnx_model import onnx_model
from ..prepared import prepared

__all__ = ["write_onnx"]

# Largest difference of an output, as a share of the largest output.
TOLERANCE = 1e-4


def write_onnx(model: Model, folder: Path) -> list[Path]:
    """Writes ``model.onnx``, which takes raw inputs: their preparation is part of it.

    Batches may have any size, and graphs any number of nodes and edges.

    Args:
        model: The model.
        folder: Where to.

    Raises:
        MissingExtraError: Where onnx, onnxscript or onnxruntime is not installed.
        VitruviusError: Where ONNX Runtime computes something else than torch.
    """
    runtime = optional_import("onnxruntime", extra="onnx")
    network, inputs, names = prepared(model)
    axes = (0, 1) if model.kind == "graph" else (0,) * len(inputs)
    program = onnx_model(network, inputs, names, axes=axes)
    path = folder / "model.onnx"
    program.save(str(path), external_data=False)
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = dict(zip(names, (value.numpy() for value in inputs), strict=True))
    got = torch.from_numpy(session.run(None, fed)[0])
    with torch.no_grad():
        expected = network(*inputs)
    difference = float((got - expected).abs().max())
    if not difference <= TOLERANCE * max(1.0, float(expected.abs().max())):
        path.unlink()
        raise VitruviusError(
            f"ONNX Runtime differs from torch by {difference:.2g} on random inputs.",
            "Export as pytorch or torchscript.",
        )
    return [path]
