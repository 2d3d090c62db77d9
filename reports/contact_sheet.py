"""Contact sheets: many drawings on one page, with what became of each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from ..core.errors import UsageError
from .drawing import CAPTION_SIZE, FONT, LINE, escaped, text_width

__all__ = ["contact_sheet", "sheet_caption"]

CELL_WIDTH, DRAWING_HEIGHT = 260.0, 300.0
PADDING, GAP = 12.0, 14.0
MOST_COLUMNS = 6
HIT, MISS = "✓", "✗"
_MARKS = {
    HIT: ("#15803D", "M-4 0.3L-1.3 3L4.2 -3.2"),
    MISS: ("#B91C1C", "M-3.2 -3.2L3.2 3.2M3.2 -3.2L-3.2 3.2"),
}
_OPENING = re.compile(r'<svg [^>]*?width="[^"]*" height="[^"]*" viewBox="([^"]*)"')


def sheet_caption(values: Mapping[str, float], hit: bool | None = None) -> str:
    """Writes a caption: one line per value, after a line that says whether the targets are met.

    Args:
        values: Values by name.
        hit: Whether all targets are met; None where that is not known.

    Example:
        >>> sheet_caption({"latency": 0.0041234, "params": 4537584.0}, hit=True).splitlines()
        ['✓ meets the target', 'latency 0.004123', 'params 4,537,584']
    """
    lines = [] if hit is None else [f"{HIT} meets the target" if hit else f"{MISS} misses it"]
    lines += [
        f"{name} {value:,.0f}" if value.is_integer() else f"{name} {value:.4g}"
        for name, value in values.items()
        if math.isfinite(value)
    ]
    return "\n".join(lines)


def contact_sheet(items: Sequence[tuple[str, str]]) -> str:
    """Puts drawings on one page, in rows, each with its caption.

    Args:
        items: Pairs of a drawing made by `draw` and its caption; a first line that starts with
            ``✓`` or ``✗`` gets a coloured mark.

    Returns:
        One SVG.

    Raises:
        UsageError: Where a drawing is not one of `draw`'s.
    """
    columns = max(1, min(MOST_COLUMNS, math.ceil(math.sqrt(len(items) * 1.3))))
    rows = math.ceil(len(items) / columns)
    captions = [caption.splitlines() for _, caption in items]
    lines = max(map(len, captions), default=0)
    cell_height = DRAWING_HEIGHT + LINE * lines + 2.5 * PADDING
    width = columns * (CELL_WIDTH + GAP) + GAP
    height = max(1, rows) * (cell_height + GAP) + GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" role="img" font-family="{FONT}">',
        f"<title>{len(items)} architectures</title>",
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#F1F4F7"/>',
    ]
    for k, (drawing, _) in enumerate(items):
        row, column = divmod(k, columns)
        x, y = GAP + column * (CELL_WIDTH + GAP), GAP + row * (cell_height + GAP)
        parts += [
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{CELL_WIDTH:.1f}" height="{cell_height:.1f}" '
            'rx="8" fill="#FFFFFF" stroke="#D5DCE3"/>',
            _nested(drawing, x + PADDING, y + PADDING),
            *_caption(captions[k], x, y + DRAWING_HEIGHT + 1.5 * PADDING),
        ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _nested(drawing: str, x: float, y: float) -> str:
    match = _OPENING.match(drawing)
    if match is None:
        raise UsageError(
            f"A contact sheet is made of drawings, got {drawing[:30]!r}.", "Make them with `draw`."
        )
    _, _, width, height = map(float, match[1].split())
    # Small drawings keep their size, so that text is as large everywhere as the room allows.
    scale = min((CELL_WIDTH - 2 * PADDING) / width, DRAWING_HEIGHT / height, 1.0)
    x += (CELL_WIDTH - 2 * PADDING - scale * width) / 2
    y += (DRAWING_HEIGHT - scale * height) / 2
    opening = (
        f'<svg x="{x:.1f}" y="{y:.1f}" width="{scale * width:.1f}" '
        f'height="{scale * height:.1f}" viewBox="{match[1]}"'
    )
    return opening + drawing[match.end() :].rstrip()


def _caption(lines: list[str], x: float, y: float) -> list[str]:
    parts = []
    for k, line in enumerate(lines):
        base = y + LINE * (k + 0.5)
        left = x + PADDING
        colour = "#3D4852"
        if k == 0 and line[:1] in _MARKS:
            colour, mark = _MARKS[line[0]]
            line = line[1:].strip()
            parts.append(
                f'<g transform="translate({left + 8:.1f} {base:.1f})"><circle r="8" '
                f'fill="{colour}"/><path d="{mark}" fill="none" stroke="#FFFFFF" '
                'stroke-width="1.8" stroke-linecap="round"/></g>'
            )
            left += 22
        size = min(
            CAPTION_SIZE,
            CAPTION_SIZE
            * (x + CELL_WIDTH - PADDING - left)
            / max(1.0, text_width(line, CAPTION_SIZE)),
        )
        parts.append(
            f'<text x="{left:.1f}" y="{base + size * 0.36:.1f}" font-size="{size:.4g}" '
            f'fill="{colour}">{escaped(line)}</text>'
        )
    return parts
