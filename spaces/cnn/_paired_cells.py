"""Cells whose blocks add two operations on two states each: their classes, drawn and counted.

A state is one of two inputs (0 and 1) or an earlier block (2, 3, …). Two cells are the same where
the halves of a block, or the blocks themselves, change places.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["INPUTS", "PairedCells"]

INPUTS = 2
# Cells whose renumberings are held in memory at once.
CHUNK = 1 << 14


@dataclass(frozen=True)
class PairedCells:
    """All cells of a number of blocks, as arrays ``[..., N, 2, 2]`` of (state, operation).

    Args:
        blocks: Number of blocks ``N``.
        operations: Number of operations.
        repeats: Whether both halves of a block may take the same state.
    """

    blocks: int
    operations: int
    repeats: bool

    def is_valid(self, cells: Int[Tensor, "B N 2 2"]) -> Bool[Tensor, " B"]:
        """Tells which cells, with states and operations in range, take what they may take."""
        if self.repeats:
            return torch.ones(len(cells), dtype=torch.bool, device=cells.device)
        return (cells[..., 0, 0] != cells[..., 1, 0]).all(1)

    def canonical(self, cells: Int[Tensor, "B N 2 2"]) -> Int[Tensor, "B N 2 2"]:
        """Maps cells to the lexicographically first one of their class."""
        found = [cells[:0]]
        for part in cells.split(CHUNK):
            owner, order = self._numberings(part).nonzero().unbind(1)
            keys = self._keys(part[owner], order)
            alive = torch.ones_like(owner, dtype=torch.bool)
            most = torch.iinfo(keys.dtype).max
            for block in range(self.blocks):
                key = torch.where(alive, keys[:, block], most)
                least = key.new_full((len(part),), most).scatter_reduce(0, owner, key, "amin")
                alive &= key == least[owner]
            first = torch.empty(len(part), dtype=torch.long)
            # Those that are left of one class are equal.
            first[owner[alive]] = alive.nonzero()[:, 0]
            found.append(self._decode(keys[first]))
        return torch.cat(found)

    def shuffle(
        self, cells: Int[Tensor, "B N 2 2"], generator: torch.Generator
    ) -> Int[Tensor, "B N 2 2"]:
        """Draws a random numbering of the blocks and a random order of their halves."""
        valid = self._numberings(cells)
        draw = torch.rand(valid.shape, generator=generator)
        order = torch.where(valid, draw, -1.0).argmax(1)
        other = self._decode(self._keys(cells, order))
        swap = torch.rand(other.shape[:2], generator=generator) < 0.5
        return torch.where(swap[..., None, None], other.flip(2), other)

    def sample(self, n: int, generator: torch.Generator) -> Int[Tensor, "n N 2 2"]:
        """Draws canonical cells uniformly over the classes.

        Numbered cells are drawn and kept with a probability of one over the number of numberings
        that their class has.
        """
        found = [self._choices[0].new_zeros(0, self.blocks, 2, 2)]
        while (missing := n - sum(map(len, found))) > 0:
            picks = []
            for choices in self._choices:
                draw = torch.rand(
                    min(CHUNK, 8 * missing + 8), generator=generator, dtype=torch.float64
                )
                picks.append(choices[(draw * len(choices)).long()])
            cells = torch.stack(picks, dim=1)
            kept = torch.rand(len(cells), generator=generator, dtype=torch.float64)
            found.append(self.canonical(cells[kept < self._share(cells)])[:missing])
        return torch.cat(found)

    @cached_property
    def count(self) -> int:
        """Number of classes, by orbit counting over the structures without operations.

        Every class is met once for each of its numberings, so it is ``sum |Stab| / numberings``
        over numbered cells; fixed choices of operations are counted for each renumbering that
        keeps a structure (Burnside's lemma).
        """
        structures = self._structures
        numberings = np.zeros(len(structures), dtype=np.int64)
        fixed: np.ndarray = np.zeros(len(structures), dtype=self._exact)
        for order in itertools.permutations(range(self.blocks)):
            moved, valid = _moved(structures, order)
            numberings += valid
            rows = np.flatnonzero(valid)
            rows = rows[(np.sort(moved[rows], axis=2) == structures[rows]).all((1, 2))]
            fixed[rows] += self._fixed(structures[rows], order)
        kinds = np.unique(numberings).tolist()
        common = math.lcm(*kinds)
        total = 0
        for kind in kinds:
            total += sum(map(int, fixed[numberings == kind])) * (common // kind)
        return total // common

    @property
    def _exact(self) -> type:
        """Numbers that hold the choices of operations of one structure, over all renumberings."""
        most = self.operations ** (2 * self.blocks) * math.factorial(self.blocks)
        return np.int64 if most < 2**62 else object

    @property
    def _tokens(self) -> int:
        return (INPUTS + self.blocks) * self.operations

    @cached_property
    def _orders(self) -> tuple[Int[Tensor, "P N"], Int[Tensor, "P S"]]:
        """Every renumbering: which block comes to each place, and what each state becomes."""
        places = torch.tensor(list(itertools.permutations(range(self.blocks))))
        inputs = torch.arange(INPUTS).expand(len(places), -1)
        return places.argsort(1), torch.cat([inputs, places + INPUTS], dim=1)

    @cached_property
    def _choices(self) -> list[Int[Tensor, "K 2 2"]]:
        """All that each block can be, its halves in order."""
        found = []
        for block in range(self.blocks):
            tokens = list(itertools.product(range(INPUTS + block), range(self.operations)))
            pairs = itertools.combinations_with_replacement(tokens, 2)
            found.append(torch.tensor([p for p in pairs if self.repeats or p[0][0] != p[1][0]]))
        return found

    @cached_property
    def _structures(self) -> np.ndarray:
        """Every numbered cell without its operations, ``[*, N, 2]`` states in order."""
        picks = []
        for block in range(self.blocks):
            states = range(INPUTS + block)
            pairs = itertools.combinations_with_replacement(states, 2)
            picks.append([pair for pair in pairs if self.repeats or pair[0] != pair[1]])
        return np.array(list(itertools.product(*picks)))

    def _fixed(self, structures: np.ndarray, order: tuple[int, ...]) -> np.ndarray:
        """Choices of operations that a renumbering leaves as they are, for each structure."""
        every, each = self.operations**2, self.operations
        fixed: np.ndarray = np.ones(len(structures), dtype=self._exact)
        for cycle in _cycles(order):
            # Once around a cycle, the two states of a block come back, in order or crossed.
            states = structures[:, cycle[0]]
            power = tuple(range(self.blocks))
            for _ in cycle:
                power = tuple(order[place] for place in power)
            table = np.array([*range(INPUTS), *(place + INPUTS for place in power)])
            twice = states[:, 0] == states[:, 1]
            crossed = (table[states] != states).any(1)
            count = np.where(crossed, each, every)
            fixed *= np.where(twice, each * (each + 1) // 2, count).astype(self._exact)
        return fixed

    def _numberings(self, cells: Int[Tensor, "B N 2 2"]) -> Bool[Tensor, "B P"]:
        """Tells in which renumberings no block takes a later one."""
        taken = torch.nn.functional.one_hot(cells[..., 0], INPUTS + self.blocks)[..., INPUTS:]
        takes = taken.amax(2).flatten(1).float()
        places = self._orders[1][:, INPUTS:]
        late = (places[:, :, None] <= places[:, None, :]).flatten(1).float()
        return takes @ late.T == 0

    def _keys(self, cells: Int[Tensor, "B N 2 2"], order: Int[Tensor, " B"]) -> Int[Tensor, "B N"]:
        """Renumbers each cell and writes every block as a number, its halves in order."""
        first, becomes = self._orders
        moved = cells[torch.arange(len(cells))[:, None], first[order]]
        states = becomes[order[:, None, None], moved[..., 0]]
        tokens = states * self.operations + moved[..., 1]
        return tokens.amin(2) * self._tokens + tokens.amax(2)

    def _decode(self, keys: Int[Tensor, "B N"]) -> Int[Tensor, "B N 2 2"]:
        tokens = torch.stack([keys // self._tokens, keys % self._tokens], dim=2)
        return torch.stack([tokens // self.operations, tokens % self.operations], dim=3)

    def _share(self, cells: Int[Tensor, "B N 2 2"]) -> Float[Tensor, " B"]:
        """One over the number of different numberings of each cell."""
        valid = self._numberings(cells)
        # The first of all permutations changes nothing.
        own = self._keys(cells, torch.zeros(len(cells), dtype=torch.long))
        keeping = torch.ones(len(cells), dtype=torch.float64)
        # The first block that a renumbering moves takes what its image takes: two are equal.
        twins = (own.sort(1).values.diff(dim=1) == 0).any(1).nonzero()[:, 0]
        owner, order = valid[twins].nonzero().unbind(1)
        same = (self._keys(cells[twins[owner]], order) == own[twins[owner]]).all(1)
        keeping[twins] = torch.bincount(owner[same], minlength=len(twins)).double()
        return keeping / valid.sum(1)


def _moved(structures: np.ndarray, order: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Structures with block ``i`` at place ``order[i]``, and which are still in order."""
    becomes = np.array([*range(INPUTS), *(place + INPUTS for place in order)])
    moved = np.empty_like(structures)
    moved[:, list(order)] = becomes[structures]
    highest = INPUTS + np.arange(len(order))[:, None]
    return moved, np.all(moved < highest, axis=(1, 2))


def _cycles(order: tuple[int, ...]) -> list[list[int]]:
    left, cycles = set(range(len(order))), []
    while left:
        at = min(left)
        cycle = []
        while at in left:
            left.remove(at)
            cycle.append(at)
            at = order[at]
        cycles.append(cycle)
    return cycles
