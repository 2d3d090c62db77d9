"""Contact sheets: many drawings on one page, with what became of each."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..core.errors import UsageError
from .drawing import CAPTION_SIZE, FONT, LINE
from .lettering import escaped, text_width
from .svg import SVG

__all__ = ["Head", "cell", "contact_sheet", "height_of", "page", "scale_of", "sheet_caption"]

CELL_WIDTH, DRAWING_HEIGHT = 260.0, 300.0
PADDING, GAP = 12.0, 14.0
MOST_COLUMNS = 6
HEAD_HEIGHT, BAR_WIDTH, BAR_HEIGHT = 58.0, 320.0, 12.0
MET, UNMET = "✓", "○"
GREEN, GREY, TEXT = "#15803D", "#7C8894", "#3D4852"
_OPENING = re.compile(r'<svg [^>]*?width="[^"]*" height="[^"]*" viewBox="([^"]*)"')


@dataclass(frozen=True)
class Head:
    """What stands above the drawings.

    Args:
        text: A line.
        share: Share of the architectures that meet the targets, drawn as a bar; None for no bar.
        chance: Share that would by chance, a mark on it.
    """

    text: str
    share: float | None = None
    chance: float | None = None


def sheet_caption(values: Mapping[str, float], met: Mapping[str, bool] | None = None) -> str:
    """Writes a caption: one line per value, marked where it meets its target.

    Args:
        values: Values by name.
        met: Whether they meet their targets, of those that have one.

    Example:
        >>> values = {"latency [s]": 0.0041234, "params": 4537584.0, "depth": 8.0}
        >>> sheet_caption(values, {"latency [s]": True, "params": False}).splitlines()
        ['✓ latency [s] 0.004123', '○ params 4,537,584', 'depth 8']
    """
    marks = {True: f"{MET} ", False: f"{UNMET} ", None: ""}
    return "\n".join(
        f"{marks[(met or {}).get(name)]}{name} "
        + (f"{value:,.0f}" if value.is_integer() else f"{value:.4g}")
        for name, value in values.items()
        if math.isfinite(value)
    )


def contact_sheet(items: Sequence[tuple[str, str]], head: Head | None = None) -> SVG:
    """Puts drawings on one page, in rows, each with its caption.

    Args:
        items: Pairs of a drawing made by `draw` and its caption; lines that start with ``✓`` or
            ``○`` get a drawn mark.
        head: What stands above them.

    Returns:
        One SVG.

    Raises:
        UsageError: Where a drawing is not one of `draw`'s.
    """
    columns = max(1, min(MOST_COLUMNS, math.ceil(math.sqrt(len(items) * 1.3))))
    rows = math.ceil(len(items) / columns)
    cell_height = height_of([caption for _, caption in items])
    width = columns * (CELL_WIDTH + GAP) + GAP
    above = HEAD_HEIGHT if head else 0.0
    height = above + max(1, rows) * (cell_height + GAP) + GAP
    parts = _head(head, width) if head else []
    for k, (drawing, caption) in enumerate(items):
        row, column = divmod(k, columns)
        x, y = GAP + column * (CELL_WIDTH + GAP), above + GAP + row * (cell_height + GAP)
        parts += cell(drawing, caption, x, y, cell_height)
    return page(width, height, f"{len(items)} architectures", parts)


def height_of(captions: Sequence[str]) -> float:
    """Height of the cells of drawings with these captions, in pixels."""
    lines = max((len(caption.splitlines()) for caption in captions), default=0)
    return DRAWING_HEIGHT + LINE * lines + 2.5 * PADDING


def scale_of(drawing: str) -> float:
    """At what scale a drawing fits into its cell.

    Args:
        drawing: As `draw` makes it.

    Raises:
        UsageError: Where it is none.
    """
    _, width, height = _opened(drawing)
    # Small drawings keep their size, so that text is as large everywhere as the room allows.
    return min((CELL_WIDTH - 2 * PADDING) / width, DRAWING_HEIGHT / height, 1.0)


def cell(
    drawing: str, caption: str, x: float, y: float, height: float, scale: float | None = None
) -> list[str]:
    """Frames a drawing with its caption.

    Args:
        drawing: As `draw` makes it.
        caption: As for `contact_sheet`.
        x: Left edge, in pixels.
        y: Upper edge.
        height: See `height_of`.
        scale: Of the drawing; by default that at which it fits.

    Raises:
        UsageError: Where it is no drawing.
    """
    return [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{CELL_WIDTH:.1f}" height="{height:.1f}" '
        'rx="8" fill="#FFFFFF" stroke="#D5DCE3"/>',
        _nested(drawing, x + PADDING, y + PADDING, scale_of(drawing) if scale is None else scale),
        *_caption(caption.splitlines(), x, y + DRAWING_HEIGHT + 1.5 * PADDING),
    ]


def page(width: float, height: float, title: str, parts: Sequence[str]) -> SVG:
    """Puts cells and what else there is on one page, as SVG.

    Args:
        width: Of the page, in pixels.
        height: Of the page.
        title: What it is.
        parts: Pieces of SVG.
    """
    opening = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" role="img" font-family="{FONT}">',
        f"<title>{escaped(title)}</title>",
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#F1F4F7"/>',
    ]
    return SVG("\n".join([*opening, *parts, "</svg>"]) + "\n")


def _opened(drawing: str) -> tuple[re.Match[str], float, float]:
    """The opening of a drawing, its width and its height."""
    match = _OPENING.match(drawing)
    if match is None:
        raise UsageError(
            f"A contact sheet is made of drawings, got {drawing[:30]!r}.", "Make them with `draw`."
        )
    _, _, width, height = map(float, match[1].split())
    return match, width, height


def _nested(drawing: str, x: float, y: float, scale: float) -> str:
    match, width, height = _opened(drawing)
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
        if line[:1] in (MET, UNMET):
            parts.append(_mark(left + 7, base, met=line[0] == MET))
            line = line[1:].strip()
            left += 19
        parts.append(_fitted(line, left, base, x + CELL_WIDTH - PADDING - left))
    return parts


def _mark(x: float, y: float, *, met: bool) -> str:
    place = f'<g transform="translate({x:.1f} {y:.1f})">'
    if not met:
        return f'{place}<circle r="5.5" fill="none" stroke="{GREY}" stroke-width="1.5"/></g>'
    return (
        f'{place}<circle r="6.5" fill="{GREEN}"/><path d="M-3.2 0.2L-1 2.4L3.4 -2.6" fill="none" '
        'stroke="#FFFFFF" stroke-width="1.6" stroke-linecap="round"/></g>'
    )


def _fitted(line: str, x: float, y: float, room: float, size: float = CAPTION_SIZE) -> str:
    """A line of text, smaller where it is longer than its room."""
    size = min(size, size * room / max(1.0, text_width(line, size)))
    return (
        f'<text x="{x:.1f}" y="{y + size * 0.36:.1f}" font-size="{size:.4g}" '
        f'fill="{TEXT}">{escaped(line)}</text>'
    )


def _head(head: Head, width: float) -> list[str]:
    """The line, and below it a bar of the share with a mark where chance would end."""
    parts = [_fitted(head.text, GAP, 20.0, width - 2 * GAP, size=15.0)]
    if head.share is None:
        return parts
    top, room = 36.0, min(BAR_WIDTH, width - 2 * GAP)
    for share, colour in ((1.0, "#D5DCE3"), (head.share, GREEN)):
        parts.append(
            f'<rect x="{GAP:.1f}" y="{top:.1f}" width="{room * share:.1f}" '
            f'height="{BAR_HEIGHT:.1f}" rx="3" fill="{colour}"/>'
        )
    if head.chance is not None:
        x = GAP + room * head.chance
        parts.append(
            f'<path d="M{x:.1f} {top - 4:.1f}V{top + BAR_HEIGHT + 4:.1f}" stroke="#1E2933" '
            'stroke-width="2"/>'
        )
        told = "| expected by chance"
        parts.append(_fitted(told, GAP + room + 8, top + BAR_HEIGHT / 2, 200.0))
    return parts
