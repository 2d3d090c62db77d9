"""The generators of EAGAN (Ying et al., ECCV 2022): three cells of two ways up and operations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..counts import count
from ..dag import DAG
from ..task import ImageTask, Task
from ..variable import Role, Variable
from ._blocks import OPERATIONS, UPS, image_head, operation, table_of, up
from ._cells import CELLS, CellSpace, Group, GroupedCells
from .adversarial import SCALE, GeneratorSpace, generation_task

__all__ = ["EAGANGenerator"]

# How the sums of earlier cells are enlarged for each cell.
MODES = ("nearest", "bilinear", "nearest")
# Sources and targets of the operations among the nodes of a cell.
EDGES = ((0, 2), (1, 2), (0, 3), (1, 3), (2, 3))
_ROLES: dict[str, Role] = {"none": "absent", "skip_connect": "identity"}
ROLES = tuple(_ROLES.get(name, "op") for name in OPERATIONS)
_CELLS = GroupedCells(
    (
        Group.of((len(UPS),)),
        Group.of((len(UPS),)),
        Group.of((len(OPERATIONS),) * 2, "c0 and c1 must not both be none", lambda *c: any(c)),
        Group.of((len(OPERATIONS),) * 3, "c2, c3 and c4 must not all be none", lambda *c: any(c)),
    ),
    swap=(1, 0, 3, 2, 5, 4, 6),
)


def _node(cell: int, node: int) -> int:
    """The nodes of cells follow the noise and, at -1, what enters the first cell."""
    return 2 + 4 * cell + node


def _cell_variables(cell: int) -> list[Variable]:
    ups = [Variable(f"up{i}_{cell + 1}", UPS, "op", (_node(cell, i),)) for i in (0, 1)]
    operations = [
        Variable(
            f"c{k}_{cell + 1}", OPERATIONS, "op", (_node(cell, i), _node(cell, j)), roles=ROLES
        )
        for k, (i, j) in enumerate(EDGES)
    ]
    return [*ups, *operations]


class EAGANGenerator(CellSpace, GeneratorSpace):
    """The 4.1e14 generators of EAGAN (arXiv 2111.15097).

    Each of three cells doubles the resolution, in two ways side by side, ``up0`` and ``up1``. Its
    middle adds ``c0`` of the one and ``c1`` of the other, and the enlarged middles of all earlier
    cells; it gives the sum of ``c2`` and ``c3`` of the two and ``c4`` of its middle. Cells whose
    two ways change places are one architecture. A third of the noise enters before each cell.
    Statistics are of the cells as written, with a way up that nothing takes included.

    An architecture is written as the public repository has it, a list of seven numbers for each
    cell, ``[[1, 1, 1, 0, 2, 3, 1], …]``: the ways up (0 nearest, 1 bilinear, 2 deconv), then ``c0``
    to ``c4`` (0 none, 1 skip_connect, 2 conv_1x1, 3 conv_3x3, 4 conv_5x5, 5 dil_conv_3x3,
    6 dil_conv_5x5).

    Args:
        width: Channels.
        latent: Values of the noise, a multiple of three.
        conditional: Whether the embedding of a class is added to the noise.

    Raises:
        UsageError: For a width of less than one, or another noise.

    Example:
        >>> nets = EAGANGenerator()
        >>> best = nets.architecture(nets.published["EAGAN (CIFAR-10)"])
        >>> best["up0_1"], best["c2_1"], best["c3_1"]
        ('bilinear', 'conv_1x1', 'conv_3x3')
    """

    name = "eagan-generator"
    task: Task = ImageTask()
    nodes = (
        "noise",
        "start",
        *(
            f"cell {cell + 1} {part}"
            for cell in range(CELLS)
            for part in ("up 0", "up 1", "middle", "end")
        ),
        "image",
    )
    skeleton = (
        (0, 1),
        *((_node(cell - 1, 3), _node(cell, i)) for cell in range(CELLS) for i in (0, 1)),
        *((0, _node(cell, 3)) for cell in range(CELLS - 1)),
        *((_node(i, 2), _node(j, 2)) for j in range(CELLS) for i in range(j)),
        (_node(CELLS - 1, 3), _node(CELLS - 1, 3) + 1),
    )
    inputs, outputs = (0,), (_node(CELLS, 0),)
    variables = tuple(variable for cell in range(CELLS) for variable in _cell_variables(cell))
    cells = _CELLS
    first = (0,) * 7
    published: ClassVar[dict[str, str]] = {
        "EAGAN (CIFAR-10)": "[[1, 1, 1, 0, 2, 3, 1], [1, 1, 0, 1, 3, 0, 5], [0, 1, 0, 3, 0, 0, 3]]"
    }

    def __init__(self, *, width: int = 256, latent: int = 120, conditional: bool = False) -> None:
        if width < 1 or latent < 1 or latent % CELLS:
            raise UsageError(
                f"A generator has channels and noise in three equal parts, got width={width}, "
                f"latent={latent}.",
                "The paper has width=256, latent=120.",
            )
        self.width, self.latent, self.conditional = width, latent, conditional

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the cells, what enters them of the noise, and the skips between their middles."""
        drawn = super().dag(row)
        nodes, edges = list(drawn.nodes), dict(drawn.edges)
        for cell in range(CELLS):
            for i in (0, 1):
                nodes[_node(cell, i)] = f"up {nodes[_node(cell, i)]}"
            nodes[_node(cell, 2)], nodes[_node(cell, 3)] = "sum", "sum"
            edges |= {(_node(earlier, 2), _node(cell, 2)): "skip" for earlier in range(cell)}
        edges |= {edge: "linear" for edge in edges if edge[0] == 0}
        return DAG(tuple(nodes), edges, drawn.attributes, self.inputs, self.outputs, drawn.roles)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = generation_task(task or self.task)
        width, side = self.width, task.resolution // SCALE
        head = count(image_head, width, task.channels, 1, (task.resolution,) * 2)
        entering = sum((side * 2**cell) ** 2 * width for cell in range(CELLS))
        linear = self.latent // CELLS * entering
        labels = task.classes * self.latent * self.conditional
        fixed = torch.tensor([linear + entering + labels + head.params, linear + head.macs])
        totals = fixed.double().expand(len(x), 2)
        before = torch.ones(len(x), dtype=torch.float64)
        middles: list[Float[Tensor, " B"]] = []
        absent = torch.tensor([role == "absent" for role in ROLES])
        for genes in x.unflatten(1, (CELLS, -1)).unbind(1):
            ups = table_of(up, UPS, width, side)[genes[:, :2]]
            side *= 2
            table = table_of(operation, OPERATIONS, width, side)
            chosen = table[genes[:, 2:]]
            one = torch.tensor(count(_one, width, width, 1, (side, side))[:3]).double()
            totals = totals + ups[..., :2].sum(1) + chosen[..., :2].sum(1) + len(middles) * one[:2]
            # Weighted layers on the longest path to each node.
            longest = [before + ups[:, 0, 2], before + ups[:, 1, 2]]
            for node in (2, 3):
                arriving = [each + one[2] for each in middles] if node == 2 else []
                arriving += [
                    torch.where(absent[genes[:, 2 + k]], -torch.inf, longest[i] + chosen[:, k, 2])
                    for k, (i, j) in enumerate(EDGES)
                    if j == node
                ]
                longest.append(torch.stack(arriving).amax(0))
            middles.append(longest[2])
            before = longest[3]
        params, macs = totals.unbind(1)
        return {"params": params, "macs": macs, "depth": before + head.depth}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(z)``, or with ``labels``, gives images."""
        return _Network(row, self, generation_task(task))


def _one(width: int, out: int, stride: int = 1) -> nn.Module:
    return nn.Conv2d(width, out, 1, stride)


class _Cell(nn.Module):
    """A cell of EAGAN's generator.

    Args:
        genes: Choices of both ways up and of the five operations.
        width: Channels.
        number: How many cells come before.
    """

    def __init__(self, genes: Sequence[int], width: int, number: int) -> None:
        super().__init__()
        self.ups = nn.ModuleList(up(UPS[gene], width) for gene in genes[:2])
        # By number; what is none is not there.
        self.operations = nn.ModuleDict(
            {
                str(k): operation(OPERATIONS[gene], width)
                for k, gene in enumerate(genes[2:])
                if OPERATIONS[gene] != "none"
            }
        )
        self.skips = nn.ModuleList(
            nn.Sequential(
                nn.Upsample(scale_factor=2 ** (number - earlier), mode=MODES[number]),
                _one(width, width),
            )
            for earlier in range(number)
        )

    def forward(
        self, x: Float[Tensor, "B C h w"], middles: Sequence[Float[Tensor, "B C _ _"]]
    ) -> tuple[Float[Tensor, "B C H W"], Float[Tensor, "B C H W"]]:
        """Returns what the cell gives, and its middle.

        Args:
            x: What the cell before gives.
            middles: Those of every cell before.
        """
        nodes: list[Tensor] = [way(x) for way in self.ups]
        skips = [skip(middles[earlier]) for earlier, skip in enumerate(self.skips)]
        for node in (2, 3):
            arriving = [
                self.operations[str(k)](nodes[i])
                for k, (i, j) in enumerate(EDGES)
                if j == node and str(k) in self.operations
            ]
            nodes.append(reduce(torch.add, [*arriving, *(skips if node == 2 else [])]))
        return nodes[3], nodes[2]


class _Network(nn.Module):
    def __init__(self, row: Sequence[int], space: EAGANGenerator, task: ImageTask) -> None:
        super().__init__()
        width, self.part = space.width, space.latent // CELLS
        self.sides = [task.resolution // SCALE * 2**cell for cell in range(CELLS)]
        self.labels = nn.Embedding(task.classes, space.latent) if space.conditional else None
        self.linears = nn.ModuleList(nn.Linear(self.part, side**2 * width) for side in self.sides)
        genes = len(row) // CELLS
        self.cells = nn.ModuleList(
            _Cell(row[cell * genes : (cell + 1) * genes], width, cell) for cell in range(CELLS)
        )
        self.head = image_head(width, task.channels)

    def forward(
        self, z: Float[Tensor, "B L"], labels: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B C H W"]:
        if self.labels is not None:
            z = z + self.labels(labels)
        noise = [
            linear(z[:, cell * self.part : (cell + 1) * self.part]).unflatten(1, (-1, side, side))
            for cell, (linear, side) in enumerate(zip(self.linears, self.sides, strict=True))
        ]
        x = noise[0]
        middles: list[Tensor] = []
        for number, cell in enumerate(self.cells):
            x, middle = cell(x + noise[number] if number else x, middles)
            middles.append(middle)
        return self.head(x)
