"""Film strips: one architecture as it comes about, step after step."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .contact_sheet import (
    CELL_WIDTH,
    DRAWING_HEIGHT,
    GAP,
    GREY,
    MOST_COLUMNS,
    PADDING,
    cell,
    height_of,
    page,
    scale_of,
)
from .svg import SVG

__all__ = ["film_strip"]

# Between frames, where an arrow leads to the next one.
PITCH = 34.0


def film_strip(states: Sequence[tuple[str, str]]) -> SVG:
    """Puts the states of one architecture on a page, in rows from left to right.

    All are drawn at one scale, so that what changes is what was decided. States of which only a
    part is known are drawn by `draw_partial`.

    Args:
        states: Pairs of a drawing and its caption, e.g. ``"step 3 of 16, 9 of 13 known"``; lines
            are kept.

    Returns:
        One SVG.

    Raises:
        UsageError: Where a drawing is not one of `draw`'s.

    Example:
        >>> from vitruvius.reports import draw_partial
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> steps = [[k < step for k in range(6)] for step in (0, 3, 6)]
        >>> told = [(draw_partial(cells, cells.example, k), f"{sum(k)} of 6 known") for k in steps]
        >>> film_strip(told).count("<svg")
        4
    """
    rows = max(1, math.ceil(len(states) / MOST_COLUMNS))
    columns = max(1, math.ceil(len(states) / rows))
    height = height_of([caption for _, caption in states])
    scale = min((scale_of(drawing) for drawing, _ in states), default=1.0)
    parts = []
    for k, (drawing, caption) in enumerate(states):
        row, column = divmod(k, columns)
        x, y = PITCH + column * (CELL_WIDTH + PITCH), GAP + row * (height + GAP)
        parts += cell(drawing, caption, x, y, height, scale)
        if k:
            parts.append(_arrow(x - PITCH / 2, y + PADDING + DRAWING_HEIGHT / 2))
    width = PITCH + columns * (CELL_WIDTH + PITCH)
    return page(width, GAP + rows * (height + GAP), f"{len(states)} states", parts)


def _arrow(x: float, y: float) -> str:
    return (
        f'<path d="M{x - 9:.1f} {y:.1f}H{x + 7:.1f}M{x + 1:.1f} {y - 6:.1f}L{x + 8:.1f} {y:.1f}'
        f'L{x + 1:.1f} {y + 6:.1f}" fill="none" stroke="{GREY}" stroke-width="2" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )
