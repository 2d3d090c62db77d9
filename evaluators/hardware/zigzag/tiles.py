"""Orders of loops: the tiles of the cost model, in factors that ZigZag can split loops into."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any

from .arrays import Shape, Unrolled, divisors

__all__ = ["bundled", "order_of"]

# Steps between two transfers, from which on it does not matter that each takes whole cycles.
LONG = 64


def order_of(
    shape: Shape, chip: Mapping[str, Any], laid: Unrolled, share: float = 1.0
) -> tuple[float, list[list[str | int]]] | None:
    """Orders all loops in time, innermost first: registers, array, tiles of the global buffer.

    Tiles are those that move least from the memory outside, in one of three orders, as in
    `vitruvius.evaluators.hardware.cost_model.tiling`; but parts divide the steps of their loops,
    and outputs take the room of sums where they leave the array before they are complete.

    Args:
        shape: Of the layer.
        chip: Fields of the chip.
        laid: How the layer lies on the array.
        share: Of the buffer that tiles may take.

    Returns:
        Bytes from and to the memory outside, and pairs of loop and size; None where no tiling fits.
    """
    steps = laid.steps(shape)
    weight, activation, partial = (
        chip[f"{name}_bits"] / 8 for name in ("weight", "activation", "sum")
    )
    n, _, k, c, y, x, r, s, *_ = shape
    height, width = shape.rows_for(y), shape.columns_for(x)
    weights, inputs = k * c * r * s * weight, n * c * width * activation
    outputs, sums = n * k * y * x * activation, n * k * y * x * partial
    spilled = laid.spills(shape)
    best: tuple[float, int, float, tuple[tuple[str, int], ...]] | None = None
    for k_parts, c_parts, y_parts, n_parts in itertools.product(
        *(divisors(steps[loop]) for loop in ("K", "C", "OY", "B"))
    ):
        k_tile, c_tile = math.ceil(k / k_parts), math.ceil(c / c_parts)
        y_tile, n_tile = math.ceil(y / y_parts), math.ceil(n / n_parts)
        rows = min(shape.rows_for(y_tile), height)
        room = k_tile * c_tile * r * s * weight + n_tile * c_tile * rows * width * activation
        room += n_tile * k_tile * y_tile * x * (partial if spilled or c_parts > 1 else activation)
        if room > share * chip["buffer_bytes"]:
            continue
        again, places = inputs * max(height, y_parts * rows), y_parts * n_parts
        whole = c_parts == 1
        deep, out, down = ("C", c_parts), ("K", k_parts), (("OY", y_parts), ("B", n_parts))
        orders: tuple[tuple[float, tuple[tuple[str, int], ...]], ...] = (
            (weights * (1 if whole else places) + again * k_parts, (deep, *down, out)),
            (weights * places + again * (1 if whole else k_parts), (deep, out, *down)),
            (weights + again * k_parts + 2 * (c_parts - 1) * sums, (*down, out, deep)),
        )
        for traffic, parts in orders:
            found = (traffic + outputs, c_parts, room, parts)
            if best is None or found[:3] < best[:3]:
                best = found
    if best is None:
        return None
    parts = best[3]
    cut = dict(parts)
    inside = [(loop, steps[loop] // cut.get(loop, 1)) for loop in laid.order if loop != "G"]
    every = (*laid.held, *inside, *parts, ("G", steps["G"]))
    return shape.g * best[0], [[loop, size] for loop, size in every if size > 1]


def bundled(
    order: list[list[str | int]], laid: Unrolled
) -> tuple[list[list[str | int]], dict[str, int], int]:
    """Splits loops where registers end that hold what many steps need one after the other.

    One step at the least remains beyond, so that nothing is kept that the dataflow does not keep.

    Args:
        order: Of `order_of`.
        laid: How the layer lies on the array.

    Returns:
        The order, the steps of each loop that go by between two transfers, and how many loops of
        the order make the dataflow what it is: these and the one beyond.
    """
    steps = dict.fromkeys(laid.bundled, 1)
    found: list[list[str | int]] = []
    leading = [(str(loop), int(size)) for loop, size in order]
    leading = leading[: next((i for i, each in enumerate(leading) if each[0] not in steps), None)]
    for number, (loop, size) in enumerate(leading):
        room = LONG // math.prod(steps.values())
        most = size - 1 if number == len(leading) - 1 else size
        taken = max((each for each in divisors(size) if each <= min(room, most)), default=1)
        steps[loop] *= taken
        if taken < size:
            found += [[loop, part] for part in (taken, size // taken) if part > 1]
            inner = number + (2 if taken > 1 else 1)
            return [*found, *order[number + 1 :]], steps, inner
        found.append([loop, size])
    return order, steps, len(leading)
