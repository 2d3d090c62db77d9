"""Blocks of convolutional networks, each a module of channels in, channels out and stride.

Of side ``n`` every block makes ``ceil(n / stride)``, so that those of one edge can be added up or
stand side by side in a weight-sharing network, whose normalisations have no affine part.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import reduce
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = [
    "DilatedConvolution",
    "FactorizedReduction",
    "InvertedResidual",
    "Pooling",
    "ReLUConvolution",
    "SeparableConvolution",
    "SpatiallySeparableConvolution",
    "SqueezeExcitation",
    "Zero",
    "convolution",
    "skip",
    "total",
]


def convolution(
    width: int, out: int, kernel: int, stride: int = 1, groups: int = 1
) -> nn.Sequential:
    """Returns a convolution and its normalisation.

    Args:
        width: Channels in.
        out: Channels out.
        kernel: Odd side of the kernel.
        stride: The stride.
        groups: Groups of channels.
    """
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, stride, kernel // 2, groups=groups, bias=False),
        nn.BatchNorm2d(out),
    )


class ReLUConvolution(nn.Sequential):
    """ReLU, convolution, normalisation.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        kernel: Odd side of the kernel.
        dilation: Steps between its entries.
        affine: Whether the normalisation has weights.
    """

    def __init__(
        self,
        width: int,
        out: int,
        stride: int = 1,
        *,
        kernel: int = 1,
        dilation: int = 1,
        affine: bool = True,
    ) -> None:
        padding = dilation * (kernel - 1) // 2
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(width, out, kernel, stride, padding, dilation, bias=False),
            nn.BatchNorm2d(out, affine=affine),
        )


class SeparableConvolution(nn.Sequential):
    """Two depthwise separable convolutions, the first of which has the stride, as in NASNet.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        kernel: Odd side of the kernels.
        affine: Whether the normalisations have weights.
    """

    def __init__(
        self, width: int, out: int, stride: int, *, kernel: int = 3, affine: bool = True
    ) -> None:
        # The first keeps the channels in DARTS and changes them in NASNet; cells never change them.
        super().__init__(
            *_separable(width, out, stride, kernel, 1, affine),
            *_separable(out, out, 1, kernel, 1, affine),
        )


class DilatedConvolution(nn.Sequential):
    """One depthwise separable convolution with a dilation of two, as in DARTS.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        kernel: Odd side of the kernel.
        affine: Whether the normalisation has weights.
    """

    def __init__(
        self, width: int, out: int, stride: int, *, kernel: int = 3, affine: bool = True
    ) -> None:
        super().__init__(*_separable(width, out, stride, kernel, 2, affine))


class SpatiallySeparableConvolution(nn.Sequential):
    """ReLU, a 1 x k and a k x 1 convolution, normalisation, as in NASNet.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        kernel: Odd length of the kernels.
        affine: Whether the normalisation has weights.
    """

    def __init__(
        self, width: int, out: int, stride: int, *, kernel: int = 3, affine: bool = True
    ) -> None:
        half = kernel // 2
        super().__init__(
            nn.ReLU(),
            nn.Conv2d(width, out, (1, kernel), (1, stride), (0, half), bias=False),
            nn.Conv2d(out, out, (kernel, 1), (stride, 1), (half, 0), bias=False),
            nn.BatchNorm2d(out, affine=affine),
        )


class FactorizedReduction(nn.Module):
    """Two 1x1 convolutions of a stride, the second one pixel on, so that no pixel is passed over.

    Args:
        width: Channels in.
        out: Channels out, of which either convolution makes half.
        stride: The stride.
        affine: Whether the normalisation has weights.
    """

    depth = 1

    def __init__(self, width: int, out: int, stride: int = 2, *, affine: bool = True) -> None:
        super().__init__()
        self.relu = nn.ReLU()
        self.even = nn.Conv2d(width, out - out // 2, 1, stride, bias=False)
        self.odd = nn.Conv2d(width, out // 2, 1, stride, bias=False)
        self.norm = nn.BatchNorm2d(out, affine=affine)

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        x = self.relu(x)
        shifted = F.pad(x, (0, 1, 0, 1))[:, :, 1:, 1:]
        halves: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=1))
        return halves


class Pooling(nn.Sequential):
    """Pooling, with a normalisation behind it where that is wanted.

    Args:
        width: Channels in.
        out: Channels out; where they differ, a 1x1 convolution changes them.
        stride: The stride.
        kind: ``max`` or ``avg``; the average is of what lies inside the image.
        kernel: Odd side of the window.
        normalised: Whether a normalisation follows, as in weight-sharing networks.
        affine: Whether it has weights.
    """

    def __init__(
        self,
        width: int,
        out: int,
        stride: int,
        *,
        kind: Literal["max", "avg"] = "max",
        kernel: int = 3,
        normalised: bool = False,
        affine: bool = True,
    ) -> None:
        half = kernel // 2
        parts: list[nn.Module] = [
            nn.MaxPool2d(kernel, stride, half)
            if kind == "max"
            else nn.AvgPool2d(kernel, stride, half, count_include_pad=False)
        ]
        if width != out:
            parts.append(nn.Conv2d(width, out, 1, bias=False))
        if normalised or width != out:
            parts.append(nn.BatchNorm2d(out, affine=affine))
        super().__init__(*parts)


class Zero(nn.Module):
    """Nothing: zeros of the shape that another block would give.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
    """

    def __init__(self, width: int, out: int, stride: int) -> None:
        super().__init__()
        self.out, self.stride = out, stride

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        places = torch.zeros_like(x[:, :1, :: self.stride, :: self.stride])
        return places.expand(-1, self.out, -1, -1)


def total(operations: Iterable[tuple[nn.Module, Float[Tensor, "B _ _ _"]]]) -> Tensor:
    """Adds what operations make of their inputs; a `Zero` is called only where all are.

    Args:
        operations: At least one operation, each with its input.
    """
    every = list(operations)
    told = [(each, x) for each, x in every if not isinstance(each, Zero)] or every[:1]
    return reduce(torch.add, [each(x) for each, x in told])


def skip(width: int, out: int, stride: int, *, affine: bool = True) -> nn.Module:
    """Returns the identity, or a `FactorizedReduction` where the shape changes.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        affine: Whether the normalisation has weights.
    """
    if stride == 1 and width == out:
        return nn.Identity()
    return FactorizedReduction(width, out, stride, affine=affine)


class SqueezeExcitation(nn.Module):
    """Scales every channel by a gate that sees the means of all (arXiv 1709.01507).

    Args:
        width: Channels.
        squeezed: Channels of the hidden layer.
        gate: What makes a factor of a number.
    """

    def __init__(self, width: int, squeezed: int, gate: type[nn.Module] = nn.Hardsigmoid) -> None:
        super().__init__()
        self.gate = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(width, squeezed, 1),
            nn.ReLU(),
            nn.Conv2d(squeezed, width, 1),
            gate(),
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        return x * self.gate(x)


class InvertedResidual(nn.Module):
    """Expansion, depthwise convolution, gate, projection (MobileNetV2, arXiv 1801.04381).

    Args:
        width: Channels in.
        hidden: Channels of the depthwise convolution; no expansion where they are ``width``.
        out: Channels out.
        kernel: Odd side of the depthwise kernel.
        stride: The stride.
        activation: What follows on expansion and depthwise convolution.
        squeezed: Channels inside `SqueezeExcitation`; None for no gate.
        gate: Of `SqueezeExcitation`.
        residual: Whether the input is added where the shape allows.
    """

    def __init__(
        self,
        width: int,
        hidden: int,
        out: int,
        kernel: int,
        stride: int,
        activation: type[nn.Module] = nn.ReLU,
        squeezed: int | None = None,
        gate: type[nn.Module] = nn.Hardsigmoid,
        residual: bool = True,
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        if hidden != width:
            layers += [convolution(width, hidden, 1), activation()]
        layers += [convolution(hidden, hidden, kernel, stride, hidden), activation()]
        if squeezed is not None:
            layers.append(SqueezeExcitation(hidden, squeezed, gate))
        layers.append(convolution(hidden, out, 1))
        self.layers = nn.Sequential(*layers)
        self.residual = residual and stride == 1 and width == out

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        out: Tensor = self.layers(x)
        return x + out if self.residual else out


def _separable(
    width: int, out: int, stride: int, kernel: int, dilation: int, affine: bool
) -> tuple[nn.Module, ...]:
    """ReLU, depthwise convolution, 1x1 convolution, normalisation."""
    padding = dilation * (kernel - 1) // 2
    return (
        nn.ReLU(),
        nn.Conv2d(width, width, kernel, stride, padding, dilation, groups=width, bias=False),
        nn.Conv2d(width, out, 1, bias=False),
        nn.BatchNorm2d(out, affine=affine),
    )
