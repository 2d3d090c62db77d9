"""Fake quantisation: tensors as they are in a few bits, with gradients as if they were not."""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["FORMATS", "FakeQuantisation", "bits"]

# Bits before and after the point, of formats of fixed point; sign included.
_FIXED = {
    "2.2": (2, 2),
    "2.4": (2, 4),
    "2.6": (2, 6),
    "4.4": (4, 4),
    "4.8": (4, 8),
    "8.8": (8, 8),
}
_BITS = {"binary": 1, "ternary": 2, **{name: i + f for name, (i, f) in _FIXED.items()}}
FORMATS = tuple(_BITS)
"""Names of the formats: ``binary``, ``ternary``, and fixed point such as ``2.6``."""

# Of the mean magnitude, where what is below becomes 0 in the ternary format (arXiv 1605.04711).
THRESHOLD = 0.7


def bits(name: str) -> int:
    """Bits of one value in a format.

    Args:
        name: One of `FORMATS`.

    Example:
        >>> bits("2.6"), bits("ternary")
        (8, 2)
    """
    return _BITS[name]


def _fixed(x: Float[Tensor, "*shape"], whole: int, fraction: int) -> Float[Tensor, "*shape"]:
    step = 2.0**-fraction
    least, most = -(2.0 ** (whole - 1)), 2.0 ** (whole - 1) - step
    return (torch.round(x / step) * step).clamp(least, most)


def _binary(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    return torch.where(x >= 0, 1.0, -1.0) * x.abs().mean()


def _ternary(x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    size = x.abs()
    kept = size > THRESHOLD * size.mean()
    scale = (size * kept).sum() / kept.sum().clamp(min=1)
    return torch.sign(x) * kept * scale


class FakeQuantisation(nn.Module):
    """Rounds a tensor to a format; its gradient is that of the tensor (straight through).

    ``binary`` (arXiv 1603.05279) is the sign times the mean magnitude, ``ternary`` (arXiv
    1605.04711) also has 0, and fixed point ``i.f`` has ``i`` bits before the point, sign included,
    and ``f`` behind it: steps of 2^-f, within ±2^(i-1). Beyond that range there is no gradient.

    Args:
        name: One of `FORMATS`.

    Example:
        >>> FakeQuantisation("2.2")(torch.tensor([0.3, -0.9, 5.0])).tolist()
        [0.25, -1.0, 1.75]
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, x: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
        if self.name in _FIXED:
            whole, fraction = _FIXED[self.name]
            least, most = -(2.0 ** (whole - 1)), 2.0 ** (whole - 1) - 2.0**-fraction
            within = x.clamp(least, most)
            return within + (_fixed(x, whole, fraction) - within).detach()
        rounded = _WITH_SCALE[self.name](x)
        return x + (rounded - x).detach()

    def extra_repr(self) -> str:
        return self.name


_WITH_SCALE: dict[str, Callable[[Tensor], Tensor]] = {"binary": _binary, "ternary": _ternary}
