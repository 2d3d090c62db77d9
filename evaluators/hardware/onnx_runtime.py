"""A network in ONNX Runtime."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor, nn

from ...core.optional import optional_import
from ...exports.onnx_model import onnx_model

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
    program = onnx_model(network, inputs)
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = runtime.InferenceSession(
        program.model_proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    fed = {
        entry.name: value.numpy() for entry, value in zip(session.get_inputs(), inputs, strict=True)
    }
    return lambda: session.run(None, fed)
