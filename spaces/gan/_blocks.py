"""Blocks of generative networks: what raises, keeps and lowers the resolution."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...core.errors import UnknownNameError
from ..cnn.blocks import Zero
from ..counts import Counts, count

__all__ = [
    "DOWNS",
    "OPERATIONS",
    "UPS",
    "Block",
    "counts_of",
    "down",
    "image_head",
    "operation",
    "table_of",
    "up",
    "upsample",
]

UPS = ("nearest", "bilinear", "deconv")
# Kernel and dilation.
KERNELS = {
    "conv_1x1": (1, 1),
    "conv_3x3": (3, 1),
    "conv_5x5": (5, 1),
    "dil_conv_3x3": (3, 2),
    "dil_conv_5x5": (5, 2),
}
OPERATIONS = ("none", "skip_connect", *KERNELS)
DOWNS = ("none", "avg_pool", "max_pool", *list(KERNELS)[1:])
# Makes a block of a name and a width.
Block = Callable[[str, int], nn.Module]


def upsample(name: str, width: int, times: int = 2) -> nn.Module:
    """Returns what raises the resolution, and nothing else.

    Args:
        name: ``nearest``, ``bilinear``, or ``deconv`` for a transposed 2x2 convolution of stride
            two, as often as needed.
        width: Channels.
        times: How often the side is doubled: 2 for once, 4 for twice.
    """
    _check(name, UPS)
    if name != "deconv":
        return nn.Upsample(scale_factor=times, mode=name)
    steps = [nn.ConvTranspose2d(width, width, 2, 2) for _ in range(times.bit_length() - 1)]
    return steps[0] if len(steps) == 1 else nn.Sequential(*steps)


def up(name: str, width: int) -> nn.Module:
    """Returns one of EAGAN's `UPS`: twice the side, then a 1x1 convolution.

    Args:
        name: ``nearest``, ``bilinear``, or ``deconv`` for a transposed depthwise 3x3 convolution.
        width: Channels.
    """
    _check(name, UPS)
    if name == "deconv":
        return nn.Sequential(
            nn.ReLU(),
            nn.ConvTranspose2d(width, width, 3, 2, 1, 1, groups=width, bias=False),
            nn.Conv2d(width, width, 1, bias=False),
        )
    return nn.Sequential(upsample(name, width), nn.ReLU(), nn.Conv2d(width, width, 1))


def operation(name: str, width: int, *, relu: bool = True) -> nn.Module:
    """Returns one of EAGAN's `OPERATIONS`, which keeps the resolution.

    Args:
        name: ``none`` gives zeros, ``skip_connect`` the input, the others are convolutions.
        width: Channels.
        relu: Whether a ReLU stands before the convolution.
    """
    _check(name, OPERATIONS)
    if name == "none":
        return Zero(width, width, 1)
    if name == "skip_connect":
        return nn.Identity()
    convolution = _convolution(name, width)
    return nn.Sequential(nn.ReLU(), convolution) if relu else convolution


def down(name: str, width: int) -> nn.Module:
    """Returns one of EAGAN's `DOWNS`, which halves the resolution, odd sides by rounding up.

    Args:
        name: ``none`` gives the input, the others pool or convolve with a stride of two.
        width: Channels.
    """
    _check(name, DOWNS)
    if name == "none":
        return nn.Identity()
    if name in ("avg_pool", "max_pool"):
        return (nn.AvgPool2d if name == "avg_pool" else nn.MaxPool2d)(2, ceil_mode=True)
    return nn.Sequential(nn.ReLU(), _convolution(name, width, 2))


def image_head(width: int, channels: int, stride: int = 1) -> nn.Sequential:
    """Returns what makes an image from -1 to 1.

    Args:
        width: Channels in.
        channels: Channels of the image.
        stride: Is 1.
    """
    convolution = nn.Conv2d(width, channels, 3, stride, 1)
    return nn.Sequential(nn.BatchNorm2d(width), nn.ReLU(), convolution, nn.Tanh())


def counts_of(block: Block, name: str, width: int, side: int) -> Counts:
    """Counts a block, traced once per size.

    Args:
        block: One of `upsample`, `up`, `operation`, `down`.
        name: Which of its choices.
        width: Channels.
        side: Height and width of what comes in.
    """
    return count(_builder(block, name), width, width, 1, (side, side))


def table_of(
    block: Block, names: Sequence[str], width: int, side: int
) -> Float[Tensor, "choices 3"]:
    """Parameters, multiply-adds and weighted layers of every choice of a block.

    Args:
        block: As for `counts_of`.
        names: The choices.
        width: Channels.
        side: Height and width of what comes in.
    """
    rows = [counts_of(block, name, width, side)[:3] for name in names]
    return torch.tensor(rows, dtype=torch.float64)


@cache
def _builder(block: Block, name: str) -> Callable[[int, int, int], nn.Module]:
    """The same one each time, so that what is counted is found again."""
    return lambda width, out, stride: block(name, width)


def _convolution(name: str, width: int, stride: int = 1) -> nn.Module:
    kernel, dilation = KERNELS[name]
    padding = dilation * (kernel - 1) // 2
    return nn.Conv2d(width, width, kernel, stride, padding, dilation)


def _check(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise UnknownNameError.of("block", name, known)
