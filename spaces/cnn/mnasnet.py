"""The factorised hierarchical space of MnasNet (Tan et al., CVPR 2019)."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ..dag import DAG
from ..space import Space
from ..task import ImageTask, Task
from ..variable import Variable
from ._image import image_task
from ._mnasnet_layer import KERNELS, OPERATIONS, RATIOS, SKIPS, layer, layer_counts
from .blocks import convolution

__all__ = ["MnasNet"]

# MobileNetV2's layers of each block and the strides of the first of them.
LAYERS, STRIDES = (1, 2, 3, 4, 3, 3, 1), (1, 2, 2, 2, 1, 2, 1)
SCALES = (0.75, 1.0, 1.25)
BLOCKS = len(LAYERS)
STEM, FEATURES = 32, 1280
# Operation, kernel, squeeze-and-excitation, skip, filters, layers.
COLUMNS = 6
SKIP, COUNT = 3, 5
LABELS = tuple(f"{scale:g}" for scale in SCALES)
# What the number of layers can be: one fewer, as many, one more, but at least one.
DEPTHS = tuple(tuple(n for n in (k - 1, k, k + 1) if n) for k in LAYERS)
BLOCK = re.compile(r"(\w+?)_k(\d)_se([\d.]+)_(\w+)_f([\d.]+)_n(\d)")


def _block_variables(block: int) -> list[Variable]:
    number, place = block + 1, (block + 1,)
    return [
        Variable(f"op_{number}", OPERATIONS, "op", place),
        Variable(f"kernel_{number}", tuple(map(str, KERNELS)), "op", place),
        Variable(f"se_{number}", tuple(f"{r:g}" for r in RATIOS), "size", place, values=RATIOS),
        Variable(f"skip_{number}", SKIPS, "op", place),
        Variable(f"filters_{number}", LABELS, "size", place, values=SCALES),
        Variable(f"layers_{number}", tuple(map(str, DEPTHS[block])), "size", place),
    ]


class MnasNet(Space):
    """The 4.3e17 networks of MnasNet (arXiv 1807.11626): seven blocks of equal layers each.

    A block chooses, from the paper's 432, an operation (convolution, depthwise separable
    convolution, inverted bottleneck with expansion 3 or 6), a kernel (3, 5), a ratio of
    squeeze-and-excitation (0, 0.25 of the layer's input), a skip (pooling, identity, none), and
    relative to MobileNetV2 its filters (0.75, 1, 1.25 times) and layers (one fewer, as many, one
    more). Taken here, where the paper is silent: a block has one layer at least; filters are not
    rounded to multiples of eight, which would make some of them equal; a skip goes around the
    layers that keep width and resolution, so not around a block's first. What the skip of a block
    of one layer would be is no part of an architecture; its canonical form has the first choice.

    Architectures are written block by block, ``mbconv6_k3_se0.25_identity_f1_n2``: operation,
    kernel, squeeze-and-excitation, skip, filters, layers, joined by ``|``. MnasNet-A1 lies beside
    the space: its fifth block has 112 filters, of which 96 by 1.25 are 120.

    Args:
        width: Times all filters, those of stem and head included.
        stem_stride: Of the first convolution; 1 keeps more of small images, such as of 32 pixels.

    Raises:
        UsageError: For a width below 0.25, or another stride than 1 and 2.

    Example:
        >>> nets = MnasNet()
        >>> near_a1 = "|".join(
        ...     [
        ...         "sepconv_k3_se0_none_f1_n1",
        ...         "mbconv6_k3_se0_identity_f1_n2",
        ...         "mbconv3_k5_se0.25_identity_f1.25_n3",
        ...         "mbconv6_k3_se0_identity_f1.25_n4",
        ...         "mbconv6_k3_se0.25_identity_f1.25_n2",
        ...         "mbconv6_k5_se0.25_identity_f1_n3",
        ...         "mbconv6_k3_se0_identity_f1_n1",
        ...     ]
        ... )
        >>> int(nets.statistics(nets.rows([near_a1]))["params"])
        3945250
    """

    name = "mnasnet"
    task = ImageTask(classes=1000, resolution=224)
    nodes = ("stem", *(f"block {block + 1}" for block in range(BLOCKS)), "head")
    skeleton = tuple((i, i + 1) for i in range(BLOCKS + 1))
    inputs, outputs = (0,), (BLOCKS + 1,)
    variables = tuple(variable for block in range(BLOCKS) for variable in _block_variables(block))
    # MobileNetV2's.
    filters: tuple[float | int, ...] = (16, 24, 32, 64, 96, 160, 320)

    def __init__(self, *, width: float | int = 1.0, stem_stride: int = 2) -> None:
        if width < 0.25 or stem_stride not in (1, 2):
            raise UsageError(
                "A network has a width of at least 0.25 and a stem of stride 1 or 2, got "
                f"{width} and {stem_stride}.",
                "The paper has width=1, stem_stride=2.",
            )
        self.width, self.stem_stride = width, stem_stride

    @property
    def architecture_count(self) -> int:
        total = 1
        for depths in DEPTHS:
            fillings = len(OPERATIONS) * len(KERNELS) * len(RATIOS) * len(SCALES)
            total *= fillings * sum(1 if depth == 1 else len(SKIPS) for depth in depths)
        return total

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        blocks = _split(x).clone()
        blocks[..., SKIP] *= _skips(x)
        return blocks.flatten(1)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly, as canonical rows.

        A block of one layer has no skip, so it is drawn a third as often as one of two or more.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        generator = make_generator(seed)
        sizes = self.choice_mask.sum(1)
        draw = torch.rand(n, len(sizes), generator=generator, dtype=torch.float64)
        x = (draw * sizes).long()
        for block, depths in enumerate(DEPTHS):
            at = block * COLUMNS + COUNT
            weights = torch.tensor([1.0 if depth == 1 else len(SKIPS) for depth in depths])
            share = (weights / weights.sum()).double().cumsum(0)
            x[:, at] = torch.bucketize(draw[:, at].contiguous(), share[:-1], right=True)
        return self.canonical(x)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws what the skip would be of blocks of one layer."""
        draw = torch.rand(len(x), BLOCKS, generator=make_generator(seed))
        blocks = _split(x).clone()
        other = (draw * len(SKIPS)).long()
        blocks[..., SKIP] = torch.where(_skips(x), blocks[..., SKIP], other)
        return blocks.flatten(1)

    def to_string(self, row: Sequence[int]) -> str:
        parts = []
        for block, (op, kernel, ratio, skip, scale, count_) in enumerate(_blocks(row)):
            parts.append(
                f"{OPERATIONS[op]}_k{KERNELS[kernel]}_se{RATIOS[ratio]:g}_{SKIPS[skip]}"
                f"_f{LABELS[scale]}_n{DEPTHS[block][count_]}"
            )
        return "|".join(parts)

    def from_string(self, text: str) -> tuple[int, ...]:
        said = text.strip().split("|")
        if len(said) != BLOCKS:
            raise self.unreadable(text, f"there are {BLOCKS} blocks, got {len(said)}")
        row: list[int] = []
        for block, part in enumerate(said):
            match = BLOCK.fullmatch(part.strip())
            if match is None:
                raise self.unreadable(text, f"{part.strip()!r} is no block")
            variables = self.variables[block * COLUMNS : (block + 1) * COLUMNS]
            for variable, label in zip(variables, match.groups(), strict=True):
                if label not in variable.choices:
                    expected = ", ".join(variable.choices)
                    raise self.unreadable(
                        text, f"{variable.name} is one of {expected}, got {label!r}"
                    )
                row.append(variable.choices.index(label))
        return tuple(row)

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the chain of blocks."""
        nodes = ("stem", *self.to_string(row).replace("_", " ").split("|"), "head")
        edges = {(i, i + 1): "" for i in range(len(nodes) - 1)}
        return DAG(nodes, edges, {}, (0,), (len(nodes) - 1,))

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        stem, features = self._channels(STEM), self._channels(FEATURES)
        side = -(-task.resolution // self.stem_stride)
        weights = 9 * task.channels * stem
        totals = torch.tensor([weights + 2 * stem, weights * side**2, 1], dtype=torch.float64)
        totals = totals.expand(len(x), -1)
        before = torch.full((len(x),), float(stem), dtype=torch.float64)
        for block, stride in enumerate(STRIDES):
            op, kernel, ratio, _, scale, number = _split(x)[:, block].unbind(1)
            width = torch.tensor(self._widths(block), dtype=torch.float64)[scale]
            inner = -(-side // stride)
            repeats = torch.tensor(DEPTHS[block])[number] - 1
            first = layer_counts(before, width, (side, inner), op, kernel, ratio)
            other = layer_counts(width, width, (inner, inner), op, kernel, ratio)
            totals = totals + first + repeats[:, None] * other
            before, side = width, inner
        params, macs, depth = totals.unbind(1)
        head = features * task.classes
        params = params + before * features + 2 * features + head + task.classes
        macs = macs + before * features * side**2 + head
        return {"params": params, "macs": macs, "depth": depth + 2}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        width, features = self._channels(STEM), self._channels(FEATURES)
        layers: list[nn.Module] = [_convolved(task.channels, width, 3, self.stem_stride)]
        for block, (op, kernel, ratio, skip, scale, number) in enumerate(_blocks(row)):
            out = self._widths(block)[scale]
            for index in range(DEPTHS[block][number]):
                layers.append(
                    layer(
                        width,
                        out,
                        1 if index else STRIDES[block],
                        operation=OPERATIONS[op],
                        kernel=KERNELS[kernel],
                        ratio=RATIOS[ratio],
                        skip=SKIPS[skip] if index else "none",
                    )
                )
                width = out
        head = nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(features, task.classes)
        return nn.Sequential(*layers, _convolved(width, features, 1, 1), *head)

    def _channels(self, filters: float | int) -> int:
        return int(filters * self.width + 0.5)

    def _widths(self, block: int) -> list[int]:
        """Filters of a block at each scale."""
        return [self._channels(self.filters[block] * scale) for scale in SCALES]


def _convolved(width: int, out: int, kernel: int, stride: int) -> nn.Module:
    return nn.Sequential(convolution(width, out, kernel, stride), nn.ReLU())


def _split(x: Int[Tensor, "B V"]) -> Int[Tensor, "B 7 6"]:
    return x.unflatten(1, (BLOCKS, COLUMNS))


def _skips(x: Int[Tensor, "B V"]) -> Bool[Tensor, "B 7"]:
    """Which blocks have layers that a skip can go around."""
    numbers = _split(x)[..., COUNT]
    return torch.stack(
        [torch.tensor(depths)[numbers[:, b]] > 1 for b, depths in enumerate(DEPTHS)], dim=1
    )


def _blocks(row: Sequence[int]) -> list[Sequence[int]]:
    return [row[i * COLUMNS : (i + 1) * COLUMNS] for i in range(BLOCKS)]
