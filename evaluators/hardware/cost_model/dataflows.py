"""Dataflows: which loops an array unrolls, and what stays in it, as closed forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol, runtime_checkable

import torch
from torch import Tensor

from ....core.registry import Registry
from .layer_batch import LayerBatch, touched

if TYPE_CHECKING:
    from .chips import ChipBatch

__all__ = [
    "DATAFLOWS",
    "Dataflow",
    "OutputStationary",
    "RowStationary",
    "Sizes",
    "WeightStationary",
    "Words",
    "up",
]

# By their names; positions are what `ChipBatch.dataflow` holds.
DATAFLOWS = Registry(
    "dataflow",
    "vitruvius.dataflows",
    {
        "weight-stationary": "evaluators.hardware.cost_model.dataflows:WeightStationary",
        "output-stationary": "evaluators.hardware.cost_model.dataflows:OutputStationary",
        "row-stationary": "evaluators.hardware.cost_model.dataflows:RowStationary",
        "systolic-weight-stationary": "evaluators.hardware.cost_model.systolic:WeightSystolic",
        "systolic-output-stationary": "evaluators.hardware.cost_model.systolic:OutputSystolic",
        "systolic-input-stationary": "evaluators.hardware.cost_model.systolic:InputSystolic",
    },
)
# Shares of a register file that row-stationary elements give to filters and inputs: Eyeriss has
# 224, 12 and 24 words for filters, inputs and sums.
FILTERS, INPUTS, SUMS = 224 / 260, 12 / 260, 24 / 260
# Sets of a row-stationary array that are of other channels in.
SETS = (1, 2, 4, 8, 16)


class Sizes(NamedTuple):
    """Sizes of layers ``[A, L, 1]``, in the letters of the papers.

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

    n: Tensor
    g: Tensor
    k: Tensor
    c: Tensor
    y: Tensor
    x: Tensor
    r: Tensor
    s: Tensor
    stride: Tensor
    dilation: Tensor

    @classmethod
    def of(cls, layers: LayerBatch) -> Sizes:
        """Takes the sizes of layers.

        Args:
            layers: The layers.
        """
        return cls(
            layers.batch[..., None],
            layers.groups[..., None],
            layers.outputs[..., None],
            layers.inputs[..., None],
            layers.height[..., None],
            layers.width[..., None],
            layers.kernel_height[..., None],
            layers.kernel_width[..., None],
            layers.stride[..., None],
            layers.dilation[..., None],
        )

    @property
    def macs(self) -> Tensor:
        """Multiply-adds."""
        return self.n * self.g * self.k * self.c * self.y * self.x * self.r * self.s

    def rows_for(self, rows: Tensor) -> Tensor:
        """Rows of the input that rows of the output need.

        Args:
            rows: Of the output.
        """
        return touched(rows, self.r, self.stride, self.dilation)

    def columns_for(self, columns: Tensor) -> Tensor:
        """Columns of the input that columns of the output need.

        Args:
            columns: Of the output.
        """
        return touched(columns, self.s, self.stride, self.dilation)


class Words(NamedTuple):
    """Words that go between the global buffer and the array, ``[A, L, J]``.

    Args:
        weights: Read.
        inputs: Read.
        sums: Partial sums written and read again, and outputs written.
    """

    weights: Tensor
    inputs: Tensor
    sums: Tensor


@runtime_checkable
class Dataflow(Protocol):
    """A template of loops: how many cycles, and how often each memory is asked.

    Attributes:
        registers: Accesses of a register file for each multiply-add.
    """

    registers: float

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts the cycles of the array, where data are always there.

        Args:
            sizes: Of the layers.
            chips: Those with this dataflow.
        """

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        """Counts the words between the global buffer and the array.

        Args:
            sizes: Of the layers.
            chips: Those with this dataflow.
        """

    def hops(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        """Counts the words that neighbours in the array pass on.

        Args:
            sizes: Of the layers.
            chips: Those with this dataflow.
        """


class WeightStationary:
    """NVDLA's: rows take channels in, columns channels out; sums run down the columns."""

    registers = 2.0

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        n, g, k, c, y, x, r, s, *_ = sizes
        return g * up(c, chips.rows) * up(k, chips.columns) * r * s * n * y * x

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        n, g, k, c, y, x, r, s, *_ = sizes
        weights = (g * k * c * r * s).expand(*k.shape[:-1], len(chips))
        inputs = n * g * c * y * x * r * s * up(k, chips.columns)
        sums = n * g * k * y * x * (2 * r * s * up(c, chips.rows) - 1)
        return Words(weights, inputs, sums)

    def hops(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        return sizes.macs / torch.minimum(chips.rows, sizes.c)


class OutputStationary:
    """ShiDianNao's: rows and columns take rows and columns of the output."""

    registers = 2.0

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        n, g, k, c, y, x, r, s, *_ = sizes
        return n * g * k * c * r * s * up(y, chips.rows) * up(x, chips.columns)

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        n, g, k, c, y, x, r, s, *_ = sizes
        tiles = up(y, chips.rows) * up(x, chips.columns)
        weights = n * g * k * c * r * s * tiles
        tall, wide = torch.minimum(chips.rows, y), torch.minimum(chips.columns, x)
        window = sizes.rows_for(tall) * sizes.columns_for(wide)
        sums = (n * g * k * y * x).expand(*k.shape[:-1], len(chips))
        return Words(weights, n * g * k * c * tiles * window, sums)

    def hops(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        return sizes.macs.expand(*sizes.k.shape[:-1], len(chips))


class RowStationary:
    """Eyeriss's (Chen et al., ISCA 2016): each element convolves one row.

    A set of elements is the kernel's rows by rows of the output. Sets that fill the array are of
    several channels in, or several channels out, whichever moves fewer words.
    """

    registers = 4.0

    def cycles(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        n, g, k, c, _, x, _, s, *_ = sizes
        strips, folds, sets = self._layout(sizes, chips)
        return n * g * up(k * c * strips, sets) * folds * s * x

    def words(self, sizes: Sizes, chips: ChipBatch) -> Words:
        n, g, k, c, y, x, r, s, *_ = sizes
        strips, _, sets = self._layout(sizes, chips)
        _, activation, _ = chips.operand_bytes
        held = chips.register_bytes / activation
        channels = ((INPUTS * held) / s).floor().clamp(min=1)
        filters = ((FILTERS * held) / (channels * s)).floor().clamp(min=1)
        filters = torch.minimum(filters, (SUMS * held).floor().clamp(min=1))
        width, rows = sizes.columns_for(x), sizes.rows_for(torch.minimum(chips.columns, y))
        weights = n * g * k * c * r * s * strips
        entering, leaving = n * g * c * width * rows * strips, n * g * k * y * x
        every = []
        for many in SETS:
            deep = sets.clamp(max=many)
            beside = (sets / deep).floor()
            inputs = entering * up(k, filters * beside)
            every.append(torch.stack([inputs, leaving * (2 * up(c, channels * deep) - 1)]))
        least = torch.stack(every)
        best = least.sum(1).argmin(0)[None, None].expand(1, 2, *weights.shape)
        inputs, sums = least.gather(0, best)[0]
        return Words(weights, inputs, sums)

    def hops(self, sizes: Sizes, chips: ChipBatch) -> Tensor:
        return (sizes.macs / sizes.r).expand(*sizes.k.shape[:-1], len(chips))

    def _layout(self, sizes: Sizes, chips: ChipBatch) -> tuple[Tensor, Tensor, Tensor]:
        """Strips of the output, folds of the kernel's rows, and sets in the array."""
        vertical = (chips.rows / sizes.r).floor().clamp(min=1)
        beside = (chips.columns / sizes.y).floor().clamp(min=1)
        return up(sizes.y, chips.columns), up(sizes.r, chips.rows), vertical * beside


def up(size: Tensor, side: Tensor) -> Tensor:
    """Returns how often a side is needed for a size.

    Args:
        size: Of the layers.
        side: Of the chips.
    """
    return (size / side).ceil()
