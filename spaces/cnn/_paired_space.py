"""What DARTS and NASNet share: a normal and a reduction cell of blocks with two halves each."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from functools import cache
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ...core.seeding import Seed, make_generator
from ..counts import count
from ..dag import DAG
from ..operation import Operation, all_operations, name_with
from ..space import Space
from ..task import Task
from ..variable import Variable
from ._genotype import read_genotype, write_genotype
from ._image import image_task
from ._paired_cells import INPUTS, PairedCells
from ._paired_network import AuxiliaryHead, PairedCell, PairedNetwork
from .blocks import FactorizedReduction, ReLUConvolution, convolution

__all__ = ["PairedCellSpace", "Place"]

CELLS = ("normal", "reduce")


class Place(NamedTuple):
    """Where a cell stands in the network.

    Args:
        reduction: Whether it is a reduction cell.
        width: Channels of its states.
    """

    reduction: bool
    width: int


class PairedCellSpace(Space):
    """Two cells, each a row of (state, operation) twice for every block, stacked to a network.

    A subclass names its ``blocks``, whether halves may take one state twice (``repeats``), its own
    operations (``own``) and how cells are stacked.
    """

    own: tuple[Operation, ...]
    blocks: int
    repeats: bool
    # ReLU before the classifier.
    activated: bool = False

    def __init__(self, operations: Sequence[Operation], auxiliary: bool) -> None:
        self.operations = all_operations(operations, self.own)
        self.auxiliary = auxiliary
        self.name = name_with(type(self).name, self.operations, self.own)
        self.variables = tuple(
            variable for cell in range(len(CELLS)) for variable in self._cell_variables(cell)
        )
        self.nodes = tuple(
            label
            for name in CELLS
            for label in (
                f"{name} input 0",
                f"{name} input 1",
                *(
                    f"{name} {part}"
                    for block in range(INPUTS, INPUTS + self.blocks)
                    for part in (f"{block} first", f"{block} second", f"sum {block}")
                ),
                f"{name} output",
            )
        )
        self.skeleton = tuple(
            edge for cell in range(len(CELLS)) for edge in self._cell_skeleton(cell)
        )
        self.inputs = tuple(self._node(cell, i) for cell in (0, 1) for i in range(INPUTS))
        self.outputs = tuple(self._output(cell) for cell in (0, 1))
        self._cells = _paired_cells(self.blocks, len(self.operations), self.repeats)

    # -- what a subclass says -------------------------------------------------------------------

    @abstractmethod
    def concatenated(self, states: Int[Tensor, "B 2 N 2"]) -> Bool[Tensor, "B 2 S"]:
        """Tells which states (inputs, then blocks) the cells put out."""

    @abstractmethod
    def stack(self) -> list[Place]:
        """Lists the cells of the network."""

    @property
    @abstractmethod
    def stem_size(self) -> tuple[int, int]:
        """Channels that the stem puts out and its stride."""

    @property
    @abstractmethod
    def auxiliary_at(self) -> int:
        """The cell whose output the auxiliary head reads."""

    # -- the contract ---------------------------------------------------------------------------

    @property
    def architecture_count(self) -> int:
        return self._cells.count ** len(CELLS)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        return self._cells.canonical(self._split(x).flatten(0, 1)).reshape(x.shape)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        cells = self._split(x).flatten(0, 1)
        return self._cells.shuffle(cells, make_generator(seed)).reshape(x.shape)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly over the classes of isomorphic cells.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        cells = self._cells.sample(len(CELLS) * n, make_generator(seed))
        return cells.reshape(n, len(self.variables))

    def crossover(
        self, a: Int[Tensor, "B V"], b: Int[Tensor, "B V"], seed: Seed = None
    ) -> Int[Tensor, "B V"]:
        """Takes every block of both cells from either parent at random."""
        first, second = self._split(a), self._split(b)
        take = torch.rand(first.shape[:3], generator=make_generator(seed)) < 0.5
        child = torch.where(take[..., None, None], first, second)
        return self.canonical(child.reshape(a.shape))

    def to_string(self, row: Sequence[int]) -> str:
        states, operations = self._split(_one(row)).unbind(-1)
        names = [each.name for each in self.operations]
        normal, reduce = (
            [
                (names[index], state)
                for state, index in zip(
                    states[0, cell].flatten().tolist(),
                    operations[0, cell].flatten().tolist(),
                    strict=True,
                )
            ]
            for cell in range(len(CELLS))
        )
        return write_genotype((normal, reduce), self._put_out(row))

    def from_string(self, text: str) -> tuple[int, ...]:
        names = [each.name for each in self.operations]
        row: list[int] = []
        try:
            cells, said = read_genotype(text, self.blocks)
            for halves in cells:
                for at, (name, state) in enumerate(halves):
                    block = INPUTS + at // 2
                    if name not in names:
                        raise ValueError(f"there is no operation {name!r}")
                    if not 0 <= state < block:
                        raise ValueError(
                            f"block {block} takes states 0 to {block - 1}, got {state}"
                        )
                    row += [state, names.index(name)]
            for cell, given, own in zip(CELLS, said, self._put_out(row), strict=True):
                if given is not None and given != own:
                    raise ValueError(f"{cell}_concat is {own}, got {given}")
        except ValueError as error:
            raise self.unreadable(text, str(error)) from None
        return tuple(row)

    def dag(self, row: Sequence[int]) -> DAG:
        drawn = super().dag(row)
        edges = dict(drawn.edges)
        for cell, states in enumerate(self._put_out(row)):
            for state in states:
                edges[self._node(cell, state), self._output(cell)] = ""
        return DAG(drawn.nodes, edges, drawn.attributes, self.inputs, self.outputs, drawn.roles)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        states, chosen = self._split(x).unbind(-1)
        put_out = self.concatenated(states)
        outputs = put_out.sum(2)
        # Operations on inputs stand behind those on blocks, for in a reduction cell they stride.
        edges = chosen + len(self.operations) * (states < INPUTS)
        out, stride = self.stem_size
        stem = count(_stem, task.channels, out, stride, (task.resolution,) * 2)
        params = torch.full((len(x),), float(stem.params), dtype=torch.float64)
        macs = torch.full((len(x),), float(stem.macs), dtype=torch.float64)
        depths = [torch.full((len(x),), float(stem.depth), dtype=torch.float64)] * 2
        sides = [stem.shape[1:]] * 2
        widths: list[tuple[int, Tensor]] = [(out, torch.ones(len(x), dtype=torch.long))] * 2
        strided = False
        for place in self.stack():
            cell, width = int(place.reduction), place.width
            tables = self._tables(place, sides[1])
            params += tables[0][edges[:, cell]].sum((1, 2))
            macs += tables[1][edges[:, cell]].sum((1, 2))
            reached = []
            for i, before in enumerate(
                (FactorizedReduction if strided else ReLUConvolution, ReLUConvolution)
            ):
                stride = 2 if strided and i == 0 else 1
                per_output = _by_outputs(before, widths[i], width, stride, sides[i])
                params += per_output[0]
                macs += per_output[1]
                reached.append(depths[i] + per_output[2])
            for block in range(self.blocks):
                entering = torch.stack(reached, 1).gather(1, states[:, cell, block])
                reached.append((entering + tables[2][edges[:, cell, block]]).amax(1))
            if place.reduction:
                halved = count(FactorizedReduction, width, width, 2, sides[1])
                unused = put_out[:, cell, :INPUTS].double()
                params += halved.params * unused.sum(1)
                macs += halved.macs * unused.sum(1)
                reached[:INPUTS] = [depth + halved.depth for depth in reached[:INPUTS]]
            leaving = torch.stack(reached, 1).masked_fill(~put_out[:, cell], 0.0).amax(1)
            depths = [depths[1], leaving]
            widths = [widths[1], (width, outputs[:, cell])]
            step = 2 if place.reduction else 1
            sides = [sides[1], tuple(-(-side // step) for side in sides[1])]
            strided = place.reduction
        features = widths[1][0] * widths[1][1].double()
        params += features * task.classes + task.classes
        macs += features * task.classes
        return {"params": params, "macs": macs, "depth": depths[1] + 1}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        halves = self._split(_one(row))[0].tolist()
        put_out = self._put_out(row)
        out, stride = self.stem_size
        widths, strided = (out, out), False
        cells, auxiliary = [], None
        for index, place in enumerate(self.stack()):
            cell = int(place.reduction)
            cells.append(
                PairedCell(
                    halves[cell],
                    self.operations,
                    put_out[cell],
                    widths,
                    place.width,
                    place.reduction,
                    strided,
                )
            )
            widths = (widths[1], place.width * len(put_out[cell]))
            strided = place.reduction
            if self.auxiliary and index == self.auxiliary_at:
                auxiliary = AuxiliaryHead(widths[1], task.classes)
        pooled = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[1], task.classes)]
        head = nn.Sequential(*([nn.ReLU()] if self.activated else []), *pooled)
        stem = _stem(task.channels, out, stride)
        return PairedNetwork(stem, cells, head, auxiliary, self.auxiliary_at)

    # -- places ---------------------------------------------------------------------------------

    def _split(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B 2 N 2 2"]:
        """State and operation of both halves of every block of both cells."""
        return x.reshape(-1, len(CELLS), self.blocks, 2, 2)

    def _put_out(self, row: Sequence[int]) -> list[list[int]]:
        """States that either cell of a row puts out."""
        states = self._split(_one(row))[..., 0]
        return [each.nonzero()[:, 0].tolist() for each in self.concatenated(states)[0]]

    def _tables(
        self, place: Place, sides: tuple[int, ...]
    ) -> tuple[Float[Tensor, " T"], Float[Tensor, " T"], Float[Tensor, " T"]]:
        """Parameters, multiply-adds and depth of every operation on a block, then on an input."""
        step = 2 if place.reduction else 1
        inner = tuple(-(-side // step) for side in sides)
        counts = [
            count(each, place.width, place.width, stride, at)
            for stride, at in ((1, inner), (step, sides))
            for each in self.operations
        ]
        columns = zip(*(each[:3] for each in counts), strict=True)
        first, second, third = (torch.tensor(column, dtype=torch.float64) for column in columns)
        return first, second, third

    def _output(self, cell: int) -> int:
        size = INPUTS + 3 * self.blocks + 1
        return cell * size + size - 1

    def _node(self, cell: int, state: int) -> int:
        """The node of an input, or of the sum of a block."""
        start = cell * (INPUTS + 3 * self.blocks + 1)
        return start + (state if state < INPUTS else INPUTS + 3 * (state - INPUTS) + 2)

    def _cell_variables(self, cell: int) -> list[Variable]:
        """For every block twice: the state it takes and what is done to it."""
        names = tuple(each.name for each in self.operations)
        roles = tuple(each.role for each in self.operations)
        found = []
        for block in range(INPUTS, INPUTS + self.blocks):
            states = tuple(str(self._node(cell, state)) for state in range(block))
            for half in (1, 2):
                place = (self._node(cell, block) - 3 + half,)
                name = f"{CELLS[cell]}_{block}"
                found.append(Variable(f"{name}_input_{half}", states, "parent", place))
                found.append(Variable(f"{name}_op_{half}", names, "op", place, roles))
        return found

    def _cell_skeleton(self, cell: int) -> list[tuple[int, int]]:
        """Both halves lead to their sum, and the last sum, which no block can take, is put out."""
        edges = []
        for block in range(INPUTS, INPUTS + self.blocks):
            total = self._node(cell, block)
            edges += [(total - 2, total), (total - 1, total)]
        return [*edges, (self._node(cell, INPUTS + self.blocks - 1), self._output(cell))]


# One for all sizes, for it counts its classes once.
_paired_cells = cache(PairedCells)


def _stem(width: int, out: int, stride: int) -> nn.Module:
    """What makes the first cell's inputs from an image."""
    return convolution(width, out, 3, stride)


def _one(row: Sequence[int]) -> Int[Tensor, "1 V"]:
    """A row as a batch, on the CPU also where modules are made on another device."""
    return torch.tensor([row], device="cpu")


def _by_outputs(
    block: Callable[..., nn.Module],
    given: tuple[int, Int[Tensor, " B"]],
    out: int,
    stride: int,
    sides: tuple[int, ...],
) -> list[Float[Tensor, " B"]]:
    """Counts of a block whose input is some states of a width: parameters, multiply-adds, depth."""
    width, outputs = given
    numbers, at = outputs.unique(return_inverse=True)
    counts = [count(block, width * int(number), out, stride, sides)[:3] for number in numbers]
    table = torch.tensor(counts, dtype=torch.float64).reshape(-1, 3)
    return list(table[at].unbind(1))
