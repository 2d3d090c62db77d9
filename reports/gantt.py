"""Gantt charts: which layer runs where, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import FONT
from .lettering import escaped, text_width
from .svg import SVG

__all__ = ["Bar", "gantt"]

WIDTH, LANE, GAP, LEFT, TOP, BOTTOM, RIGHT = 900.0, 34.0, 8.0, 120.0, 34.0, 40.0, 18.0
INK, GRID = "#3D4852", "#E3E7EB"
COLOURS = ("#93C5FD", "#FCD34D", "#86EFAC", "#FDA4AF", "#C4B5FD", "#FDBA74")
TICKS = 6


@dataclass(frozen=True)
class Bar:
    """One layer's run.

    Args:
        lane: What it runs on.
        start: When it begins.
        length: How long it runs.
        group: What it is of; each group has a colour.
        label: What it is called.
    """

    lane: str
    start: float
    length: float
    group: str
    label: str


def gantt(bars: Sequence[Bar], lanes: Sequence[str], unit: str = "cycles", title: str = "") -> SVG:
    """Draws runs as bars, a lane for each place, as SVG.

    Args:
        bars: The runs.
        lanes: The places, from above.
        unit: Of the time.
        title: Above the drawing.

    Example:
        >>> gantt([Bar("array 1", 0.0, 5.0, "cell", "conv")], ["array 1"]).count("<rect")
        2
    """
    end = max((bar.start + bar.length for bar in bars), default=1.0) or 1.0
    height = TOP + len(lanes) * (LANE + GAP) + BOTTOM
    scale = (WIDTH - LEFT - RIGHT) / end
    groups = list(dict.fromkeys(bar.group for bar in bars))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH:g} {height:g}" font-family="{FONT}">',
        f'<rect width="{WIDTH:g}" height="{height:g}" fill="#FFFFFF"/>',
        _text(LEFT, 20.0, title, "start", 14.0),
    ]
    foot = height - BOTTOM
    for tick in range(TICKS + 1):
        x = LEFT + tick / TICKS * (WIDTH - LEFT - RIGHT)
        parts.append(
            f'<line x1="{x:.1f}" y1="{TOP:g}" x2="{x:.1f}" y2="{foot:g}" stroke="{GRID}"/>'
        )
        anchor = "end" if tick == TICKS else "middle"
        parts.append(_text(x, foot + 16, _number(tick / TICKS * end, end), anchor))
    parts.append(_text(WIDTH - RIGHT, height - 8, unit, "end"))
    for number, lane in enumerate(lanes):
        parts.append(_text(LEFT - 8, _top(number) + LANE / 2 + 4, lane, "end", 12.0))
    for bar in bars:
        x, width = LEFT + bar.start * scale, max(0.5, bar.length * scale)
        y = _top(lanes.index(bar.lane))
        colour = COLOURS[groups.index(bar.group) % len(COLOURS)]
        parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LANE:g}" '
            f'fill="{colour}" stroke="#FFFFFF" stroke-width="0.6">'
            f"<title>{escaped(bar.label)}</title></rect>"
        )
        if text_width(bar.label, 10.0) < width - 6:
            parts.append(_text(x + width / 2, y + LANE / 2 + 4, bar.label, "middle", 10.0))
    place = LEFT
    for number, group in enumerate(groups if len(groups) > 1 else []):
        parts.append(
            f'<circle cx="{place:.1f}" cy="{height - 12:g}" r="5" '
            f'fill="{COLOURS[number % len(COLOURS)]}"/>'
        )
        parts.append(_text(place + 9, height - 8, group, "start"))
        place += 30 + text_width(group, 11.0)
    return SVG("".join([*parts, "</svg>"]))


def _number(value: float, end: float) -> str:
    return f"{value:,.0f}" if end >= TICKS else f"{value:.3g}"


def _top(lane: int) -> float:
    return TOP + lane * (LANE + GAP) + GAP / 2


def _text(x: float, y: float, text: str, anchor: str, size: float = 11.0) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{INK}" '
        f'text-anchor="{anchor}">{escaped(text)}</text>'
    )
