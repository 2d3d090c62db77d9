"""TransNAS-Bench-101 (Duan et al., CVPR 2021): cells of four nodes, an operation on every edge."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..counts import count
from ..operation import Operation, all_operations, name_with
from ..space import Space
from ..task import ImageTask, Task
from ..variable import Variable
from ._image import image_task
from .blocks import ReLUConvolution, Zero, convolution, skip, total

__all__ = ["OPERATIONS", "TransNAS101Micro"]

OPERATIONS = (
    Operation("none", Zero, "absent"),
    # From the input of a cell that changes the shape, it is two convolutions.
    Operation("skip_connect", skip, "identity"),
    Operation("conv_1x1", partial(ReLUConvolution, kernel=1)),
    Operation("conv_3x3", partial(ReLUConvolution, kernel=3)),
)
# Order of the native string: the edges into node 1, then into node 2, then into node 3.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
# What becomes of the edges where nodes 1 and 2 change places, and the edge between the two.
EXCHANGED, BETWEEN = (1, 0, 2, 3, 5, 4), 2
# One sign for each operation.
SIGNS = "0123456789abcdefghijklmnopqrstuvwxyz"
CELLS_PER_MODULE = 2


class Place(NamedTuple):
    """Where a cell stands: channels in and out, stride."""

    width: int
    out: int
    stride: int


class TransNAS101Micro(Space):
    """The 4,096 cells of TransNAS-Bench-101 (arXiv 2105.11871), 3,616 of them distinct.

    Every node is the sum of its edges' operations, as in NAS-Bench-201; the first cell of a module
    may double the channels and halve the resolution. Where nothing leads from node 1 to node 2,
    the two can change places: such cells are one architecture. Statistics are of the cell as
    written, with operations that nothing reaches included. The head is that of classification.

    An architecture is written ``64-41414-1_02_333``: width, modules, cell. The cell alone is read,
    too, and so is any other width and row of modules, for these are the space's.

    Args:
        operations: What an edge can do; the four of the paper and your own (see `operation`).
        width: Channels of the first module.
        modules: A digit for every module of two cells: 1 keeps the shape, 2 doubles the channels,
            3 halves the resolution, 4 does both.

    Raises:
        UsageError: For a width that is odd, modules that are none, or more than 36 operations.

    Example:
        >>> cells = TransNAS101Micro()
        >>> net = cells.architecture("64-41414-1_02_333")
        >>> net["op_0_2"], net["op_2_3"], cells.architecture_count
        ('none', 'conv_3x3', 3616)
    """

    additive = True
    name = "transnas101-micro"
    task = ImageTask(classes=75, resolution=256)
    nodes = ("input", "sum 1", "sum 2", "output")
    inputs, outputs = (0,), (3,)

    def __init__(
        self,
        *,
        operations: Sequence[Operation] = OPERATIONS,
        width: int = 64,
        modules: str | int = "41414",
    ) -> None:
        self.operations = all_operations(operations, OPERATIONS)
        self.width, self.modules = width, str(modules)
        if width < 2 or width % 2 or not re.fullmatch("[1-4]+", self.modules):
            raise UsageError(
                f"A network has an even width and modules of 1 to 4, got {width} and {modules!r}.",
                "The paper has width=64, modules=41414.",
            )
        if len(self.operations) > len(SIGNS):
            raise UsageError(
                f"A cell is written with {len(SIGNS)} operations at most, got "
                f"{len(self.operations)}.",
                "Leave some out.",
            )
        self.name = name_with(type(self).name, self.operations, OPERATIONS)
        names = tuple(each.name for each in self.operations)
        roles = tuple(each.role for each in self.operations)
        self.variables = tuple(
            Variable(f"op_{i}_{j}", names, "op", (i, j), roles) for i, j in EDGES
        )
        self._absent = torch.tensor([role == "absent" for role in roles])

    @property
    def architecture_count(self) -> int:
        size, absent = len(self.operations), int(self._absent.sum())
        # Without the edge, the pairs of edges of nodes 1 and 2 are drawn without order.
        pairs = size**2 * (size**2 + 1) // 2
        return (size - absent) * size**5 + absent * size * pairs

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        other = x[:, list(EXCHANGED)]
        first = torch.from_numpy(self.codes(other) < self.codes(x))
        return torch.where((self._absent[x[:, BETWEEN]] & first)[:, None], other, x)

    def to_string(self, row: Sequence[int]) -> str:
        signs = "".join(SIGNS[index] for index in row)
        return f"{self.width}-{self.modules}-{signs[0]}_{signs[1:3]}_{signs[3:]}"

    def from_string(self, text: str) -> tuple[int, ...]:
        size = len(self.operations)
        match = re.fullmatch(
            r"(?:\d{1,6}-[1-4]+-)?([0-9a-z])_([0-9a-z]{2})_([0-9a-z]{3})", text.strip()
        )
        if match is None:
            raise self.unreadable(text, "it is no width-modules-cell")
        row = tuple(SIGNS.index(sign) for sign in "".join(match.groups()))
        if max(row) >= size:
            raise self.unreadable(
                text, f"operations are 0 to {SIGNS[size - 1]}, got {SIGNS[max(row)]}"
            )
        return row

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        sides: tuple[int, ...] = (task.resolution, task.resolution)
        params, macs, depth = (torch.zeros(len(x), dtype=torch.float64) for _ in range(3))
        width = task.channels
        for build, out in zip(_STEM, (self.width // 2, self.width), strict=True):
            stem = count(build, width, out, 2, sides)
            params, macs, depth = params + stem.params, macs + stem.macs, depth + stem.depth
            width, sides = out, stem.shape[1:]
        edges = torch.arange(len(EDGES))
        for place in self._places():
            table, sides = self._table(place, sides)
            chosen = table[edges, x]
            params, macs = params + chosen[..., 0].sum(1), macs + chosen[..., 1].sum(1)
            depth = depth + self._cell_depth(x, chosen[..., 2])
            width = place.out
        params += width * task.classes + task.classes
        macs += width * task.classes
        return {"params": params, "macs": macs, "depth": depth + 1}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        half = self.width // 2
        chosen = [self.operations[index] for index in row]
        places = list(self._places())
        return nn.Sequential(
            _STEM[0](task.channels, half, 2),
            _STEM[1](half, self.width, 2),
            *(_Cell(chosen, place) for place in places),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(places[-1].out, task.classes),
        )

    def _places(self) -> list[Place]:
        """Where the cells stand."""
        places, width = [], self.width
        for module in map(int, self.modules):
            out = width * (1 if module % 2 else 2)
            places.append(Place(width, out, 2 if module > 2 else 1))
            places += [Place(out, out, 1)] * (CELLS_PER_MODULE - 1)
            width = out
        return places

    def _table(
        self, place: Place, sides: tuple[int, ...]
    ) -> tuple[Float[Tensor, "E C 3"], tuple[int, ...]]:
        """Parameters, multiply-adds and depth of every operation on every edge; sides put out."""
        inner = tuple(-(-side // place.stride) for side in sides)
        rows = [
            [
                (
                    count(each, *place, sides)
                    if source == 0
                    else count(each, place.out, place.out, 1, inner)
                )[:3]
                for each in self.operations
            ]
            for source, _ in EDGES
        ]
        return torch.tensor(rows, dtype=torch.float64), inner

    def _cell_depth(
        self, x: Int[Tensor, "B V"], weight: Float[Tensor, "B V"]
    ) -> Float[Tensor, " B"]:
        """Weighted layers on the longest path through a cell; 0 where there is none."""
        best = [torch.zeros(len(x), dtype=torch.float64)]
        for node in (1, 2, 3):
            arriving = [
                torch.where(self._absent[x[:, k]], -torch.inf, best[i] + weight[:, k])
                for k, (i, j) in enumerate(EDGES)
                if j == node
            ]
            best.append(torch.stack(arriving).amax(0))
        return best[3].clamp(min=0)


def _first(width: int, out: int, stride: int) -> nn.Module:
    return convolution(width, out, 3, stride)


# Both halve the resolution.
_STEM = (_first, partial(ReLUConvolution, kernel=3))


class _Cell(nn.Module):
    """Every node is the sum of its incoming edges' operations."""

    def __init__(self, chosen: Sequence[Operation], place: Place) -> None:
        super().__init__()
        self.operations = nn.ModuleList(
            each.build(*place) if source == 0 else each.build(place.out, place.out, 1)
            for each, (source, _) in zip(chosen, EDGES, strict=True)
        )

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        states = [x]
        for node in (1, 2, 3):
            arriving = [
                (operation, states[i])
                for (i, j), operation in zip(EDGES, self.operations, strict=True)
                if j == node
            ]
            states.append(total(arriving))
        return states[3]
