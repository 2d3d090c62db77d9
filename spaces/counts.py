"""Counts of a network's parts, traced once each, so that those of many networks are look-ups."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import nn

from ..core.errors import UsageError
from .layers import layers_of
from .operation import Operation

__all__ = ["Counts", "count", "count_module", "depth_of"]

WEIGHTED = (nn.modules.conv._ConvNd, nn.Linear)

# Values of an input up to which a block is traced by computing it.
SMALL = 1 << 16


class Counts(NamedTuple):
    """What one part of a network holds, computes and gives.

    Args:
        params: Trainable parameters.
        macs: Multiply-adds of one example.
        depth: Weighted layers on its longest path.
        shape: Of what it gives, channels first, without the batch.
    """

    params: int
    macs: int
    depth: int
    shape: tuple[int, ...]


def count_module(module: nn.Module, shape: tuple[int, ...]) -> Counts:
    """Counts a module by tracing it.

    Args:
        module: The module; where its input is large it is moved to the meta device, so that nothing
            is computed.
        shape: Of its input, channels first, without the batch.

    Example:
        >>> count_module(nn.Conv2d(3, 8, 3, padding=1, bias=False), (3, 32, 32))
        Counts(params=216, macs=221184, depth=1, shape=(8, 32, 32))
    """
    device = _tracing(shape)
    module = module.to(device).eval()
    shapes: list[tuple[int, ...]] = []
    handle = module.register_forward_hook(lambda _, __, out: shapes.append(tuple(out.shape[1:])))
    layers = layers_of(module, [torch.zeros(2, *shape, device=device)])
    handle.remove()
    params, macs = (sum(getattr(each, name) for each in layers) for name in ("params", "macs"))
    return Counts(params, macs, depth_of(module), shapes[-1])


@lru_cache(maxsize=10_000)
def count(
    build: Callable[..., nn.Module] | Operation,
    width: int,
    out: int,
    stride: int,
    sides: tuple[int, ...],
) -> Counts:
    """Counts a block, once per process for each of its sizes.

    Args:
        build: Makes the block of channels in, channels out and stride; or an `Operation`.
        width: Channels that come in.
        out: Channels that go out.
        stride: The stride.
        sides: Sides of what comes in, in pixels or steps.

    Raises:
        UsageError: Where an operation gives another shape than asked for.
    """
    make = build.build if isinstance(build, Operation) else build
    with torch.random.fork_rng(devices=[]), torch.device(_tracing((width, *sides))):
        module = make(width, out, stride)
    counts = count_module(module, (width, *sides))
    expected = (out, *(-(-side // stride) for side in sides))
    if isinstance(build, Operation) and counts.shape != expected:
        raise UsageError(
            f"The operation {build.name!r} makes {list(counts.shape)} of {[width, *sides]} at "
            f"stride {stride}, expected {list(expected)}.",
            "It is given channels in, channels out and stride, and halves by rounding up.",
        )
    return counts


def _tracing(shape: tuple[int, ...]) -> str:
    """Where to trace: the meta device first imports much of torch, in a second or more."""
    return "cpu" if math.prod(shape) <= SMALL else "meta"


def depth_of(module: nn.Module) -> int:
    """Returns the weighted layers on a block's longest path.

    A block whose parts lie side by side says so by an attribute ``depth``; the parts of any other
    follow on one another.

    Args:
        module: The block.
    """
    if isinstance(module, WEIGHTED):
        return 1
    said = getattr(module, "depth", None)
    if isinstance(said, int):
        return said
    return sum(depth_of(child) for child in module.children())
