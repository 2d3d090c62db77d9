"""NAS-Bench-201 (Dong & Yang, ICLR 2020): cells of four nodes with an operation on every edge."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

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
from ._nasbench201_notations import read_foreign
from .blocks import Pooling, ReLUConvolution, Zero, skip, total

__all__ = ["OPERATIONS", "NASBench201"]

OPERATIONS = (
    Operation("none", Zero, "absent"),
    Operation("skip_connect", skip, "identity"),
    Operation("nor_conv_1x1", partial(ReLUConvolution, kernel=1)),
    Operation("nor_conv_3x3", partial(ReLUConvolution, kernel=3)),
    Operation("avg_pool_3x3", partial(Pooling, kind="avg")),
)
# Order of the native string: the edges into node 1, then into node 2, then into node 3.
EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
# Stages, each of twice the channels of the one before; a residual block that halves the resolution
# stands between them.
STAGES = 3


class NASBench201(Space):
    """The 15,625 cells of NAS-Bench-201 (arXiv 2001.00326), 6,466 of them distinct.

    Two cells are the same architecture where the paper counts them as isomorphic: the output node
    computes the same expression once skip connections are read as identities. Statistics are of
    the cell as written, with operations that nothing reaches included.

    Read, too, are AutoDL's ``Structure(4 nodes with …)`` and its nested tuples, the index of
    NAS-Bench-201 and NATS-Bench, NASLib's six numbers, and a list of the six operations.

    Args:
        width: Channels of the first stage; the benchmark's networks have 16.
        cells: Cells in each of the three stages; the benchmark's networks have 5.
        operations: What an edge can do; the five of the paper and your own (see `operation`).

    Raises:
        UsageError: For a size below 1.

    Example:
        >>> cells = NASBench201()
        >>> cells.to_string((3, 3, 3, 1, 3, 2))
        '|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_3x3~1|+|skip_connect~0|nor_conv_3x3~1|nor_conv_1x1~2|'
    """

    additive = True
    name = "nasbench201"
    task = ImageTask()
    nodes = ("input", "sum 1", "sum 2", "output")
    inputs, outputs = (0,), (3,)

    def __init__(
        self,
        *,
        width: int = 16,
        cells: int = 5,
        operations: Sequence[Operation] = OPERATIONS,
    ) -> None:
        if min(width, cells) < 1:
            raise UsageError(
                f"A network needs a width and cells of at least 1, got {width} and {cells}.",
                "The benchmark's have width=16, cells=5.",
            )
        self.cells = cells
        self.widths = tuple(width << stage for stage in range(STAGES))
        self.operations = all_operations(operations, OPERATIONS)
        self.name = name_with(type(self).name, self.operations, OPERATIONS)
        self._names = tuple(each.name for each in self.operations)
        roles = tuple(each.role for each in self.operations)
        self.variables = tuple(
            Variable(f"op_{i}_{j}", self._names, "op", (i, j), roles) for i, j in EDGES
        )

    @property
    def architecture_count(self) -> int:
        return self._classes

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        return self._representatives[torch.from_numpy(self.codes(x))]

    def to_string(self, row: Sequence[int]) -> str:
        groups = [
            "".join(
                f"|{self._names[index]}~{i}"
                for (i, j), index in zip(EDGES, row, strict=True)
                if j == node
            )
            for node in (1, 2, 3)
        ]
        return "+".join(f"{group}|" for group in groups)

    def from_string(self, text: str) -> tuple[int, ...]:
        if not text.lstrip().startswith("|"):
            try:
                foreign = read_foreign(text, self._names)
            except ValueError as error:
                raise self.unreadable(text, str(error)) from None
            if isinstance(foreign, tuple):
                return foreign
            text = text if foreign is None else foreign
        row: list[int] = []
        groups = text.strip().split("+")
        if len(groups) != 3:
            raise self.unreadable(text, f"expected three groups joined by '+', got {len(groups)}")
        for node, group in enumerate(groups, start=1):
            edges = group.strip().strip("|").split("|")
            if len(edges) != node:
                raise self.unreadable(text, f"node {node} takes {node} edges, got {len(edges)}")
            for source, edge in enumerate(edges):
                operation, _, origin = edge.partition("~")
                if operation not in self._names:
                    raise self.unreadable(text, f"there is no operation {operation!r}")
                if origin != str(source):
                    raise self.unreadable(
                        text, f"edge {source} of node {node} must come from node {source}"
                    )
                row.append(self._names.index(operation))
        return tuple(row)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        resolution = task.resolution
        size = float(resolution**2)
        width = self.widths[0]
        # Stem: a 3x3 convolution and its batch normalisation.
        params = torch.full((len(x),), 9.0 * task.channels * width + 2 * width).double()
        macs = torch.full((len(x),), 9.0 * task.channels * width * size).double()
        for stage, out in enumerate(self.widths):
            if stage:
                resolution = (task.resolution - 1) // 2**stage + 1
                size = float(resolution**2)
                # Residual block: two 3x3 convolutions and a 1x1 one on the pooled short cut.
                block = 9 * width * out + 9 * out * out + width * out
                params += block + 2 * out + 2 * out
                macs += block * size
                width = out
            table = self._table(width, resolution)
            params += self.cells * table[:, 0][x].sum(1)
            macs += self.cells * table[:, 1][x].sum(1)
        params += 2 * width + width * task.classes + task.classes
        macs += width * task.classes
        weight = table[:, 2][x]
        depth = 1 + self.cells * STAGES * self._cell_depth(x, weight) + 2 * (STAGES - 1) + 1
        return {"params": params, "macs": macs, "depth": depth}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        layers: list[nn.Module] = [
            nn.Conv2d(task.channels, self.widths[0], 3, padding=1, bias=False),
            nn.BatchNorm2d(self.widths[0]),
        ]
        chosen = [self.operations[index] for index in row]
        width = self.widths[0]
        for out in self.widths:
            if out != width:
                layers.append(_Reduction(width, out))
            layers += [_Cell(chosen, out) for _ in range(self.cells)]
            width = out
        layers += [
            nn.BatchNorm2d(width),
            nn.ReLU(inplace=True),
            nn.AdaptiveAvgPool2d(1),
            nn.Flatten(),
            nn.Linear(width, task.classes),
        ]
        return nn.Sequential(*layers)

    @cached_property
    def _classes(self) -> int:
        return len(self._representatives.unique(dim=0))

    @cached_property
    def _representatives(self) -> Int[Tensor, "A V"]:
        """Canonical row of every cell: the first cell whose output is the same expression."""
        rows = self.decode(torch.arange(self.encoding_count)).tolist()
        first: dict[str, int] = {}
        owner = [
            first.setdefault(_expression([self.operations[index] for index in row]), code)
            for code, row in enumerate(rows)
        ]
        return self.decode(torch.tensor(owner))

    def _table(self, width: int, resolution: int) -> Float[Tensor, "C 3"]:
        """Parameters, multiply-adds and depth of every operation."""
        counts = [count(each, width, width, 1, (resolution,) * 2)[:3] for each in self.operations]
        return torch.tensor(counts, dtype=torch.float64)

    def _cell_depth(
        self, x: Int[Tensor, "B V"], weight: Float[Tensor, "B V"]
    ) -> Float[Tensor, " B"]:
        """Weighted layers on the longest path from the cell's input to its output."""
        absent = torch.tensor([each.role == "absent" for each in self.operations])
        best = [torch.zeros(len(x), dtype=torch.float64)]
        for node in (1, 2, 3):
            arriving = [
                torch.where(absent[x[:, k]], -torch.inf, best[i] + weight[:, k])
                for k, (i, j) in enumerate(EDGES)
                if j == node
            ]
            best.append(torch.stack(arriving).amax(0))
        return best[3].clamp(min=0)


def _expression(chosen: Sequence[Operation]) -> str:
    """Writes what the output node computes, by the rules behind the published 6,466 classes.

    A skip connection stands for its source; ``none``, and any operation on a node that is
    nothing but ``none``, is the term ``#``. Terms are sorted within a sum.
    """
    values = ["0"]
    for node in (1, 2, 3):
        terms = []
        for (i, j), operation in zip(EDGES, chosen, strict=True):
            if j != node:
                continue
            if operation.role == "absent" or values[i] == "#":
                terms.append("#")
            elif operation.role == "identity":
                terms.append(values[i])
            else:
                terms.append(f"({values[i]})@{operation.name}")
        values.append("+".join(sorted(terms)))
    return values[3]


class _Cell(nn.Module):
    """Every node is the sum of its incoming edges' operations."""

    def __init__(self, chosen: Sequence[Operation], width: int) -> None:
        super().__init__()
        self.operations = nn.ModuleList(each.build(width, width, 1) for each in chosen)

    def forward(self, x: Tensor) -> Tensor:
        states = [x]
        for node in (1, 2, 3):
            arriving = [
                (operation, states[i])
                for (i, j), operation in zip(EDGES, self.operations, strict=True)
                if j == node
            ]
            states.append(total(arriving))
        return states[3]


class _Reduction(nn.Module):
    """Residual block of stride two."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, out, 3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, padding=1, bias=False),
            nn.BatchNorm2d(out),
        )
        self.shortcut = nn.Sequential(
            nn.AvgPool2d(2, stride=2, ceil_mode=True), nn.Conv2d(width, out, 1, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.shortcut(x), self.branch(x))
