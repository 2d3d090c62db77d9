"""Aggregation over a graph: products with a sparse matrix, row by row of neighbours."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from .chips import ChipBatch
from .dataflows import up
from .layer_batch import LayerBatch

__all__ = ["Aggregated", "aggregated"]

# Of the number of a neighbour.
INDEX_BYTES = 4.0


class Aggregated(NamedTuple):
    """What gathering values of neighbours takes, ``[A, L, J]``.

    Args:
        cycles: Of the array.
        buffer_bytes: Between the global buffer and the array.
        dram_bytes: Between the memory outside and the global buffer.
        first: Bytes before which nothing can begin.
    """

    cycles: Float[Tensor, "A L J"]
    buffer_bytes: Float[Tensor, "A L J"]
    dram_bytes: Float[Tensor, "A L J"]
    first: Float[Tensor, "A L J"]


def aggregated(layers: LayerBatch, chips: ChipBatch) -> Aggregated:
    """Computes layers as if all were aggregations, whatever the chips' dataflows.

    Neighbours lie along the rows and values of a node along the columns, so that no more rows are
    busy than a node has neighbours. From outside, values come in slices of as many as fit the
    buffer for all nodes, and each slice reads the neighbours' numbers again; where not one fits, or
    if that is less, every neighbour is read by itself.

    Args:
        layers: Of nodes ``batch``, neighbours of each ``inputs``, and ``outputs`` values of each.
        chips: The chips.
    """
    nodes, degree, values = (v[..., None] for v in (layers.batch, layers.inputs, layers.outputs))
    size = chips.activation_bits / 8
    neighbours = nodes * degree
    cycles = nodes * up(degree, chips.rows) * up(values, chips.columns)
    indices = neighbours * INDEX_BYTES
    through = nodes * values * size
    moved = neighbours * values * size + through + indices
    slice_ = (chips.buffer_bytes / (nodes * size)).floor()
    slices = up(values, slice_.clamp(min=1))
    sliced = torch.where(slice_ >= 1, 2 * through + indices * slices, torch.inf)
    outside = torch.minimum(sliced, moved)
    first = torch.minimum(torch.minimum(through, chips.buffer_bytes), outside)
    return Aggregated(cycles, moved, outside, first)
