"""The layers of MnasNet's blocks."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from .blocks import InvertedResidual, SqueezeExcitation, convolution

__all__ = ["KERNELS", "OPERATIONS", "RATIOS", "SKIPS", "layer", "layer_counts"]

OPERATIONS, KERNELS, RATIOS = ("conv", "sepconv", "mbconv3", "mbconv6"), (3, 5), (0.0, 0.25)
# Channels inside an inverted bottleneck, times those that come in; a separable one has no more.
EXPANSIONS = {"sepconv": 1, "mbconv3": 3, "mbconv6": 6}
Skip = Literal["none", "identity", "pool"]
SKIPS: tuple[Skip, ...] = ("none", "identity", "pool")


class _Skipped(nn.Module):
    """Adds the input, or its average over 3x3 pixels."""

    def __init__(self, inner: nn.Module, pooled: bool) -> None:
        super().__init__()
        self.inner = inner
        self.shortcut = nn.AvgPool2d(3, 1, 1, count_include_pad=False) if pooled else nn.Identity()

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C H W"]:
        out: Tensor = self.inner(x) + self.shortcut(x)
        return out


def layer(
    width: int,
    out: int,
    stride: int,
    *,
    operation: str,
    kernel: int,
    ratio: float,
    skip: Skip,
) -> nn.Module:
    """Builds one layer.

    Args:
        width: Filters in.
        out: Filters out.
        stride: The stride.
        operation: One of `OPERATIONS`.
        kernel: Side of its kernel.
        ratio: Channels inside squeeze-and-excitation, times those that come in; 0 for none.
        skip: What is added to it; the layer keeps width and resolution where anything is.
    """
    squeezed = max(1, int(width * ratio)) if ratio else None
    if operation == "conv":
        parts: list[nn.Module] = [convolution(width, out, kernel, stride), nn.ReLU()]
        if squeezed is not None:
            parts.append(SqueezeExcitation(out, squeezed, nn.Sigmoid))
        inner: nn.Module = nn.Sequential(*parts)
    else:
        inner = InvertedResidual(
            width,
            width * EXPANSIONS[operation],
            out,
            kernel,
            stride,
            squeezed=squeezed,
            gate=nn.Sigmoid,
            residual=False,
        )
    return inner if skip == "none" else _Skipped(inner, skip == "pool")


def layer_counts(
    width: Float[Tensor, " B"],
    out: Float[Tensor, " B"],
    sides: tuple[int, int],
    operation: Int[Tensor, " B"],
    kernel: Int[Tensor, " B"],
    ratio: Int[Tensor, " B"],
) -> Float[Tensor, "B 3"]:
    """Counts layers as `layer` builds them: parameters, multiply-adds, weighted layers.

    Args:
        width: Filters in.
        out: Filters out.
        sides: Of what comes in and of what goes out.
        operation: Number of the operation.
        kernel: Number of the kernel.
        ratio: Number of the ratio of squeeze-and-excitation.
    """
    entering, leaving = (float(side**2) for side in sides)
    expansion = torch.tensor([EXPANSIONS.get(name, 0) for name in OPERATIONS]).double()[operation]
    taps = torch.tensor(KERNELS).double()[kernel] ** 2
    hidden = width * expansion
    expand = torch.where(expansion > 1, width * hidden, 0.0)
    filtered, project = taps * hidden, hidden * out
    bottleneck = torch.stack(
        [
            expand + 2 * hidden * (expansion > 1) + filtered + 2 * hidden + project + 2 * out,
            expand * entering + (filtered + project) * leaving,
            2.0 + (expansion > 1),
        ],
        dim=1,
    )
    plain = taps * width * out
    convolved = torch.stack([plain + 2 * out, plain * leaving, torch.ones_like(plain)], dim=1)
    is_plain = expansion == 0
    ratios = torch.tensor(RATIOS, dtype=torch.float64)[ratio]
    squeezed = (width * ratios).floor().clamp(min=1)
    gated = torch.where(is_plain, out, hidden)
    gate = 2 * gated * squeezed
    gates = torch.stack([gate + gated + squeezed, gate, torch.full_like(gate, 2.0)], dim=1)
    counts = torch.where(is_plain[:, None], convolved, bottleneck)
    return counts + gates * (ratios > 0)[:, None]
