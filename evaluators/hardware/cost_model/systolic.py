"""Systolic arrays, cycle by cycle as SCALE-Sim (Samajdar et al., arXiv 1811.02883) counts them.

A convolution is a product of matrices, of windows by channels out, over the entries of a window.
Data enter at the edges, skewed, and what stays in the array is loaded and drained between folds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from .dataflows import Sizes, Words, up

if TYPE_CHECKING:
    from .chips import ChipBatch

__all__ = ["InputSystolic", "OutputSystolic", "WeightSystolic"]


class _Systolic:
    """Two sides of the product lie along the array, the third streams through."""

    registers = 2.0

    def hops(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts the words that neighbours pass on: an input and a sum, or a weight, each time."""
        return (2 * sizes.macs).expand(*sizes.k.shape[:-1], len(chips))


class WeightSystolic(_Systolic):
    """Entries of a window along the rows, channels out along the columns; windows stream."""

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts ``ceil(RSC / rows) ceil(K / columns) (windows + 2 rows + columns - 2)``."""
        windows, entries = _windows(sizes), _entries(sizes)
        folds = up(entries, chips.rows) * up(sizes.k, chips.columns)
        return sizes.g * folds * (windows + 2 * chips.rows + chips.columns - 2)

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        """Counts windows once for each fold of the columns, sums once for each of the rows."""
        windows, entries = _windows(sizes), _entries(sizes)
        weights = (sizes.g * entries * sizes.k).expand(*sizes.k.shape[:-1], len(chips))
        inputs = sizes.g * windows * entries * up(sizes.k, chips.columns)
        sums = sizes.g * windows * sizes.k * (2 * up(entries, chips.rows) - 1)
        return Words(weights, inputs, sums)


class OutputSystolic(_Systolic):
    """Windows along the rows, channels out along the columns; entries of windows stream."""

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts ``ceil(windows / rows) ceil(K / columns) (RSC + rows + columns - 2)``."""
        windows, entries = _windows(sizes), _entries(sizes)
        folds = up(windows, chips.rows) * up(sizes.k, chips.columns)
        return sizes.g * folds * (entries + chips.rows + chips.columns - 2)

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        """Counts weights and windows once for each fold of the other, outputs once."""
        windows, entries = _windows(sizes), _entries(sizes)
        weights = sizes.g * entries * sizes.k * up(windows, chips.rows)
        inputs = sizes.g * windows * entries * up(sizes.k, chips.columns)
        sums = (sizes.g * windows * sizes.k).expand(*sizes.k.shape[:-1], len(chips))
        return Words(weights, inputs, sums)


class InputSystolic(_Systolic):
    """Entries of a window along the rows, windows along the columns; channels out stream."""

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts ``ceil(RSC / rows) ceil(windows / columns) (K + 2 rows + columns - 2)``."""
        windows, entries = _windows(sizes), _entries(sizes)
        folds = up(entries, chips.rows) * up(windows, chips.columns)
        return sizes.g * folds * (sizes.k + 2 * chips.rows + chips.columns - 2)

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        """Counts weights once for each fold of the columns, sums once for each of the rows."""
        windows, entries = _windows(sizes), _entries(sizes)
        inputs = (sizes.g * windows * entries).expand(*sizes.k.shape[:-1], len(chips))
        weights = sizes.g * entries * sizes.k * up(windows, chips.columns)
        sums = sizes.g * windows * sizes.k * (2 * up(entries, chips.rows) - 1)
        return Words(weights, inputs, sums)


def _windows(sizes: Sizes) -> Tensor:
    return sizes.n * sizes.y * sizes.x


def _entries(sizes: Sizes) -> Tensor:
    return sizes.c * sizes.r * sizes.s
