"""A network in ONNX Runtime."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ...core.optional import optional_import

__all__ = ["onnx_call"]


def onnx_call(
    network: nn.Module, inputs: Sequence[Tensor], *, threads: int = 1
) -> Callable[[], list[Any]]:
    """Converts a network and returns what runs it once on the CPU.

    Args:
        network: The network, on the CPU; it is left in evaluation mode.
        inputs: A batch of what it takes.
        threads: Of ONNX Runtime within an operator.

    Raises:
        MissingExtraError: Where onnx, onnxscript or onnxruntime is not installed.
    """
    runtime = optional_import("onnxruntime", extra="onnx")
    optional_import("onnxscript", extra="onnx")
    network.eval()
    level = logging.getLogger("torch.onnx").level
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(network, tuple(inputs), dynamo=True, verbose=False)
    finally:
        logging.getLogger("torch.onnx").setLevel(level)
    assert program is not None
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {
        entry.name: value.numpy() for entry, value in zip(session.get_inputs(), inputs, strict=True)
    }
    return lambda: session.run(None, fed)
