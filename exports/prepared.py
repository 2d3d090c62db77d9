"""Prepared networks: they take raw inputs and give values in their units."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..spaces import ImageTask
from .model import Model

__all__ = ["prepared"]

# What images from -1 to 1 are multiplied by, from 0 to 255.
LEVELS = 127.5


class _Prepared(nn.Module):
    """A network with the preparation of its inputs before it, and of its outputs behind it."""

    mean: Tensor
    scale: Tensor
    target_mean: Tensor
    target_scale: Tensor

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.network = deepcopy(model.network)
        axes = {"image": 2, "series": 1}.get(model.kind, 0)
        for name, default in (("mean", 0.0), ("scale", 1.0)):
            given = torch.tensor(model.inputs.get(name, [default]), dtype=torch.float32)
            self.register_buffer(name, given.reshape(1, -1, *[1] * axes))
            back = torch.tensor(model.outputs.get(name, [default]), dtype=torch.float32)
            self.register_buffer(f"target_{name}", back)
        self.generates = model.kind == "generator"
        self.normalises = "mean" in model.inputs
        self.regression = "mean" in model.outputs
        size = model.inputs.get("size")
        own = (model.task.resolution,) * 2 if isinstance(model.task, ImageTask) else None
        self.resolution = own if size and own and tuple(size) != own else None

    def forward(self, x: Tensor, more: Tensor | None = None) -> Any:
        if self.normalises:
            x = (x - self.mean) / self.scale
        if self.resolution is not None:
            x = F.interpolate(x, self.resolution, mode="bilinear", antialias=True)
        told = self.network(x) if more is None else self.network(x, more)
        outputs = told[0] if isinstance(told, tuple) else told
        if self.generates:
            return (outputs + 1) * LEVELS
        return outputs * self.target_scale + self.target_mean if self.regression else outputs


def prepared(model: Model) -> tuple[nn.Module, tuple[Tensor, ...], tuple[str, ...]]:
    """Makes a network that takes raw inputs: bytes of images as floats, series as they are stored.

    A generator takes noise, and labels where it is conditional, and gives images from 0 to 255.

    Args:
        model: The model.

    Returns:
        The network, random inputs, and their names.
    """
    network = _Prepared(model).eval().requires_grad_(False)
    inputs = model.space.example_inputs(model.task, 8)
    if model.kind == "graph":
        return network, inputs, ("x", "edge_index")
    if model.kind in ("generator", "discriminator"):
        first = "noise" if model.kind == "generator" else "images"
        return network, inputs, (first, "labels")[: len(inputs)]
    (x,) = inputs
    if model.kind == "image":
        width, height = model.inputs.get("size", (x.shape[3], x.shape[2]))
        x = torch.rand(8, x.shape[1], height, width, generator=torch.Generator().manual_seed(0))
        return network, (x * 255,), ("images",)
    return network, (x,), ("series",)
