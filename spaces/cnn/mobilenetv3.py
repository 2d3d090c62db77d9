"""The MobileNetV3 space of Once-for-All (Cai et al., ICLR 2020)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ..dag import DAG
from ..literals import read_literal
from ..space import Space
from ..task import ImageTask, Task
from ..variable import Variable
from ._image import image_task
from ._mobilenetv3_notations import row_of_settings
from .blocks import InvertedResidual, convolution

__all__ = ["MobileNetV3"]

RESOLUTIONS = tuple(range(128, 225, 4))
DEPTHS, KERNELS, EXPANSIONS = (2, 3, 4), (3, 5, 7), (3, 4, 6)
UNITS, SLOTS = 5, 4
STEM = 16
WIDTHS, STRIDES = (24, 40, 80, 112, 160), (2, 2, 2, 1, 2)
SQUEEZED = (False, True, False, True, True)
ACTIVATIONS = (nn.ReLU, nn.ReLU, nn.Hardswish, nn.Hardswish, nn.Hardswish)
FINAL, FEATURES = 960, 1280
# Columns of one unit: its depth, then a kernel and an expansion per slot.
PER_UNIT = 1 + 2 * SLOTS
TOKEN = re.compile(r"k(\d)e(\d)")


def _unit_variables(unit: int) -> Iterator[Variable]:
    """Depth of a unit, then kernel and expansion of each slot."""
    first = 1 + unit * SLOTS
    yield Variable(f"depth_{unit + 1}", tuple(map(str, DEPTHS)), "size", (first,))
    for b in range(SLOTS):
        slot, place = f"{unit + 1}_{b + 1}", (first + b,)
        yield Variable(f"kernel_{slot}", tuple(map(str, KERNELS)), "op", place)
        yield Variable(f"expansion_{slot}", tuple(map(str, EXPANSIONS)), "size", place)


class MobileNetV3(Space):
    """The 5.4e20 MobileNetV3-Large-like networks of Once-for-All (arXiv 1908.09791), width 1.0.

    A network has an input resolution and five units of two to four inverted residual blocks, each
    with a kernel size and an expansion ratio. Slots beyond a unit's depth are inactive: they are
    no part of the architecture and the canonical form sets them to their first choice. The task's
    resolution is ignored, for it is searched.

    Multiply-adds are those of all convolutions and linear layers, squeeze-and-excitation
    included. The depth counts squeeze-and-excitation's two layers, which lie on the longest path.

    Read, too, are Once-for-All's settings, ``{"ks": […], "e": […], "d": […], "r": [224]}``.

    Args:
        resolutions: Those that are allowed, of 128 to 224 in steps of 4. The variables stay the
            same, so that what was trained for all resolutions serves here too.

    Raises:
        UsageError: For a resolution that is none of them, or no resolution.

    Example:
        >>> nets = MobileNetV3()
        >>> net = nets.architecture(
        ...     "r=224;u1=k3e6,k5e4;u2=k3e3,k3e3;u3=k7e6,k3e4,k3e4;u4=k3e3,k5e6;u5=k3e6,k3e6"
        ... )
        >>> int(nets.statistics(nets.rows([net]))["params"])
        4537584
    """

    name = "mobilenetv3"
    task = ImageTask(classes=1000, resolution=224)
    nodes = (
        "stem",
        *(f"unit {u} block {b}" for u in range(1, UNITS + 1) for b in range(1, SLOTS + 1)),
        "head",
    )
    skeleton = tuple((i, i + 1) for i in range(UNITS * SLOTS + 1))
    inputs, outputs = (0,), (UNITS * SLOTS + 1,)
    variables = (
        Variable("resolution", tuple(map(str, RESOLUTIONS)), "size"),
        *(variable for u in range(UNITS) for variable in _unit_variables(u)),
    )

    def __init__(self, *, resolutions: Sequence[int] = RESOLUTIONS) -> None:
        if not resolutions or not set(resolutions) <= set(RESOLUTIONS):
            raise UsageError(
                f"`resolutions` must be some of 128, 132, …, 224, got {list(resolutions)}.",
                "Name at least one of them.",
            )
        self.resolutions = tuple(sorted(set(resolutions)))
        self._open = torch.tensor([side in resolutions for side in RESOLUTIONS])

    @property
    def architecture_count(self) -> int:
        blocks = len(KERNELS) * len(EXPANSIONS)
        unit: int = sum(blocks**depth for depth in DEPTHS)
        return len(self.resolutions) * unit**UNITS

    @property
    def constrained(self) -> bool:
        return len(self.resolutions) < len(RESOLUTIONS)

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        inside = self.in_range(x)
        return inside & self._open.to(x.device)[x[:, 0].clamp(0, len(RESOLUTIONS) - 1)]

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        mask = self.choice_mask.clone()
        mask[0, : len(RESOLUTIONS)] = self._open
        return mask.to(x.device).expand(len(x), -1, -1)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        resolution, depths, blocks = _split(x)
        blocks = blocks * _active(depths)[..., None]
        units = torch.cat([depths[..., None], blocks.flatten(2)], dim=2)
        return torch.cat([resolution[:, None], units.flatten(1)], dim=1)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly, as canonical rows.

        A unit of depth d has 9^d fillings, so depths are drawn with those weights.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        generator = make_generator(seed)
        sizes = self.choice_mask.sum(1)
        draw = torch.rand(n, len(sizes), generator=generator, dtype=torch.float64)
        x = (draw * sizes).long()
        x[:, 0] = self._open.nonzero()[(draw[:, 0] * len(self.resolutions)).long(), 0]
        fillings = torch.tensor([float(len(KERNELS) * len(EXPANSIONS)) ** d for d in DEPTHS])
        share = (fillings / fillings.sum()).cumsum(0).double()
        x[:, 1::PER_UNIT] = torch.bucketize(
            draw[:, 1::PER_UNIT].contiguous(), share[:-1], right=True
        )
        return self.canonical(x)

    def to_string(self, row: Sequence[int]) -> str:
        parts = [f"r={RESOLUTIONS[row[0]]}"]
        for u, unit in enumerate(_blocks(row), start=1):
            parts.append(f"u{u}=" + ",".join(f"k{kernel}e{ratio}" for kernel, ratio in unit))
        return ";".join(parts)

    def from_string(self, text: str) -> tuple[int, ...]:
        if text.lstrip()[:1] in ("{", "O", "d") and isinstance(said := read_literal(text), dict):
            try:
                return row_of_settings(
                    said, resolutions=RESOLUTIONS, kernels=KERNELS, expansions=EXPANSIONS
                )
            except ValueError as error:
                raise self.unreadable(text, str(error)) from None
        given: dict[str, str] = {}
        for part in text.strip().split(";"):
            key, separator, value = part.partition("=")
            if not separator or key.strip() in given:
                raise self.unreadable(text, f"{part.strip()!r} is not one new key=value")
            given[key.strip()] = value.strip()
        expected = ["r", *(f"u{u}" for u in range(1, UNITS + 1))]
        if sorted(given) != sorted(expected):
            raise self.unreadable(text, f"expected {', '.join(expected)}, got {', '.join(given)}")
        if given["r"] not in self.variables[0].choices:
            low, *_, high = RESOLUTIONS
            raise self.unreadable(
                text, f"the resolution is {low} to {high} in steps of 4, got {given['r']!r}"
            )
        row = [self.variables[0].choices.index(given["r"])]
        for key in expected[1:]:
            tokens = given[key].split(",")
            if len(tokens) not in DEPTHS:
                raise self.unreadable(text, f"{key} takes 2 to 4 blocks, got {len(tokens)}")
            row.append(DEPTHS.index(len(tokens)))
            for token in tokens:
                match = TOKEN.fullmatch(token.strip())
                kernel, ratio = map(int, match.groups()) if match else (0, 0)
                if kernel not in KERNELS or ratio not in EXPANSIONS:
                    raise self.unreadable(
                        text,
                        f"{token.strip()!r} in {key} is no block; kernels are 3, 5, 7 and "
                        "expansions 3, 4, 6",
                    )
                row += [KERNELS.index(kernel), EXPANSIONS.index(ratio)]
            row += [0, 0] * (SLOTS - len(tokens))
        return tuple(row)

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the chain of active blocks."""
        blocks = (f"k{kernel} e{ratio}" for unit in _blocks(row) for kernel, ratio in unit)
        nodes = ("stem", *blocks, "head")
        edges = {(i, i + 1): "" for i in range(len(nodes) - 1)}
        attributes = {"resolution": str(RESOLUTIONS[row[0]])}
        return DAG(nodes, edges, attributes, inputs=(0,), outputs=(len(nodes) - 1,))

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        resolution, depths, blocks = _split(x)
        active = _active(depths)
        kernels = torch.tensor(KERNELS, dtype=torch.float64)[blocks[..., 0]]
        ratios = torch.tensor(EXPANSIONS)[blocks[..., 1]]
        side = torch.tensor(RESOLUTIONS)[resolution] // 2
        # Stem: a 3x3 convolution of stride two and a block of one depthwise and one 1x1 layer.
        fixed = 9 * task.channels * STEM + 9 * STEM + STEM * STEM
        params = torch.full((len(x),), fixed + 6 * STEM, dtype=torch.float64)
        macs = fixed * side.double() ** 2
        depth = torch.full((len(x),), 3, dtype=torch.float64)
        width = STEM
        for u, out in enumerate(WIDTHS):
            for b in range(SLOTS):
                on = active[:, u, b].double()
                hidden = _hidden(width)[ratios[:, u, b]]
                entering = side.double() ** 2
                if b == 0:
                    side = (side - 1) // STRIDES[u] + 1
                leaving = side.double() ** 2
                taps = kernels[:, u, b] ** 2 * hidden
                params += on * (hidden * (width + out) + taps + 4 * hidden + 2 * out)
                macs += on * (hidden * (width * entering + out * leaving) + taps * leaving)
                depth += 3 * on
                if SQUEEZED[u]:
                    squeezed = _squeezed(width)[ratios[:, u, b]]
                    params += on * (2 * hidden * squeezed + hidden + squeezed)
                    macs += on * 2 * hidden * squeezed
                    depth += 2 * on
                width = out
        params += width * FINAL + 2 * FINAL + FINAL * FEATURES
        params += FEATURES * task.classes + task.classes
        macs += width * FINAL * side.double() ** 2 + FINAL * FEATURES + FEATURES * task.classes
        return {"params": params, "macs": macs, "depth": depth + 3}

    def task_of(self, row: Sequence[int], task: Task) -> Task:
        return replace(image_task(task), resolution=RESOLUTIONS[row[0]])

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        layers: list[nn.Module] = [
            convolution(task.channels, STEM, 3, 2),
            nn.Hardswish(),
            InvertedResidual(STEM, STEM, STEM, 3, 1, nn.ReLU, squeezed=None),
        ]
        width = STEM
        for u, unit in enumerate(_blocks(row)):
            for b, (kernel, ratio) in enumerate(unit):
                stride = STRIDES[u] if b == 0 else 1
                hidden = divisible(width * ratio)
                squeezed = divisible(hidden // 4) if SQUEEZED[u] else None
                layers.append(
                    InvertedResidual(
                        width, hidden, WIDTHS[u], kernel, stride, ACTIVATIONS[u], squeezed
                    )
                )
                width = WIDTHS[u]
        layers += [
            convolution(width, FINAL, 1),
            nn.Hardswish(),
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(FINAL, FEATURES, 1, bias=False),
            nn.Hardswish(),
            nn.Flatten(),
            nn.Linear(FEATURES, task.classes),
        ]
        return nn.Sequential(*layers)


def divisible(value: int, divisor: int = 8) -> int:
    """Rounds a channel count to a multiple of eight, never losing more than a tenth.

    Example:
        >>> divisible(18), divisible(96)
        (24, 96)
    """
    rounded = max(divisor, (value + divisor // 2) // divisor * divisor)
    return rounded if rounded >= 0.9 * value else rounded + divisor


def _hidden(width: int) -> Float[Tensor, " R"]:
    """Hidden width of a block by expansion ratio (zero where there is no such ratio)."""
    sizes = [divisible(width * r) if r in EXPANSIONS else 0 for r in range(max(EXPANSIONS) + 1)]
    return torch.tensor(sizes, dtype=torch.float64)


def _squeezed(width: int) -> Float[Tensor, " R"]:
    """Width inside squeeze-and-excitation by expansion ratio."""
    sizes = [divisible(int(hidden) // 4) for hidden in _hidden(width).tolist()]
    return torch.tensor(sizes, dtype=torch.float64)


def _split(
    x: Int[Tensor, "B V"],
) -> tuple[Int[Tensor, " B"], Int[Tensor, "B 5"], Int[Tensor, "B 5 4 2"]]:
    """Resolution, depths of the units, and kernel and expansion of every slot."""
    units = x[:, 1:].reshape(-1, UNITS, PER_UNIT)
    return x[:, 0], units[..., 0], units[..., 1:].unflatten(2, (SLOTS, 2))


def _active(depths: Int[Tensor, "B 5"]) -> Bool[Tensor, "B 5 4"]:
    return torch.arange(SLOTS) < torch.tensor(DEPTHS)[depths][..., None]


def _blocks(row: Sequence[int]) -> list[list[tuple[int, int]]]:
    """Kernel and expansion of the active blocks, unit by unit."""
    units = []
    for u in range(UNITS):
        depth, *slots = row[1 + u * PER_UNIT : 1 + (u + 1) * PER_UNIT]
        pairs = zip(slots[::2], slots[1::2], strict=True)
        filled = [(KERNELS[kernel], EXPANSIONS[ratio]) for kernel, ratio in pairs]
        units.append(filled[: DEPTHS[depth]])
    return units
