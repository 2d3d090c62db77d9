"""The discriminators of EAGAN (Ying et al., ECCV 2022): three cells of operations and ways down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..cnn._image import image_task
from ..counts import count
from ..dag import DAG
from ..task import ImageTask, Task
from ..variable import Role, Variable
from ._blocks import DOWNS, OPERATIONS, down, operation, table_of
from ._cells import CELLS, CellSpace, Group, GroupedCells
from .adversarial import DiscriminatorSpace

__all__ = ["EAGANDiscriminator"]

# Sources and targets of c0 to c4 among the nodes of a cell.
EDGES = ((0, 1), (0, 2), (1, 2), (1, 3), (0, 3))
# Choices of every operation: c0 is never none.
CHOICES = (OPERATIONS[1:], *[OPERATIONS] * 4)
ROLES: dict[str, Role] = {"none": "absent", "skip_connect": "identity"}
# Of the operation that has no ReLU.
BARE = 4
GENES = 7


def _swappable(cells: Int[Tensor, "B genes"]) -> Bool[Tensor, " B"]:
    """Where c4 does what c1 does on its node, for it has no ReLU, the two nodes are alike."""
    return (cells[:, [1, 4]] <= OPERATIONS.index("skip_connect")).all(1)


_CELLS = GroupedCells(
    (
        Group.of((len(OPERATIONS) - 1,)),
        Group.of((len(OPERATIONS),) * 2, "c1 and c2 must not both be none", lambda *c: any(c)),
        Group.of((len(OPERATIONS),) * 2, "c3 and c4 must not both be none", lambda *c: any(c)),
        Group.of(
            (len(DOWNS),) * 2,
            "down0 and down1 are none both or neither",
            lambda *d: all(d) or not any(d),
        ),
    ),
    swap=(0, 4, 3, 2, 1, 6, 5),
    swappable=_swappable,
)


def _node(cell: int, node: int) -> int:
    """Each cell begins at the end of the one before, the first behind the first block."""
    return 1 + 4 * cell + node


def _cell_variables(cell: int) -> list[Variable]:
    operations = [
        Variable(
            f"c{k}_{cell + 1}",
            CHOICES[k],
            "op",
            (_node(cell, i), _node(cell, j)),
            tuple(ROLES.get(name, "op") for name in CHOICES[k]),
        )
        for k, (i, j) in enumerate(EDGES)
    ]
    # Where nothing lowers the resolution, a node passes on unchanged.
    roles: tuple[Role, ...] = tuple("op" if name != "none" else "identity" for name in DOWNS)
    downs = [
        Variable(f"down{i}_{cell + 1}", DOWNS, "op", (_node(cell, 2 + i), _node(cell, 4)), roles)
        for i in (0, 1)
    ]
    return [*operations, *downs]


class EAGANDiscriminator(CellSpace, DiscriminatorSpace):
    """The 1.2e17 discriminators of EAGAN (arXiv 2111.15097).

    A first block halves the resolution. Of what enters it, each of three cells makes a node by
    ``c0``, a second one by ``c1`` of what enters and ``c2`` of the first, a third one by ``c3`` of
    the first and ``c4`` of what enters, which has no ReLU. It gives the sum of the last two, whose
    resolution ``down0`` and ``down1`` halve, or neither. Where ``c1`` and ``c4`` are none or
    skip_connect, cells whose last two nodes change places are one architecture. Statistics are of
    the cells as written, with a first node that nothing takes included. Spectral normalisation is
    left to whoever trains it.

    An architecture is written as the public repository has it, a list of seven numbers for each
    cell, ``[[3, 0, 3, 0, 2, 0, 0], …]``: ``c0`` to ``c4`` (0 none, 1 skip_connect, 2 conv_1x1,
    3 conv_3x3, 4 conv_5x5, 5 dil_conv_3x3, 6 dil_conv_5x5), then the ways down (-1 none,
    0 avg_pool, 1 max_pool, 2 conv_3x3, 3 conv_5x5, 4 dil_conv_3x3, 5 dil_conv_5x5).

    Args:
        width: Channels.
        conditional: Whether the score also tells how an image and its class go together (the
            projection of arXiv 1802.05637).

    Raises:
        UsageError: For a width of less than one.

    Example:
        >>> nets = EAGANDiscriminator()
        >>> plain = nets.architecture(nets.published["AutoGAN"])
        >>> plain["c0_1"], plain["down0_1"], plain["down0_2"]
        ('conv_3x3', 'avg_pool', 'none')
    """

    name = "eagan-discriminator"
    task: Task = ImageTask()
    nodes = (
        "image",
        "first block",
        *(
            f"cell {cell + 1} {part}"
            for cell in range(CELLS)
            for part in ("first", "second", "third", "end")
        ),
        "score",
    )
    skeleton = ((0, 1), (_node(CELLS, 0), _node(CELLS, 1)))
    inputs, outputs = (0,), (_node(CELLS, 1),)
    variables = tuple(variable for cell in range(CELLS) for variable in _cell_variables(cell))
    cells = _CELLS
    first = (1, 0, 0, 0, 0, -1, -1)
    published: ClassVar[dict[str, str]] = {
        "AutoGAN": "[[3, 0, 3, 0, 2, 0, 0], [3, 0, 3, 0, 1, -1, -1], [3, 0, 3, 0, 1, -1, -1]]"
    }

    def __init__(self, *, width: int = 128, conditional: bool = False) -> None:
        if width < 1:
            raise UsageError(
                f"A discriminator has channels, got width={width}.", "The paper has width=128."
            )
        self.width, self.conditional = width, conditional

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the cells one below the other."""
        drawn = super().dag(row)
        ends = {_node(cell, node) for cell in range(CELLS) for node in (2, 3, 4)}
        nodes = (
            "sum" if i in ends else label if i in (0, 1, _node(CELLS, 1)) else "node"
            for i, label in enumerate(drawn.nodes)
        )
        passed = {
            v.place
            for v, index in zip(self.variables, row, strict=True)
            if v.name.startswith("down") and not index
        }
        edges = {edge: "" if edge in passed else label for edge, label in drawn.edges.items()}
        roles = {place: role for place, role in drawn.roles.items() if place not in passed}
        return DAG(tuple(nodes), edges, drawn.attributes, self.inputs, self.outputs, roles)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        width, side = self.width, task.resolution
        block = count(_FirstBlock, task.channels, width, 2, (side, side))
        labels = task.classes * width * self.conditional
        fixed = torch.tensor([block.params + width + labels, block.macs + width])
        totals = fixed.double().expand(len(x), 2)
        # By how often cells before have halved the resolution.
        sides = [-(-side // 2**halved) for halved in range(1, CELLS + 1)]
        every = torch.stack([table_of(operation, OPERATIONS, width, each) for each in sides])
        ways = torch.stack([table_of(down, DOWNS, width, each) for each in sides])
        longest = torch.full((len(x),), float(block.depth), dtype=torch.float64)
        halved = torch.zeros(len(x), dtype=torch.long)
        for genes in x.unflatten(1, (CELLS, GENES)).unbind(1):
            chosen = genes[:, : len(EDGES)] + torch.tensor([1, 0, 0, 0, 0])
            operations = every[halved[:, None], chosen]
            downs = ways[halved[:, None], genes[:, len(EDGES) :]]
            totals = totals + operations[..., :2].sum(1) + downs[..., :2].sum(1)
            nodes = [longest]
            for node in (1, 2, 3):
                arriving = [
                    torch.where(chosen[:, k] == 0, -torch.inf, nodes[i] + operations[:, k, 2])
                    for k, (i, j) in enumerate(EDGES)
                    if j == node
                ]
                nodes.append(torch.stack(arriving).amax(0))
            longest = torch.maximum(nodes[2] + downs[:, 0, 2], nodes[3] + downs[:, 1, 2])
            halved = halved + (genes[:, -1] > 0).long()
        params, macs = totals.unbind(1)
        return {"params": params, "macs": macs, "depth": longest + 1}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(images)``, or with ``labels``, gives scores."""
        return _Network(row, self, image_task(task))


class _FirstBlock(nn.Module):
    """Two convolutions beside one, and half the resolution."""

    depth = 2

    def __init__(self, width: int, out: int, stride: int = 2) -> None:
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(width, out, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(out, out, 3, 1, 1),
            nn.AvgPool2d(stride, ceil_mode=True),
        )
        self.beside = nn.Sequential(nn.AvgPool2d(stride, ceil_mode=True), nn.Conv2d(width, out, 1))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B D h w"]:
        return self.main(x) + self.beside(x)


class _Cell(nn.Module):
    """A cell of EAGAN's discriminator.

    Args:
        genes: Choices of the five operations and of both ways down.
        width: Channels.
    """

    def __init__(self, genes: Sequence[int], width: int) -> None:
        super().__init__()
        *chosen, first, second = genes
        names = [CHOICES[k][gene] for k, gene in enumerate(chosen)]
        # By number; what is none is not there.
        self.operations = nn.ModuleDict(
            {
                str(k): operation(name, width, relu=k != BARE)
                for k, name in enumerate(names)
                if name != "none"
            }
        )
        self.downs = nn.ModuleList(down(DOWNS[gene], width) for gene in (first, second))

    def forward(self, x: Float[Tensor, "B C H W"]) -> Float[Tensor, "B C h w"]:
        nodes = [x]
        for node in (1, 2, 3):
            arriving = [
                self.operations[str(k)](nodes[i])
                for k, (i, j) in enumerate(EDGES)
                if j == node and str(k) in self.operations
            ]
            nodes.append(reduce(torch.add, arriving))
        return self.downs[0](nodes[2]) + self.downs[1](nodes[3])


class _Network(nn.Module):
    def __init__(self, row: Sequence[int], space: EAGANDiscriminator, task: ImageTask) -> None:
        super().__init__()
        width = space.width
        self.first = _FirstBlock(task.channels, width)
        self.cells = nn.Sequential(
            *(_Cell(row[cell * GENES : (cell + 1) * GENES], width) for cell in range(CELLS))
        )
        self.relu = nn.ReLU()
        self.labels = nn.Embedding(task.classes, width) if space.conditional else None
        self.linear = nn.Linear(width, 1, bias=False)

    def forward(
        self, images: Float[Tensor, "B C H W"], labels: Int[Tensor, " B"] | None = None
    ) -> Float[Tensor, "B 1"]:
        h = self.relu(self.cells(self.first(images))).sum((2, 3))
        score = self.linear(h)
        if self.labels is not None:
            score = score + (self.labels(labels) * h).sum(1, keepdim=True)
        return score
