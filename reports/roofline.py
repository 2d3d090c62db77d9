"""Roofline (Williams et al., CACM 52, 2009): what layers reach of what a chip could do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .drawing import FONT
from .lettering import escaped
from .svg import SVG

__all__ = ["RooflinePoint", "roofline"]

WIDTH, HEIGHT, LEFT, BOTTOM, TOP, RIGHT = 640.0, 400.0, 64.0, 48.0, 34.0, 18.0
GRID, INK, ROOF = "#E3E7EB", "#3D4852", "#1E2933"
COLOURS = {"array": "#2563EB", "noc": "#D97706", "dram": "#DC2626"}


@dataclass(frozen=True)
class RooflinePoint:
    """A layer.

    Args:
        label: What it is called.
        intensity: Multiply-adds a byte from the memory outside.
        throughput: Multiply-adds a cycle.
        bound: What it is bound by: ``array``, ``noc`` or ``dram``.
        weight: Its share of the latency, which its area is drawn by.
    """

    label: str
    intensity: float
    throughput: float
    bound: str
    weight: float


def roofline(
    points: Sequence[RooflinePoint], peak: float, bandwidth: float, title: str = ""
) -> SVG:
    """Draws layers below the roof of a chip, both axes logarithmic, as SVG.

    Args:
        points: The layers; those without products are left out.
        peak: Multiply-adds a cycle that the array can do.
        bandwidth: Bytes a cycle of the memory outside.
        title: Above the drawing.

    Example:
        >>> point = RooflinePoint("conv 3x3", 20.0, 100.0, "array", 1.0)
        >>> roofline([point], 168.0, 8.0).startswith("<svg")
        True
    """
    shown = [each for each in points if each.intensity > 0 and each.throughput > 0]
    ridge = peak / bandwidth
    intensities = [ridge / 4, 4 * ridge, *(each.intensity for each in shown)]
    throughputs = [peak, peak / 100, *(each.throughput for each in shown)]
    low, high = _decades(intensities)
    least, most = _decades(throughputs)

    def at(intensity: float, throughput: float) -> tuple[float, float]:
        x = (math.log10(intensity) - low) / (high - low)
        y = (math.log10(throughput) - least) / (most - least)
        return (
            LEFT + x * (WIDTH - LEFT - RIGHT),
            HEIGHT - BOTTOM - y * (HEIGHT - BOTTOM - TOP),
        )

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{HEIGHT:g}" '
        f'viewBox="0 0 {WIDTH:g} {HEIGHT:g}" font-family="{FONT}">',
        f'<rect width="{WIDTH:g}" height="{HEIGHT:g}" fill="#FFFFFF"/>',
    ]
    for decade in range(low, high + 1):
        x, y = at(10.0**decade, 10.0**least)
        parts.append(_line((x, y), (x, TOP), GRID))
        parts.append(_text(x, y + 16, f"{10.0**decade:g}", "middle"))
    for decade in range(least, most + 1):
        x, y = at(10.0**low, 10.0**decade)
        parts.append(_line((x, y), (WIDTH - RIGHT, y), GRID))
        parts.append(_text(x - 6, y + 4, f"{10.0**decade:g}", "end"))
    start = max(10.0**low, 10.0**least / bandwidth)
    corners = [at(start, start * bandwidth), at(ridge, peak), at(10.0**high, peak)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    parts.append(f'<polyline points="{path}" fill="none" stroke="{ROOF}" stroke-width="2"/>')
    whole = sum(each.weight for each in shown) or 1.0
    for each in shown:
        x, y = at(each.intensity, each.throughput)
        radius = 3 + 14 * math.sqrt(each.weight / whole)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" fill="{COLOURS[each.bound]}" '
            f'fill-opacity="0.55"><title>{escaped(each.label)}</title></circle>'
        )
    parts.append(_text(LEFT, 20.0, title, "start", 14.0))
    middle = (LEFT + WIDTH - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 10, "multiply-adds a byte from memory", "middle"))
    parts.append(
        f'<g transform="translate(16 {(TOP + HEIGHT - BOTTOM) / 2:g}) rotate(-90)">'
        f"{_text(0.0, 0.0, 'multiply-adds a cycle', 'middle')}</g>"
    )
    for number, (bound, colour) in enumerate(COLOURS.items()):
        x = WIDTH - RIGHT - 190 + 64 * number
        parts.append(f'<circle cx="{x:g}" cy="16" r="5" fill="{colour}" fill-opacity="0.55"/>')
        parts.append(_text(x + 9, 20.0, bound, "start"))
    return SVG("".join([*parts, "</svg>"]))


def _decades(values: Sequence[float]) -> tuple[int, int]:
    low = math.floor(math.log10(min(values)))
    return low, max(low + 1, math.ceil(math.log10(max(values))))


def _line(one: tuple[float, float], other: tuple[float, float], colour: str) -> str:
    return (
        f'<line x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}" '
        f'stroke="{colour}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, size: float = 11.0) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" fill="{INK}" '
        f'text-anchor="{anchor}">{escaped(text)}</text>'
    )
