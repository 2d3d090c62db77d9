"""The space of AutoGAN (Gong et al., ICCV 2019): generators of three cells with skips."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, TypeVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import Seed
from ..counts import count
from ..dag import DAG
from ..literals import integers, read_literal
from ..task import ImageTask, Task
from ..variable import Variable
from ._blocks import image_head, table_of, upsample
from .adversarial import SCALE, GeneratorSpace, generation_task

__all__ = ["AutoGAN"]

ORDERS, NORMS, UPS = ("post", "pre"), ("none", "bn", "in"), ("bilinear", "nearest", "deconv")
STAGES = 3
# Numbers of the string, whose last stands for two columns.
NUMBERS = 14
# Nodes of a stage: behind its first half and at its end.
MIDDLE, END = (1, 3, 5), (2, 4, 6)
# Where the columns of a stage end.
ENDS = (4, 9, 15)
T = TypeVar("T")


def _stage_variables(stage: int) -> tuple[Variable, ...]:
    middle, end, start = MIDDLE[stage], END[stage], 2 * stage
    number = stage + 1
    return (
        Variable(f"conv_{number}", ORDERS, "op", (middle,)),
        Variable(f"norm_{number}", NORMS, "op", (middle,)),
        Variable(f"up_{number}", UPS, "op", (start, middle)),
        Variable(f"shortcut_{number}", ("no", "yes"), "edge", (start, end)),
        *(
            Variable(f"skip_{earlier + 1}_{number}", ("0", "1"), "edge", (MIDDLE[earlier], middle))
            for earlier in range(stage)
        ),
    )


class AutoGAN(GeneratorSpace):
    """The 373,248 generators of AutoGAN (arXiv 1908.03835).

    Three cells double the resolution. Each has two 3x3 convolutions, with ReLU and normalisation
    before (``pre``) or behind them (``post``), a way to raise the resolution, perhaps a shortcut,
    and skips from the middles of earlier cells. In the middle of a cell is what its first half
    gives, and what skips add to it.

    An architecture is written as the public repository has it, ``1 0 1 1 1 0 0 1 1 1 0 1 0 3``:
    for each cell the order (0 post, 1 pre), the normalisation (0 none, 1 batch, 2 instance), the
    way up (0 bilinear, 1 nearest, 2 deconv) and the shortcut; for the second cell then its skip,
    for the third its skips, 2 from the first cell plus 1 from the second. Lists of them are read.

    Instance normalisation leaves out what is one pixel large, as the first cell's input is for
    images of 8 pixels: nothing would be left of it.

    Args:
        width: Channels.
        latent: Values of the noise.
        conditional: Whether the embedding of a class is added to the noise.

    Raises:
        UsageError: For a width or a noise of less than one.

    Example:
        >>> nets = AutoGAN()
        >>> best = nets.architecture(nets.published["AutoGAN (CIFAR-10 A)"])
        >>> best["up_1"], best["skip_1_3"], int(nets.statistics(nets.rows([best]))["params"])
        ('nearest', True, 4405251)
    """

    name = "autogan"
    task: Task = ImageTask()
    nodes = (
        "noise",
        *(f"cell {stage} {part}" for stage in range(1, STAGES + 1) for part in ("middle", "end")),
        "image",
    )
    skeleton = (*zip(MIDDLE, END, strict=True), (END[-1], END[-1] + 1))
    inputs, outputs = (0,), (END[-1] + 1,)
    variables = tuple(v for stage in range(STAGES) for v in _stage_variables(stage))
    published: ClassVar[dict[str, str]] = {"AutoGAN (CIFAR-10 A)": "1 0 1 1 1 0 0 1 1 1 0 1 0 3"}

    def __init__(self, *, width: int = 256, latent: int = 128, conditional: bool = False) -> None:
        if width < 1 or latent < 1:
            raise UsageError(
                f"A generator has channels and noise, got width={width}, latent={latent}.",
                "The paper has width=256, latent=128.",
            )
        self.width, self.latent, self.conditional = width, latent, conditional

    @property
    def architecture_count(self) -> int:
        return self.encoding_count

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        return self._uniform(n, seed)

    def to_string(self, row: Sequence[int]) -> str:
        *first, early, late = row
        return " ".join(map(str, (*first, 2 * early + late)))

    def from_string(self, text: str) -> tuple[int, ...]:
        said = read_literal(text)
        try:
            numbers = integers(said, "choices") if isinstance(said, list | tuple) else []
            if len(numbers) != NUMBERS:
                raise ValueError(f"it has {len(numbers) or 'no'} numbers, expected {NUMBERS}")
            for variable, number in zip(self.variables, numbers[:-1], strict=False):
                if not 0 <= number < variable.size:
                    raise ValueError(f"{variable.name} is 0 to {variable.size - 1}, got {number}")
            *first, skips = numbers
            if not 0 <= skips < 4:
                raise ValueError(f"the skips of the third cell are 0 to 3, got {skips}")
        except ValueError as error:
            raise self.unreadable(text, str(error)) from None
        return (*first, skips // 2, skips % 2)

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws both halves of every cell, what raises the resolution, shortcuts and skips."""
        drawn = super().dag(row)
        nodes, edges = list(drawn.nodes), dict(drawn.edges)
        for stage, genes in enumerate(_stages(row)):
            order, norm, way, shortcut, *skips = genes
            start, middle, end = 2 * stage, MIDDLE[stage], END[stage]
            norm_label = f" {NORMS[norm]}" if norm else ""
            nodes[middle] = nodes[end] = f"conv_3x3 {ORDERS[order]}{norm_label}"
            edges[start, middle] = f"up {UPS[way]}"
            if shortcut:
                edges[start, end] = "shortcut"
            edges |= {(MIDDLE[each], middle): "skip" for each, used in enumerate(skips) if used}
        return DAG(tuple(nodes), edges, drawn.attributes, self.inputs, self.outputs, drawn.roles)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = generation_task(task or self.task)
        width, side = self.width, task.resolution // SCALE
        linear = self.latent * side**2 * width
        head = count(image_head, width, task.channels, 1, (task.resolution,) * 2)
        labels = task.classes * self.latent * self.conditional
        params = torch.full((len(x),), float(linear + side**2 * width + head.params + labels))
        params, macs = params.double(), torch.full((len(x),), float(linear + head.macs)).double()
        depth = torch.full((len(x),), 1.0 + head.depth, dtype=torch.float64)
        norms = torch.tensor([0, 4 * width, 0]).double()
        # What raises the resolution of what stands at each earlier side.
        ways: list[Float[Tensor, "3 3"]] = []
        for genes in _stages(x.unbind(1)):
            _, norm, way, shortcut, *skips = genes
            ways.append(table_of(upsample, UPS, width, side))
            side *= 2
            three, one = (
                torch.tensor(count(make, width, width, 1, (side, side))[:3]).double()
                for make in (_three, _one)
            )
            main = ways[-1][way] + 2 * three
            beside = shortcut[:, None] * (ways[-1][way] + one)
            for earlier, used in enumerate(skips, 1):
                raised = torch.stack(ways[earlier:]).sum(0)[way]
                beside = beside + used[:, None] * (raised + one)
            # No way beside the convolutions is longer than theirs.
            params = params + main[:, 0] + beside[:, 0] + norms[norm]
            macs = macs + main[:, 1] + beside[:, 1]
            depth = depth + main[:, 2]
        return {"params": params, "macs": macs, "depth": depth}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(z)``, or with ``labels``, gives images."""
        return _Network(row, self, generation_task(task))


def _stages(row: Sequence[T]) -> list[list[T]]:
    """The columns of every stage: four, then those of its skips."""
    return [list(row[start:end]) for start, end in zip((0, *ENDS), ENDS, strict=False)]


def _three(width: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(width, out, 3, stride, 1)


def _one(width: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(width, out, 1, stride)


def _norm(name: str, width: int) -> list[nn.Module]:
    if name == "none":
        return []
    return [nn.BatchNorm2d(width) if name == "bn" else nn.InstanceNorm2d(width)]


class _Cell(nn.Module):
    """A cell of AutoGAN.

    Args:
        genes: Choices of order, normalisation, way up, shortcut and of a skip from each earlier
            cell.
        width: Channels.
        pixel: Whether it is given a single pixel.
    """

    def __init__(self, genes: Sequence[int], width: int, *, pixel: bool = False) -> None:
        super().__init__()
        order, norm, way, shortcut, *skips = genes
        name = UPS[way]
        up, conv = upsample(name, width), _three(width, width)
        again = _three(width, width)
        norms = [_norm(NORMS[norm], width) for _ in range(2)]
        if ORDERS[order] == "pre":
            before = [] if pixel and NORMS[norm] == "in" else norms[0]
            self.first = nn.Sequential(*before, nn.ReLU(), up, conv)
            self.second = nn.Sequential(*norms[1], nn.ReLU(), again)
        else:
            self.first = nn.Sequential(up, conv, *norms[0], nn.ReLU())
            self.second = nn.Sequential(again, *norms[1], nn.ReLU())
        # By the number of the earlier cell.
        self.skips = nn.ModuleDict(
            {
                str(earlier): nn.Sequential(
                    upsample(name, width, 2 ** (len(skips) - earlier)), _one(width, width)
                )
                for earlier, used in enumerate(skips)
                if used
            }
        )
        self.shortcut = (
            nn.Sequential(upsample(name, width), _one(width, width)) if shortcut else None
        )

    def forward(
        self, x: Float[Tensor, "B C h w"], middles: Sequence[Float[Tensor, "B C _ _"]]
    ) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
        """Returns what the cell gives, and what stands in its middle.

        Args:
            x: What the cell before gives.
            middles: What stands in the middle of every cell before.
        """
        middle = self.first(x)
        for earlier, skip in self.skips.items():
            middle = middle + skip(middles[int(earlier)])
        out = self.second(middle)
        return (out if self.shortcut is None else out + self.shortcut(x)), middle


class _Network(nn.Module):
    def __init__(self, row: Sequence[int], space: AutoGAN, task: ImageTask) -> None:
        super().__init__()
        width, self.side = space.width, task.resolution // SCALE
        self.labels = nn.Embedding(task.classes, space.latent) if space.conditional else None
        self.linear = nn.Linear(space.latent, self.side**2 * width)
        self.cells = nn.ModuleList(
            _Cell(genes, width, pixel=not stage and self.side == 1)
            for stage, genes in enumerate(_stages(row))
        )
        self.head = image_head(width, task.channels)

    def forward(
        self, z: Float[Tensor, "B L"], labels: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B C H W"]:
        if self.labels is not None:
            z = z + self.labels(labels)
        x = self.linear(z).unflatten(1, (-1, self.side, self.side))
        middles: list[Tensor] = []
        for cell in self.cells:
            x, middle = cell(x, middles)
            middles.append(middle)
        return self.head(x)
