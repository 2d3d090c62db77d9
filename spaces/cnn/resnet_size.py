"""How deep and wide a ResNet's stages are, and their kernels: for images and for series."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from copy import copy
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import Seed, make_generator
from ..dag import DAG
from ..space import Space
from ..task import ImageTask, SeriesTask, Task
from ..variable import Variable
from ._residual import POOLINGS, ResidualBlock, plain_convolution

__all__ = ["ResNetSize"]

STAGES, DEPTHS, SCALES, KERNELS = (3, 4), (1, 2, 3), (0.5, 0.75, 1.0, 1.5), (3, 5, 7)
SLOTS = max(STAGES)
CHOICES = len(DEPTHS) * len(SCALES) * len(KERNELS)
LABELS = tuple(f"{scale:g}" for scale in SCALES)
STAGE = re.compile(r"d(\d)w([\d.]+)k(\d)")


class ResNetSize(Space):
    """Residual networks of three or four stages, each with its depth, width and kernel.

    A stage has one to three residual blocks (arXiv 1512.03385) and a width of 0.5 to 1.5 times
    ``width``, which doubles from stage to stage as the resolution halves. Architectures are
    written stage by stage, ``d2w1k3-d1w0.75k5-d1w1.5k3``: depth, width, kernel. What a fourth
    stage would be is no part of an architecture of three, and its canonical form has first choices
    there.

    For an `ImageTask` the convolutions have two axes, for a `SeriesTask` one. At the default width
    a network trains in minutes on a CPU.

    Args:
        width: Channels of the first stage at a width of 1, a multiple of four.

    Raises:
        UsageError: For any other width.

    Example:
        >>> from vitruvius.spaces import SeriesTask
        >>> nets = ResNetSize(width=8)
        >>> net = nets.architecture("d1w1k3-d1w1k5-d2w0.5k3")
        >>> counts = nets.statistics(nets.rows([net]), SeriesTask(classes=5, length=100))
        >>> int(counts["params"]), net["stages"], net["width_2"]
        (6173, 3, 1.0)
    """

    name = "resnet-size"
    task: Task = ImageTask()
    nodes = ("stem", *(f"stage {stage}" for stage in range(1, SLOTS + 1)), "head")
    skeleton = tuple((i, i + 1) for i in range(SLOTS + 1))
    inputs, outputs = (0,), (SLOTS + 1,)
    variables = (
        Variable("stages", tuple(map(str, STAGES)), "size"),
        *(
            variable
            for s in range(1, SLOTS + 1)
            for variable in (
                Variable(f"depth_{s}", tuple(map(str, DEPTHS)), "size", (s,)),
                Variable(f"width_{s}", LABELS, "size", (s,), values=SCALES),
                Variable(f"kernel_{s}", tuple(map(str, KERNELS)), "size", (s,)),
            )
        ),
    )

    def __init__(self, *, width: int = 16) -> None:
        # Then every width is whole, and no two are the same.
        if width < 4 or width % 4:
            raise UsageError(
                f"`width` must be a multiple of four, got {width}.", "16 is the default."
            )
        self.width = width

    @property
    def architecture_count(self) -> int:
        total: int = sum(CHOICES**stages for stages in STAGES)
        return total

    def for_task(self, task: Task) -> ResNetSize:
        bound = copy(self)
        bound.task = task
        _sides(task)
        return bound

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        stages, slots = _split(x)
        return torch.cat([x[:, :1], (slots * _active(stages)[..., None]).flatten(1)], dim=1)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly, as canonical rows.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        generator = make_generator(seed)
        sizes = self.choice_mask.sum(1)
        draw = torch.rand(n, len(sizes), generator=generator, dtype=torch.float64)
        x = (draw * sizes).long()
        # Of three stages there are fewer.
        x[:, 0] = (draw[:, 0] >= CHOICES ** STAGES[0] / self.architecture_count).long()
        return self.canonical(x)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws what the stage would be that an architecture does not have."""
        other = self.sample(len(x), seed)
        stages, slots = _split(x)
        filled = torch.where(_active(stages)[..., None], slots, _split(other)[1])
        return torch.cat([x[:, :1], filled.flatten(1)], dim=1)

    def to_string(self, row: Sequence[int]) -> str:
        stages = (f"d{depth}w{scale:g}k{kernel}" for depth, scale, kernel in _stages(row))
        return "-".join(stages)

    def from_string(self, text: str) -> tuple[int, ...]:
        said = text.strip().split("-")
        if len(said) not in STAGES:
            raise self.unreadable(text, f"there are 3 or 4 stages, got {len(said)}")
        row = [STAGES.index(len(said))]
        for stage in said:
            match = STAGE.fullmatch(stage.strip())
            depth, label, kernel = match.groups() if match else ("", "", "")
            known = depth in map(str, DEPTHS) and label in LABELS and kernel in map(str, KERNELS)
            if not known:
                raise self.unreadable(
                    text,
                    f"{stage.strip()!r} is no stage: d and a depth of 1 to 3, w and a width of "
                    f"{', '.join(LABELS)}, k and a kernel of 3, 5, 7",
                )
            row += [DEPTHS.index(int(depth)), LABELS.index(label), KERNELS.index(int(kernel))]
        return (*row, *[0] * (3 * (SLOTS - len(said))))

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the chain of stages there are."""
        stages = (f"d{depth} w{scale:g} k{kernel}" for depth, scale, kernel in _stages(row))
        nodes = ("stem", *stages, "head")
        edges = {(i, i + 1): "" for i in range(len(nodes) - 1)}
        return DAG(nodes, edges, {}, (0,), (len(nodes) - 1,))

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = task or self.task
        channels, sides = _sides(task)
        stages, slots = _split(x)
        active = _active(stages)
        totals = torch.zeros(len(x), 3, dtype=torch.float64)
        before = features = torch.zeros(len(x), dtype=torch.float64)
        for s in range(SLOTS):
            more, scale, kernel = slots[:, s].unbind(1)
            width = torch.tensor(self._widths(s), dtype=torch.float64)[scale]
            taps = torch.tensor(KERNELS, dtype=torch.float64)[kernel] ** len(sides)
            # Beside the two convolutions of the first block: the stem, or a short cut.
            beside = before * width if s else 3.0 ** len(sides) * channels * width
            entering = before if s else width
            sides = tuple(-(-side // 2) for side in sides) if s else sides
            weights = taps * width * (entering + width + more * 2 * width) + beside
            norms = (6 + 4 * more) * width
            depth = 2 * more + 2 + (s == 0)
            added = torch.stack([weights + norms, weights * math.prod(sides), depth.double()], 1)
            totals = totals + active[:, s, None] * added
            features = torch.where(active[:, s], width, features)
            before = width
        params, macs, depth = totals.unbind(1)
        head = features * task.classes
        return {"params": params + head + task.classes, "macs": macs + head, "depth": depth + 1}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        channels, sides = _sides(task)
        axes = len(sides)
        layers: list[nn.Module] = []
        width = channels
        for s, (depth, scale, kernel) in enumerate(_stages(row)):
            out = self._widths(s)[SCALES.index(scale)]
            if not s:
                layers.append(_STEMS[axes](width, out, 1))
                width = out
            for block in range(depth):
                stride = 2 if s and not block else 1
                layers.append(_BLOCKS[axes, kernel](width, out, stride))
                width = out
        head = POOLINGS[axes](1), nn.Flatten(), nn.Linear(width, task.classes)
        return nn.Sequential(*layers, *head)

    def _widths(self, stage: int) -> list[int]:
        """Channels of a stage at each of its widths."""
        return [int(self.width * 2**stage * scale) for scale in SCALES]


_STEMS = {axes: partial(plain_convolution, axes=axes) for axes in (1, 2)}
_BLOCKS = {
    (axes, kernel): partial(ResidualBlock, axes=axes, kernel=kernel)
    for axes in (1, 2)
    for kernel in KERNELS
}


def _sides(task: Task) -> tuple[int, tuple[int, ...]]:
    """Channels and sides of a task's input.

    Raises:
        UsageError: For what is neither images nor series.
    """
    if isinstance(task, ImageTask):
        return task.channels, (task.resolution, task.resolution)
    if isinstance(task, SeriesTask):
        return task.channels, (task.length,)
    raise UsageError(
        f"A residual network is built for an ImageTask or a SeriesTask, got {type(task).__name__}.",
        "Give vitruvius.spaces.SeriesTask(classes=…, length=…), for example.",
    )


def _split(x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, " B"], Int[Tensor, "B 4 3"]]:
    """Choice of the number of stages; depth, width and kernel of every stage."""
    return x[:, 0], x[:, 1:].unflatten(1, (SLOTS, 3))


def _active(stages: Int[Tensor, " B"]) -> Bool[Tensor, "B 4"]:
    return torch.arange(SLOTS) < torch.tensor(STAGES)[stages][:, None]


def _stages(row: Sequence[int]) -> list[tuple[int, float, int]]:
    """Depth, width and kernel of the stages there are."""
    slots = zip(row[1::3], row[2::3], row[3::3], strict=True)
    found = [(DEPTHS[d], SCALES[w], KERNELS[k]) for d, w, k in slots]
    return found[: STAGES[row[0]]]
