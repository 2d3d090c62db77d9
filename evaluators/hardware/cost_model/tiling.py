"""Tiling: what of a layer is in the global buffer at a time, and what that costs outside."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from .chips import ChipBatch
from .layer_batch import LayerBatch

__all__ = ["Traffic", "dram_traffic"]

# Parts that channels out, channels in, and places are cut into. Places are examples, then rows.
OUTPUT_PARTS = (1, 2, 4, 8, 16, 32, 64)
INPUT_PARTS = (1, 2, 4, 8, 16)
PLACES = (
    *((examples, 1) for examples in (1, 2, 4, 8)),
    *((torch.inf, rows) for rows in (1, 2, 4, 8, 16, 32, torch.inf)),
)
ORDERS = 3


class Traffic(NamedTuple):
    """Bytes between the memory outside and the global buffer, ``[A, L, J]``.

    Args:
        total: Of the best tiling that fits; where none does, of the one that needs least room.
        first: Of the first tiles, before which nothing can begin.
        fits: Whether any tiling fits.
    """

    total: Float[Tensor, "A L J"]
    first: Float[Tensor, "A L J"]
    fits: Bool[Tensor, "A L J"]


def dram_traffic(layers: LayerBatch, chips: ChipBatch, share: float = 1.0) -> Traffic:
    """Finds for each layer and chip the tiling with the least traffic that fits its buffer.

    Tiles are of some examples, channels out, channels in and rows. Of three orders of the loops
    over them, channels out outermost (A), places (B), channels in (C), each has its operands read
    again in its own way; sums are spilled in C alone.

    1. Traffic and room of all tilings are computed once for each width of the operands.
    2. Sorted by room, the least traffic up to each room is a running minimum.
    3. A chip looks up its own room.

    So it costs a search in a sorted list for each chip, whatever the number of tilings.

    Args:
        layers: The layers.
        chips: The chips.
        share: Of the buffer that tiles may take; a half where they are double-buffered.
    """
    shape = (*layers.kind.shape, len(chips))
    total, first = (layers.height.new_zeros(shape) for _ in range(2))
    fits = torch.zeros(shape, dtype=torch.bool, device=total.device)
    widths = torch.stack(chips.operand_bytes, 1)
    kinds, member = widths.unique(dim=0, return_inverse=True)
    for number, operand_bytes in enumerate(kinds):
        own = (member == number).nonzero()[:, 0]
        room, traffic, filled = _tilings(layers, operand_bytes)
        # Of those that move as much, the one that starts first.
        order = filled.argsort(dim=-1, stable=True)
        order = order.gather(-1, traffic.gather(-1, order).argsort(dim=-1, stable=True))
        rank = order.argsort(-1)
        room, order = room.sort(-1)
        at = order.gather(-1, rank.gather(-1, order).cummin(-1).indices)
        least, filled = traffic.gather(-1, at), filled.gather(-1, at)
        wanted = (share * chips.buffer_bytes[own]).expand(*shape[:2], -1).contiguous()
        place = torch.searchsorted(room.contiguous(), wanted, right=True) - 1
        fits[..., own] = place >= 0
        place = place.clamp(min=0)
        total[..., own], first[..., own] = least.gather(-1, place), filled.gather(-1, place)
    return Traffic(total, first, fits)


def _tilings(
    layers: LayerBatch, operand_bytes: Float[Tensor, "3"]
) -> tuple[Float[Tensor, "A L T"], Float[Tensor, "A L T"], Float[Tensor, "A L T"]]:
    """Room, traffic and first tiles of every tiling in its best order, in bytes."""
    weight, activation, partial = operand_bytes
    every = list(itertools.product(OUTPUT_PARTS, INPUT_PARTS, PLACES))
    like = layers.height
    cuts = like.new_tensor([[k, c, n, y] for k, c, (n, y) in every])
    n, g, k, c, y, x = (
        value[..., None]
        for value in (
            layers.batch, layers.groups, layers.outputs, layers.inputs, layers.height, layers.width,
        )
    )  # fmt: skip
    kernel = (layers.kernel_height * layers.kernel_width)[..., None]
    height, width = (value[..., None] for value in layers.taken)
    outs = g * k
    k_tile = (outs / torch.minimum(cuts[:, 0], outs)).ceil()
    k_parts = (outs / k_tile).ceil()
    c_tile = (c / torch.minimum(cuts[:, 1], c)).ceil()
    c_parts = (c / c_tile).ceil()
    # A tile holds the inputs of all groups that it has channels of, and groups share none.
    taking, reread = c_tile * (g / k_parts).ceil(), (k_parts / g).ceil()
    n_tile = (n / torch.minimum(cuts[:, 2], n)).ceil()
    y_tile = (y / torch.minimum(cuts[:, 3], y)).ceil()
    y_parts, n_parts = (y / y_tile).ceil(), (n / n_tile).ceil()
    places = y_parts * n_parts
    rows = torch.minimum(layers.rows_for(y_tile), height)

    weights = outs * c * kernel * weight
    inputs = n * g * c * height * width * activation
    # With the rows that neighbouring tiles both need.
    again = torch.maximum(inputs, n * g * c * y_parts * rows * width * activation)
    outputs = n * outs * y * x * activation
    sums = n * outs * y * x * partial
    one = torch.ones_like(places)
    orders = (
        weights * torch.where(c_parts == 1, one, places) + again * reread + outputs,
        weights * places + again * torch.where(c_parts == 1, one, reread) + outputs,
        weights + again * reread + outputs + 2 * (c_parts - 1) * sums,
    )
    traffic = torch.stack(orders).amin(0)
    first = k_tile * c_tile * kernel * weight + n_tile * taking * rows * width * activation
    held = torch.where(c_parts > 1, partial, activation)
    return first + n_tile * k_tile * y_tile * x * held, traffic, first
