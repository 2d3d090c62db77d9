"""Layers on arrays: what lies along rows and columns, and what stays in the registers."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from ..cost_model.dataflows import FILTERS, INPUTS, SUMS

__all__ = ["UNROLLED", "Shape", "Unrolled", "divisors"]

ROWS, COLUMNS = "D1", "D2"
BOTH: tuple[str, ...] = (ROWS, COLUMNS)
# Loops over which products are summed.
REDUCED = ("FX", "FY", "C")
# Ways to lay a row-stationary layer out that are looked at in full.
WAYS = 64


class Shape(NamedTuple):
    """Sizes of a layer of products, in the letters of `Sizes` of the cost model.

    Args:
        n: Examples.
        g: Groups.
        k: Channels out of a group.
        c: Channels in of a group.
        y: Height of the output.
        x: Width of the output.
        r: Height of the kernel.
        s: Width of the kernel.
        stride: Steps between windows.
        dilation: Steps between the kernel's entries.
    """

    n: int
    g: int
    k: int
    c: int
    y: int
    x: int
    r: int
    s: int
    stride: int = 1
    dilation: int = 1

    @property
    def loops(self) -> dict[str, int]:
        """Sizes of the loops, by ZigZag's names."""
        names = ("B", "G", "K", "C", "OY", "OX", "FY", "FX")
        return dict(zip(names, self[:8], strict=True))

    def rows_for(self, rows: int) -> int:
        """Rows of the input that rows of the output need.

        Args:
            rows: Of the output.
        """
        return min((rows - 1) * self.stride + (self.r - 1) * self.dilation + 1, rows * self.r)

    def rows_of(self, rows: int) -> int:
        """Rows of the input from the first to the last that one row of the kernel needs.

        Args:
            rows: Of the output.
        """
        return (rows - 1) * self.stride + 1

    def columns_of(self, columns: int) -> int:
        """Columns of the input from the first to the last that one column of the kernel needs.

        Args:
            columns: Of the output.
        """
        return (columns - 1) * self.stride + 1

    def columns_for(self, columns: int) -> int:
        """Columns of the input that columns of the output need.

        Args:
            columns: Of the output.
        """
        return min((columns - 1) * self.stride + (self.s - 1) * self.dilation + 1, columns * self.s)


@dataclass(frozen=True)
class Unrolled:
    """How a layer lies on an array.

    Args:
        rows: What lies along the rows, by loop.
        columns: What lies along the columns, by loop.
        held: Loops within registers, innermost first, with their sizes.
        order: All other loops, innermost first.
        words: Of a register of inputs, of weights and of sums; a function of how many steps of each
            loop go by between two transfers.
        bundled: Loops over which transfers are bundled: ZigZag rounds each up to whole cycles.
        served: Sides along which elements share a register, of each operand.
        passing: Words that neighbours pass on, for each multiply-add.
        cycles: About how long it takes where nothing waits for the memory outside; 0 where there is
            nothing to choose.
    """

    rows: dict[str, int]
    columns: dict[str, int]
    held: tuple[tuple[str, int], ...]
    order: tuple[str, ...]
    words: Callable[[Mapping[str, int]], tuple[int, int, int]]
    bundled: tuple[str, ...]
    served: tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]
    passing: float
    cycles: float = 0.0

    def steps(self, shape: Shape) -> dict[str, int]:
        """Steps in time that remain of each loop outside of the registers.

        Args:
            shape: Of the layer.
        """
        taken = dict(shape.loops)
        for loop, size in taken.items():
            sides = [side[loop] for side in (self.rows, self.columns) if loop in side]
            taken[loop] = left(size, sides)
        for loop, size in self.held:
            taken[loop] //= size
        return taken

    def spills(self, shape: Shape) -> bool:
        """Whether sums leave the array before they are complete.

        Args:
            shape: Of the layer.
        """
        steps = self.steps(shape)
        rest = itertools.dropwhile(REDUCED.__contains__, self.order)
        # What registers hold is complete there if nothing is added to it later.
        later = self.order if self.held else rest
        return any(steps[loop] > 1 for loop in later if loop in REDUCED)


def weight_stationary(shape: Shape, chip: Mapping[str, Any]) -> Iterator[Unrolled]:
    """Rows take channels in, columns channels out; a weight stays while the places go by.

    Args:
        shape: Of the layer.
        chip: Fields of the chip.
    """
    rows = min(int(chip["rows"]), shape.c)
    yield Unrolled(
        {"C": rows},
        {"K": min(int(chip["columns"]), shape.k)},
        (),
        ("OX", "OY", "B", "FX", "FY", "C", "K", "G"),
        lambda steps: (
            steps["B"] * shape.rows_of(steps["OY"]) * shape.columns_of(steps["OX"]),
            1,
            steps["B"] * steps["OY"] * steps["OX"],
        ),
        ("OX", "OY", "B"),
        # Sums run down a column, which has one register for them at its end.
        ((), (), (ROWS,)),
        1 / rows,
    )


def output_stationary(shape: Shape, chip: Mapping[str, Any]) -> Iterator[Unrolled]:
    """Rows and columns take those of the output; a sum stays until it is complete.

    Args:
        shape: Of the layer.
        chip: Fields of the chip.
    """
    rows, columns = min(int(chip["rows"]), shape.y), min(int(chip["columns"]), shape.x)
    yield Unrolled(
        {"OY": rows},
        {"OX": columns},
        (),
        ("FX", "FY", "C", "K", "OX", "OY", "B", "G"),
        # Inputs move on from neighbour to neighbour: the array holds a window of them together.
        lambda steps: (
            shape.rows_for(rows) * shape.columns_for(columns),
            steps["FX"] * steps["FY"] * steps["C"],
            1,
        ),
        ("FX", "FY", "C"),
        (BOTH, BOTH, ()),
        1.0,
    )


def row_stationary(shape: Shape, chip: Mapping[str, Any]) -> Iterator[Unrolled]:
    """A set is the kernel's rows by rows of the output; further sets are of other channels.

    Sets are of channels in or out, or of further rows of the output, and registers hold channels
    and filters: first as takes least time, then fewest words.

    Args:
        shape: Of the layer.
        chip: Fields of the chip.
    """
    tall, wide = min(int(chip["rows"]), shape.r), min(int(chip["columns"]), shape.y)
    held = chip["register_bytes"] / (chip["activation_bits"] / 8)
    strips = math.ceil(shape.y / wide)
    entering = shape.c * shape.columns_for(shape.x) * shape.rows_for(wide) * strips
    every = []
    for up, along in itertools.product(
        _sets(int(chip["rows"]) // tall, shape, strips),
        _sets(int(chip["columns"]) // wide, shape, 1),
    ):
        shared = zip((shape.c, shape.k), up, along, strict=False)
        if any(one > 1 and other > 1 and size % (one * other) for size, one, other in shared):
            continue
        ins, outs = left(shape.c, (up[0], along[0])), left(shape.k, (up[1], along[1]))
        channels = _upto(ins, INPUTS * held / shape.s)[-1]
        folds = math.ceil(strips / up[2]) * math.ceil(shape.r / tall)
        steps = ins * outs * folds * shape.s * shape.x
        for filters in _upto(outs, min(FILTERS * held / (channels * shape.s), SUMS * held)):
            words = entering * outs / filters
            words += shape.k * shape.y * shape.x * (2 * ins / channels - 1)
            moving = words * chip["activation_bits"] / 8 / chip["noc_bytes_per_cycle"]
            sides = up[1] + along[0]
            every.append((max(steps, moving), words, sides, up, along, channels, filters))
    for cycles, *_, up, along, channels, filters in sorted(every)[:WAYS]:
        yield Unrolled(
            {"FY": tall} | _several(up),
            {"OY": math.ceil(shape.y / strips) if up[2] > 1 else wide} | _several(along),
            (("FX", shape.s), ("C", channels), ("K", filters)),
            ("OX", "FY", "C", "K", "OY", "B", "G"),
            # ZigZag forgets what one window shares with the next, so that a whole row is held.
            lambda _, c=channels, k=filters: (  # type: ignore[misc]
                c * shape.columns_for(shape.x),
                c * k * shape.s,
                k,
            ),
            (),
            ((), (), ()),
            1 / shape.r,
            float(shape.n * shape.g * cycles),
        )


UNROLLED: dict[str, Callable[[Shape, Mapping[str, Any]], Iterator[Unrolled]]] = {
    "weight-stationary": weight_stationary,
    "output-stationary": output_stationary,
    "row-stationary": row_stationary,
}
"""How a layer may lie on an array, best first, by the name of the dataflow."""


def divisors(size: int) -> list[int]:
    """Returns all divisors, ascending.

    Args:
        size: At least 1.
    """
    return [each for each in range(1, size + 1) if size % each == 0]


def left(size: int, sides: Iterable[int]) -> int:
    """Steps in time of a loop, as ZigZag counts them: now and then one more than there need be.

    Args:
        size: Of the loop.
        sides: What of it lies along the sides of the array; where more than one does, whole.
    """
    parts = math.ceil(size / math.prod(sides))
    return math.ceil(size / (size / parts))


def _upto(size: int, room: float) -> list[int]:
    """The divisors that there is room for, and at least 1."""
    return [each for each in divisors(size) if each <= max(1, room)]


def _sets(sets: int, shape: Shape, strips: int) -> Iterator[tuple[int, int, int]]:
    """How sets are shared between channels in, channels out and strips of the output."""
    for deep in range(min(sets, shape.c), 0, -1):
        for many in dict.fromkeys((min(sets // deep, shape.k), 1)):
            over = min(sets // (deep * many), strips)
            fits = shape.y % (over * math.ceil(shape.y / strips)) == 0
            yield deep, many, over if fits else 1


def _several(sets: tuple[int, int, int]) -> dict[str, int]:
    return {loop: size for loop, size in zip(("C", "K", "OY"), sets, strict=True) if size > 1}
