"""Residual blocks on images and on series."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["CONVOLUTIONS", "NORMALISATIONS", "POOLINGS", "ResidualBlock", "plain_convolution"]

# By the number of axes: 1 for series, 2 for images.
CONVOLUTIONS = {1: nn.Conv1d, 2: nn.Conv2d}
NORMALISATIONS = {1: nn.BatchNorm1d, 2: nn.BatchNorm2d}
POOLINGS = {1: nn.AdaptiveAvgPool1d, 2: nn.AdaptiveAvgPool2d}


def plain_convolution(
    width: int, out: int, stride: int, *, kernel: int = 3, axes: int = 2
) -> nn.Sequential:
    """Returns a convolution, its normalisation and a ReLU.

    Args:
        width: Channels in.
        out: Channels out.
        stride: The stride.
        kernel: Odd side of the kernel.
        axes: 1 for series, 2 for images.
    """
    return nn.Sequential(
        CONVOLUTIONS[axes](width, out, kernel, stride, kernel // 2, bias=False),
        NORMALISATIONS[axes](out),
        nn.ReLU(),
    )


class ResidualBlock(nn.Module):
    """Two convolutions with a short cut around them (ResNet, arXiv 1512.03385).

    Where the shape changes, the short cut is a 1x1 convolution.

    Args:
        width: Channels in.
        out: Channels out.
        stride: Of the first convolution.
        kernel: Odd side of the kernels.
        axes: 1 for series, 2 for images.
    """

    # The short cut lies beside the two.
    depth = 2

    def __init__(
        self, width: int, out: int, stride: int, *, kernel: int = 3, axes: int = 2
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *plain_convolution(width, out, stride, kernel=kernel, axes=axes),
            CONVOLUTIONS[axes](out, out, kernel, 1, kernel // 2, bias=False),
            NORMALISATIONS[axes](out),
        )
        self.shortcut = (
            nn.Identity()
            if width == out and stride == 1
            else nn.Sequential(
                CONVOLUTIONS[axes](width, out, 1, stride, bias=False), NORMALISATIONS[axes](out)
            )
        )
        self.relu = nn.ReLU()

    def forward(self, x: Float[Tensor, "B C ..."]) -> Float[Tensor, "B D ..."]:
        out: Tensor = self.relu(self.layers(x) + self.shortcut(x))
        return out
