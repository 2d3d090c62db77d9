"""ONNX: a network in the exchange format of runtimes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ..core.optional import optional_import

__all__ = ["onnx_model"]


def onnx_model(
    network: nn.Module,
    inputs: Sequence[Tensor],
    names: Sequence[str] = (),
    *,
    axes: Sequence[int] = (),
) -> Any:
    """Converts a network.

    Args:
        network: The network, on the CPU; it is left in evaluation mode.
        inputs: A batch of what it takes.
        names: Of the inputs; by default those of its ``forward``.
        axes: The axis of every input that may have any size; none where this is empty.

    Returns:
        What torch makes of it, an `onnx.ModelProto` among it as ``model_proto``.

    Raises:
        MissingExtraError: Where onnx or onnxscript is not installed.
    """
    optional_import("onnx", extra="onnx")
    optional_import("onnxscript", extra="onnx")
    network.eval()
    free = tuple({axis: torch.export.Dim.DYNAMIC} for axis in axes)
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                network,
                tuple(inputs),
                dynamo=True,
                verbose=False,
                input_names=list(names) or None,
                dynamic_shapes=free or None,
            )
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    assert program is not None
    return program
