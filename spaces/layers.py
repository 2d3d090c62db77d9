"""Layers of a network: what each takes and gives, holds and computes."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

__all__ = ["Layer", "layers_of"]

# What a layer is called by the class of its module; other modules go by their class's name.
KINDS: tuple[tuple[str, tuple[type[nn.Module], ...]], ...] = (
    ("convolution", (nn.Conv1d, nn.Conv2d, nn.Conv3d)),
    ("transposed convolution", (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)),
    ("linear", (nn.Linear,)),
    ("normalisation", (nn.modules.batchnorm._NormBase, nn.GroupNorm, nn.LayerNorm)),
    (
        "pooling",
        (
            nn.modules.pooling._MaxPoolNd,
            nn.modules.pooling._AvgPoolNd,
            nn.modules.pooling._AdaptiveAvgPoolNd,
            nn.modules.pooling._AdaptiveMaxPoolNd,
        ),
    ),
)


@dataclass(frozen=True)
class Layer:
    """One layer of a network, for one example; of a graph network, for one node.

    Args:
        kind: ``convolution``, ``transposed convolution``, ``linear``, ``normalisation``,
            ``pooling``, ``aggregation`` over neighbours, or the class of the module.
        inputs: Shape of what it takes, channels first, without the batch.
        outputs: Shape of what it gives.
        kernel: Sides of a convolution's or pooling's window.
        stride: Steps of the window.
        dilation: Steps between the window's entries.
        groups: Groups of a convolution.
        params: Trainable parameters.
        macs: Multiply-adds of its weights.
        name: Of the module within its network, such as ``stages.0.1``; layers are equal whatever
            they are called.
    """

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kernel: tuple[int, ...] = ()
    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    params: int = 0
    macs: int = 0
    name: str = field(default="", compare=False)


def layers_of(module: nn.Module, inputs: Sequence[Tensor]) -> tuple[Layer, ...]:
    """Lists the layers of a network in the order in which they compute.

    Modules without children are layers, and so is what a module with children holds itself. One
    that is used twice is listed twice, its parameters the first time only. A module that gathers
    values of neighbours itself says how many of each in ``aggregated``.

    Args:
        module: The network; on the meta device it needs no memory and computes nothing.
        inputs: What its ``forward`` takes, on its device.

    Example:
        >>> with torch.device("meta"):
        ...     network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.ReLU())
        ...     [first, _] = layers_of(network, [torch.empty(1, 3, 32, 32)])
        >>> first.kind, first.outputs, first.params, first.macs
        ('convolution', (8, 32, 32), 216, 221184)
    """
    found: list[Layer] = []
    seen: set[nn.Module] = set()
    names = {each: name for name, each in module.named_modules()}

    def record(layer: nn.Module, given: tuple[object, ...], result: object) -> None:
        if not isinstance(result, Tensor):
            return
        owned = sum(p.numel() for p in layer.parameters(recurse=False) if p.requires_grad)
        if width := getattr(layer, "aggregated", 0):
            found.append(Layer("aggregation", (width,), (width,), name=names[layer]))
        if any(True for _ in layer.children()) and not owned:
            return
        entering = next((value for value in given if isinstance(value, Tensor)), result)
        params = 0 if layer in seen else owned
        found.append(_layer(layer, names[layer], entering, result, params))
        seen.add(layer)

    handles = [layer.register_forward_hook(record) for layer in module.modules()]
    training = module.training
    module.eval()
    try:
        with torch.no_grad():
            module(*inputs)
    finally:
        module.train(training)
        for handle in handles:
            handle.remove()
    return tuple(found)


def _layer(module: nn.Module, name: str, entering: Tensor, leaving: Tensor, params: int) -> Layer:
    kind = _kind(module)
    inputs, outputs = tuple(entering.shape[1:]), tuple(leaving.shape[1:])
    windowed = kind in ("convolution", "transposed convolution", "pooling")
    kernel, stride, dilation = (
        _sides(getattr(module, each), len(outputs)) if windowed and hasattr(module, each) else ()
        for each in ("kernel_size", "stride", "dilation")
    )
    groups, macs = 1, 0
    if isinstance(module, nn.modules.conv._ConvNd):
        groups = module.groups
        # A transposed convolution spreads every entry that comes in.
        where = inputs if module.transposed else outputs
        macs = math.prod(where[1:]) * module.weight.numel()
    elif kind == "linear":
        weight = module.weight
        assert isinstance(weight, Tensor)
        macs = math.prod(outputs[:-1]) * weight.numel()
    return Layer(kind, inputs, outputs, kernel, stride, dilation, groups, params, macs, name)


def _kind(module: nn.Module) -> str:
    for name, classes in KINDS:
        if isinstance(module, classes):
            return name
    # Modules of a package that was not imported are not in the network.
    if graphs := sys.modules.get("torch_geometric.nn"):
        if isinstance(module, graphs.Linear):
            return "linear"
        if isinstance(module, graphs.aggr.Aggregation):
            return "aggregation"
    return type(module).__name__


def _sides(value: int | tuple[int, ...] | None, axes: int) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(value) if isinstance(value, tuple) else (int(value),) * max(1, axes - 1)
