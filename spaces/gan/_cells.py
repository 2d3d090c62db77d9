"""Cells whose genes stand in groups, each with a list of combinations that are valid."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ...core.seeding import Seed, make_generator
from ..literals import integers, read_literal
from ..space import Space

__all__ = ["CELLS", "CellSpace", "Group", "GroupedCells"]

CELLS = 3


@dataclass(frozen=True)
class Group:
    """Neighbouring genes whose choices depend on one another.

    Args:
        combinations: Those that are valid, in lexicographic order.
        rule: What holds, in words.
    """

    combinations: Int[Tensor, "N genes"]
    rule: str = ""

    @classmethod
    def of(
        cls, sizes: Sequence[int], rule: str = "", valid: Callable[..., bool] | None = None
    ) -> Group:
        """Lists the combinations.

        Args:
            sizes: Choices of each gene.
            rule: What holds, in words.
            valid: Tells it of a combination; by default all are valid.
        """
        every = torch.cartesian_prod(*(torch.arange(size) for size in sizes))
        every = every.reshape(-1, len(sizes))
        kept = [row for row in every.tolist() if valid is None or valid(*row)]
        return cls(torch.tensor(kept), rule)

    def holds(self, genes: Int[Tensor, "B genes"]) -> Bool[Tensor, " B"]:
        """Tells which rows are one of the combinations.

        Args:
            genes: Choice indices, in range or not.
        """
        sizes = torch.tensor(self._valid.shape)
        inside = ((genes >= 0) & (genes < sizes)).all(1)
        return inside & self._valid[tuple(torch.where(inside[:, None], genes, 0).unbind(1))]

    @cached_property
    def _valid(self) -> Bool[Tensor, "*sizes"]:
        sizes = [int(most) + 1 for most in self.combinations.amax(0)]
        valid = torch.zeros(sizes, dtype=torch.bool)
        valid[tuple(self.combinations.unbind(1))] = True
        return valid


class GroupedCells:
    """All cells of one kind, where two of a cell's nodes may change places.

    Args:
        groups: Of the genes, in their order.
        swap: Where each gene comes from when the two nodes change places.
        swappable: Tells which cells they can do so in; by default in all.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        swap: Sequence[int],
        swappable: Callable[[Int[Tensor, "B genes"]], Bool[Tensor, " B"]] | None = None,
    ) -> None:
        self.groups, self.swap, self._swappable = tuple(groups), list(swap), swappable
        self.sizes = [int(n) + 1 for group in groups for n in group.combinations.amax(0)]
        ends = torch.tensor([group.combinations.shape[1] for group in groups]).cumsum(0).tolist()
        starts = [0, *ends[:-1]]
        self.columns = [slice(start, end) for start, end in zip(starts, ends, strict=True)]
        # Of each gene.
        self.group = [k for k, each in enumerate(groups) for _ in each.combinations.unbind(1)]
        self._radix = torch.tensor(
            [math.prod(self.sizes[gene + 1 :]) for gene in range(len(self.sizes))]
        )

    @cached_property
    def classes(self) -> Int[Tensor, " N"]:
        """Code of one cell of each class."""
        cells = torch.zeros(1, 0, dtype=torch.long)
        for group in self.groups:
            more = group.combinations
            cells = torch.cat(
                [cells.repeat_interleave(len(more), 0), more.repeat(len(cells), 1)], 1
            )
        return self._codes(cells[(self.canonical(cells) == cells).all(1)])

    @property
    def encoding_count(self) -> int:
        """Number of valid cells as written."""
        return math.prod(len(group.combinations) for group in self.groups)

    def broken(self, cells: Int[Tensor, "B genes"]) -> Bool[Tensor, "B groups"]:
        """Tells which groups hold no valid combination.

        Args:
            cells: Choice indices, in range or not.
        """
        verdicts = [
            ~group.holds(cells[:, at]) for at, group in zip(self.columns, self.groups, strict=True)
        ]
        return torch.stack(verdicts, 1)

    def canonical(self, cells: Int[Tensor, "B genes"]) -> Int[Tensor, "B genes"]:
        """Takes the smaller of the two ways to write a cell.

        Args:
            cells: Valid cells.
        """
        other = self.swapped(cells)
        return torch.where((self._codes(other) < self._codes(cells))[:, None], other, cells)

    def swapped(self, cells: Int[Tensor, "B genes"]) -> Int[Tensor, "B genes"]:
        """Lets the nodes change places where they can.

        Args:
            cells: Valid cells.
        """
        other = cells[:, self.swap]
        if self._swappable is None:
            return other
        return torch.where(self._swappable(cells)[:, None], other, cells)

    def sample(self, n: int, generator: torch.Generator) -> Int[Tensor, "n genes"]:
        """Draws cells uniformly over their classes, in canonical form.

        Args:
            n: How many.
            generator: Of the draws.
        """
        codes = self.classes[torch.randint(len(self.classes), (n,), generator=generator)]
        return codes[:, None] // self._radix % torch.tensor(self.sizes)

    def allowed(
        self, cells: Int[Tensor, "B genes"], known: Bool[Tensor, "B genes"]
    ) -> Bool[Tensor, "B genes C"]:
        """Tells which choices can still end in a valid cell.

        Args:
            cells: Choice indices.
            known: Which of them are decided.
        """
        masks = []
        for at, group in zip(self.columns, self.groups, strict=True):
            combinations = group.combinations.to(cells.device)
            agrees = (cells[:, None, at] == combinations) | ~known[:, None, at]
            choices = torch.arange(max(self.sizes), device=cells.device)
            has = (combinations[..., None] == choices).flatten(1)
            found = agrees.all(2).float() @ has.float() > 0
            masks.append(found.unflatten(1, (combinations.shape[1], len(choices))))
        return torch.cat(masks, 1)

    def neighbours(self, cell: Int[Tensor, " genes"]) -> Int[Tensor, "K genes"]:
        """Lists the valid cells one gene away, or several where none can change alone.

        Args:
            cell: A valid cell.
        """
        found = []
        for at, group in zip(self.columns, self.groups, strict=True):
            own, others = cell[at], group.combinations
            differs = others != own
            alone = torch.zeros(len(others), dtype=torch.bool)
            for gene in range(len(own)):
                step = own.repeat(len(others), 1)
                step[:, gene] = others[:, gene]
                alone |= group.holds(step) & differs[:, gene]
            # What is one gene away is such a step itself.
            near = others[differs.any(1) & ((differs.sum(1) == 1) | ~alone)]
            block = cell.repeat(len(near), 1)
            block[:, at] = near
            found.append(block)
        return torch.cat(found)

    def _codes(self, cells: Int[Tensor, "B genes"]) -> Int[Tensor, " B"]:
        return (cells * self._radix).sum(1)


class CellSpace(Space):
    """A space of three grouped cells, written as three lists of numbers.

    A subclass names its ``cells`` and, where numbers do not begin at 0, the ``first`` of each gene.
    """

    cells: GroupedCells
    first: tuple[int, ...]

    @property
    def architecture_count(self) -> int:
        return len(self.cells.classes) ** CELLS

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        return ~self.cells.broken(self._split(x)).any(1).reshape(-1, CELLS).any(1)

    def canonical(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B V"]:
        return self.cells.canonical(self._split(x)).reshape(x.shape)

    def shuffle(self, x: Int[Tensor, "B V"], seed: Seed = None) -> Int[Tensor, "B V"]:
        cells = self._split(x)
        take = torch.rand(len(cells), 1, generator=make_generator(seed)) < 0.5
        return torch.where(take, self.cells.swapped(cells), cells).reshape(x.shape)

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly over the classes of isomorphic cells.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        cells = self.cells.sample(CELLS * n, make_generator(seed))
        return cells.reshape(n, len(self.variables))

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        found = self.cells.allowed(self._split(x), self._split(known))
        return found.reshape(len(x), len(self.variables), -1)

    def steps(self, x: Int[Tensor, "B V"]) -> tuple[Int[Tensor, "S V"], Int[Tensor, " S"]]:
        """Changes one gene, or two where neither can change alone.

        Args:
            x: Valid choice indices.
        """
        blocks, owners = [x[:0]], [0]
        for row in x:
            for cell, genes in enumerate(self._split(row[None])):
                near = self.cells.neighbours(genes)
                block = self._split(row[None]).repeat(len(near), 1, 1)
                block[:, cell] = near
                blocks.append(block.flatten(1))
            owners.append(sum(map(len, blocks)))
        counts = torch.tensor(owners).diff()
        return torch.cat(blocks), torch.arange(len(x)).repeat_interleave(counts)

    def crossover(
        self, a: Int[Tensor, "B V"], b: Int[Tensor, "B V"], seed: Seed = None
    ) -> Int[Tensor, "B V"]:
        """Takes every group of every cell from either parent at random."""
        shape = (len(a) * CELLS, len(self.cells.groups))
        take = torch.rand(shape, generator=make_generator(seed)) < 0.5
        child = torch.where(take[:, self.cells.group], self._split(a), self._split(b))
        return self.canonical(child.reshape(a.shape))

    def to_string(self, row: Sequence[int]) -> str:
        genes = len(self.first)
        numbers = [index + first for index, first in zip(row, self.first * CELLS, strict=True)]
        return str([numbers[cell * genes : (cell + 1) * genes] for cell in range(CELLS)])

    def from_string(self, text: str) -> tuple[int, ...]:
        said, genes = read_literal(text), len(self.first)
        if not isinstance(said, list | tuple) or len(said) != CELLS:
            raise self.unreadable(text, f"it is no list of {CELLS} cells")
        row: list[int] = []
        try:
            for cell, given in enumerate(said, 1):
                numbers = integers(given, "genes")
                if len(numbers) != genes:
                    raise ValueError(f"a cell has {genes} genes, cell {cell} has {len(numbers)}")
                for gene, (number, first) in enumerate(zip(numbers, self.first, strict=True)):
                    if not 0 <= number - first < self.cells.sizes[gene]:
                        name = self.variables[len(row)].name
                        last = first + self.cells.sizes[gene] - 1
                        raise ValueError(f"{name} is {first} to {last}, got {number}")
                    row.append(number - first)
                broken = self.cells.broken(torch.tensor([row[-genes:]]))[0]
                for group in broken.nonzero()[:, 0].tolist():
                    raise ValueError(f"of cell {cell}, {self.cells.groups[group].rule}")
        except ValueError as error:
            raise self.unreadable(text, str(error)) from None
        return tuple(row)

    def _split(self, x: Tensor) -> Tensor:
        """The genes of every cell, one cell after the other."""
        return x.reshape(len(x) * CELLS, len(self.first))
