from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vitruvius.spaces import Space, Task


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


def _many_architectures(space: Space, task: Task) -> None:
    x = space.sample(500, 1)
    assert torch.equal(space.rows([space.to_string(row) for row in x.tolist()]), x)
    counts = space.statistics(x, task)
    layers = [space.layers(row, task) for row in x]
    held = [sum(p.numel() for p in space.build(row, task).parameters()) for row in x]
    assert held == counts["params"].tolist()
    assert [sum(one.macs for one in each) for each in layers] == counts["macs"].tolist()
    shuffled = space.statistics(space.shuffle(x, 1), task)
    for name, values in counts.items():
        assert torch.equal(shuffled[name], values)


@pytest.fixture
def many_architectures() -> Callable[[Space, Task], None]:
    """Strings and counts of 500 architectures, by their modules, and of isomorphic ones."""
    return _many_architectures
