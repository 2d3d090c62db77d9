from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn


def _multiply_adds(module: nn.Module, x: Tensor) -> float:
    counts = []

    def count(layer: nn.Module, _: object, out: Tensor) -> None:
        positions = out.shape[-1] * out.shape[-2] if isinstance(layer, nn.Conv2d) else 1
        assert isinstance(layer.weight, Tensor)
        counts.append(float(layer.weight.numel() * positions))

    for layer in module.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(count)
    with torch.no_grad():
        module.eval()(x)
    return sum(counts)


@pytest.fixture
def multiply_adds() -> Callable[[nn.Module, Tensor], float]:
    """Counts the multiply-adds of convolutions and linear layers by running the module."""
    return _multiply_adds
