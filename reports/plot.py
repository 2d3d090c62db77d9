"""Plots as SVG that stand alone and take the colours of the page that they stand in."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain

from .drawing import FONT
from .lettering import escaped, text_width
from .svg import SVG

__all__ = ["Bars", "Line", "Points", "bar_chart", "parallel", "plot"]

Number = int | float

WIDTH, HEIGHT = 640.0, 400.0
LEFT, RIGHT, TOP, BOTTOM = 68.0, 18.0, 16.0, 50.0
SIZE = 12.0
# Ticks of an axis, about; and room that its data leave at either end.
TICKS, ROOM = 5, 0.04
# A trimmed axis reaches this many times the spread of its middle nine tenths beyond them.
FAR = 1.0
# More points than this without links are one path: a page of ten thousand trials stays small.
MANY = 1_500
INK, QUIET, GRID = "var(--ink,#1B2530)", "var(--quiet,#52606D)", "var(--grid,#E3E7EB)"
# Told apart by the colour-blind, too (Okabe & Ito), with shades that text may have.
COLOURS = tuple(
    f"var(--c{number},{colour})"
    for number, colour in enumerate(
        ("#0B61A4", "#B45309", "#0F766E", "#A21C6E", "#5B5FC7", "#5F6B76")
    )
)


@dataclass(frozen=True)
class Line:
    """A line, and a band around it.

    Args:
        x: Where.
        y: Values; those that are not finite are left out.
        name: In the legend; blank for none.
        low: Lower end of the band.
        high: Upper end.
        steps: Whether a value holds until the next.
        dashed: Whether it is dashed.
    """

    x: Sequence[Number]
    y: Sequence[Number]
    name: str = ""
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()
    steps: bool = False
    dashed: bool = False


@dataclass(frozen=True)
class Points:
    """Points, each of which may lead somewhere.

    Args:
        x: Where.
        y: Values; those that are not finite are left out.
        name: In the legend; blank for none.
        links: Where each leads, such as ``#trial-3``.
        titles: What each is.
        hollow: Whether they are rings.
        low: Lower ends of error bars.
        high: Upper ends.
    """

    x: Sequence[Number]
    y: Sequence[Number]
    name: str = ""
    links: Sequence[str] = ()
    titles: Sequence[str] = ()
    hollow: bool = False
    low: Sequence[Number] = ()
    high: Sequence[Number] = ()


@dataclass(frozen=True)
class Bars:
    """A row of bars, one a label.

    Args:
        values: Their lengths.
        name: In the legend; blank for none.
    """

    values: Sequence[Number]
    name: str = ""


@dataclass(frozen=True)
class _Axis:
    low: float
    high: float
    start: float
    end: float
    log: bool = False
    ticks: tuple[float, ...] = field(default=())

    @classmethod
    def of(
        cls, values: Iterable[Number], start: float, end: float, *, log: bool, trim: bool = False
    ) -> _Axis:
        finite = sorted(v for v in values if math.isfinite(v) and (v > 0 or not log)) or [1.0]
        low, high = finite[0], finite[-1]
        if trim:
            inner = finite[len(finite) // 20], finite[-1 - len(finite) // 20]
            far = FAR * (inner[1] - inner[0])
            low, high = max(low, inner[0] - far), min(high, inner[1] + far)
        if log:
            low, high = math.log10(low), math.log10(high)
        spread = high - low or abs(high) or 1.0
        low, high = low - ROOM * spread, high + ROOM * spread
        return cls(low, high, start, end, log, _log_ticks(low, high) if log else _ticks(low, high))

    def __call__(self, value: Number) -> float:
        """Where a value is; what lies beyond is at the edge, what has no place is not finite."""
        if self.log:
            value = math.log10(value) if value > 0 else math.nan
        if math.isfinite(value):
            value = min(max(value, self.low), self.high)
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def plot(
    marks: Sequence[Line | Points],
    *,
    x: str = "",
    y: str = "",
    title: str = "",
    log_x: bool = False,
    log_y: bool = False,
    diagonal: bool = False,
    trim: bool = False,
) -> SVG:
    """Draws lines and points over two axes.

    Args:
        marks: What is drawn, in this order.
        x: Name of the horizontal axis, with its unit.
        y: Name of the vertical axis.
        title: What readers of screens hear.
        log_x: Whether the horizontal axis is logarithmic; what is not positive is left out.
        log_y: Whether the vertical one is.
        diagonal: Whether both axes are the same, with a line where they are equal.
        trim: Whether the vertical axis, with a diagonal both, leaves far values at its edge.

    Example:
        >>> plot([Line([1, 2, 3], [4, 5, 6])], x="trial", y="accuracy").count("<path")
        1
    """
    xs = list(chain.from_iterable(mark.x for mark in marks))
    ys = list(chain.from_iterable((*mark.y, *mark.low, *mark.high) for mark in marks))
    if diagonal:
        xs = ys = [*xs, *ys]
    foot = HEIGHT - BOTTOM
    across = _Axis.of(xs, LEFT, WIDTH - RIGHT, log=log_x, trim=trim and diagonal)
    up = _Axis.of(ys, foot, TOP, log=log_y, trim=trim)
    named = [(mark.name, COLOURS[n % len(COLOURS)]) for n, mark in enumerate(marks) if mark.name]
    parts = [*_frame(across, up, x, y)]
    if diagonal:
        ends = (across.low, across.high) if not log_x else (10**across.low, 10**across.high)
        parts.append(_path([(across(v), up(v)) for v in ends], QUIET, dashed=True))
    for number, mark in enumerate(marks):
        colour = COLOURS[number % len(COLOURS)]
        if isinstance(mark, Line):
            parts += _line(mark, across, up, colour)
        else:
            parts += _points(mark, across, up, colour)
    linked = any(isinstance(mark, Points) and mark.links for mark in marks)
    return _svg([*parts, *_legend(named)], HEIGHT + _legend_height(named), title or y, linked)


def bar_chart(labels: Sequence[str], rows: Sequence[Bars], *, x: str = "", title: str = "") -> SVG:
    """Draws bars from left to right, those of one label below each other.

    Args:
        labels: Names, from above.
        rows: Lengths for each label, not negative.
        x: Name of the axis, with its unit.
        title: What readers of screens hear.

    Example:
        >>> bar_chart(["conv", "pool"], [Bars([3, 1])]).count("<rect")
        2
    """
    thick, gap = 14.0, 10.0
    left = min(280.0, max([LEFT, *(text_width(label, SIZE) + 12 for label in labels)]))
    each = thick * len(rows) + gap
    foot = TOP + each * len(labels)
    longest = max((v for row in rows for v in row.values if math.isfinite(v)), default=1.0) or 1.0
    scale = (WIDTH - RIGHT - left) / (longest * 1.02)
    parts = []
    for tick in _ticks(0.0, longest):
        place = left + tick * scale
        parts.append(_rule(place, TOP, place, foot))
        parts.append(_text(place, foot + 18, _number(tick), "middle"))
    for n, label in enumerate(labels):
        top = TOP + n * each + gap / 2
        parts.append(_text(left - 8, top + each / 2 - 1, _cut(label, left - 12), "end"))
        for k, row in enumerate(rows):
            value = row.values[n] if math.isfinite(row.values[n]) else 0.0
            parts.append(
                f'<rect x="{left:.1f}" y="{top + k * thick:.1f}" width="{value * scale:.1f}" '
                f'height="{thick - 2:.1f}" rx="2" style="fill:{COLOURS[k % len(COLOURS)]}">'
                f"<title>{escaped(f'{label}: {_number(value)}')}</title></rect>"
            )
    parts.append(_text((left + WIDTH - RIGHT) / 2, foot + 38, x, "middle"))
    named = [(row.name, COLOURS[n % len(COLOURS)]) for n, row in enumerate(rows) if row.name]
    return _svg(
        [*parts, *_legend(named, foot + BOTTOM)], foot + BOTTOM + _legend_height(named),
        title or x, linked=False,
    )  # fmt: skip


def parallel(
    names: Sequence[str], rows: Sequence[Sequence[Number]], chosen: Sequence[bool], title: str = ""
) -> SVG:
    """Draws parallel coordinates: a line a row, through its place on every axis.

    Args:
        names: Of the axes.
        rows: A number for each; rows with one that is not finite are left out.
        chosen: Which rows stand out.
        title: What readers of screens hear.

    Example:
        >>> parallel(["a", "b"], [[0, 1], [1, 0]], [True, False]).count("<path")
        2
    """
    foot = HEIGHT - BOTTOM
    axes = [_Axis.of(column, foot, TOP + 24, log=False) for column in zip(*rows, strict=True)]
    step = (WIDTH - 2 * LEFT) / max(len(names) - 1, 1)
    places = [LEFT + n * step for n in range(len(names))]
    parts = []
    for number, (name, axis, place) in enumerate(zip(names, axes, places, strict=False)):
        parts.append(_rule(place, TOP + 24, place, foot))
        lift = 14.0 * (number % 2)
        parts.append(_text(place, TOP + 14 - lift, _cut(name, 1.8 * step), "middle"))
        parts += [
            _text(place, y, _number(value), "middle", QUIET)
            for y, value in ((foot + 16, axis.low), (TOP + 36, axis.high))
        ]
    for row, stands_out in sorted(zip(rows, chosen, strict=True), key=lambda pair: pair[1]):
        if all(map(math.isfinite, row)):
            points = [(p, axis(v)) for p, axis, v in zip(places, axes, row, strict=True)]
            colour, opacity = (COLOURS[1], 1.0) if stands_out else (COLOURS[0], 0.25)
            parts.append(_path(points, colour, opacity=opacity))
    return _svg(parts, HEIGHT, title or ", ".join(names), linked=False)


def _line(mark: Line, across: _Axis, up: _Axis, colour: str) -> list[str]:
    parts = []
    if len(mark.low):
        lower = _placed(mark.x, mark.low, across, up, mark.steps)
        upper = _placed(mark.x, mark.high, across, up, mark.steps)
        outline = " ".join(f"{a:.1f},{b:.1f}" for a, b in [*upper, *reversed(lower)])
        parts.append(f'<polygon points="{outline}" style="fill:{colour};opacity:.18"/>')
    points = _placed(mark.x, mark.y, across, up, mark.steps)
    return [*parts, _path(points, colour, dashed=mark.dashed, width=2.0)]


def _points(mark: Points, across: _Axis, up: _Axis, colour: str) -> list[str]:
    placed = [(across(a), up(b)) for a, b in zip(mark.x, mark.y, strict=True)]
    there = [n for n, point in enumerate(placed) if all(map(math.isfinite, point))]
    parts = []
    if len(mark.low):
        for n in there:
            ends = [(placed[n][0], up(mark.low[n])), (placed[n][0], up(mark.high[n]))]
            parts.append(_path(ends, colour, opacity=0.35))
    if len(there) > MANY and not mark.links:
        dots = "".join(f"M{placed[n][0]:.0f} {placed[n][1]:.0f}h0" for n in there)
        style = f"stroke:{colour};stroke-width:5;stroke-linecap:round;opacity:.5"
        return [*parts, f'<path d="{dots}" fill="none" style="{style}"/>']
    look = f"fill:none;stroke:{colour};stroke-width:1.6" if mark.hollow else f"fill:{colour}"
    for n in there:
        said = f"<title>{escaped(mark.titles[n])}</title>" if mark.titles else ""
        dot = (
            f'<circle cx="{placed[n][0]:.1f}" cy="{placed[n][1]:.1f}" '
            f'r="{4.5 if mark.links else 3.5}" style="{look}">{said}</circle>'
        )
        if mark.links:
            name = escaped(mark.titles[n] if mark.titles else mark.links[n])
            dot = f'<a href="{escaped(mark.links[n])}" aria-label="{name}">{dot}</a>'
        parts.append(dot)
    return parts


def _placed(
    xs: Sequence[Number], ys: Sequence[Number], across: _Axis, up: _Axis, steps: bool
) -> list[tuple[float, float]]:
    points = [(across(a), up(b)) for a, b in zip(xs, ys, strict=True)]
    points = [point for point in points if all(map(math.isfinite, point))]
    if not steps or not points:
        return points
    stairs = [points[0]]
    for a, b in points[1:]:
        if b != stairs[-1][1]:
            stairs += [(a, stairs[-1][1]), (a, b)]
    return [*stairs, (points[-1][0], stairs[-1][1])]


def _path(
    points: Sequence[tuple[float, float]],
    colour: str,
    *,
    dashed: bool = False,
    width: float = 1.4,
    opacity: float = 1.0,
) -> str:
    line = "L".join(f"{a:.1f} {b:.1f}" for a, b in points)
    dashes = ";stroke-dasharray:5 4" if dashed else ""
    seen = f";opacity:{opacity:g}" if opacity < 1 else ""
    style = f"stroke:{colour};stroke-width:{width:g}{dashes}{seen}"
    return f'<path d="M{line}" fill="none" style="{style}"/>' if points else ""


def _frame(across: _Axis, up: _Axis, x: str, y: str) -> Iterable[str]:
    foot = HEIGHT - BOTTOM
    for tick in across.ticks:
        place = across(10**tick if across.log else tick)
        yield _rule(place, TOP, place, foot)
        yield _text(place, foot + 18, _number(10**tick if across.log else tick), "middle")
    for tick in up.ticks:
        place = up(10**tick if up.log else tick)
        yield _rule(LEFT, place, WIDTH - RIGHT, place)
        yield _text(LEFT - 8, place + 4, _number(10**tick if up.log else tick), "end")
    yield _text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x, "middle")
    turned = f'transform="rotate(-90 14 {(TOP + foot) / 2:g})"'
    yield _text(14.0, (TOP + foot) / 2, y, "middle", more=turned)


def _legend(named: Sequence[tuple[str, str]], top: float = HEIGHT) -> Iterable[str]:
    x, y = LEFT, top + 8
    for name, colour in named:
        name = _cut(name, WIDTH - 2 * LEFT)
        wide = 24 + text_width(name, SIZE)
        if x > LEFT and x + wide > WIDTH - RIGHT:
            x, y = LEFT, y + 18
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" style="fill:{colour}"/>'
        yield _text(x + 10, y + 4, name, "start")
        x += wide + 12


def _legend_height(named: Sequence[tuple[str, str]]) -> float:
    rows, x = (1, LEFT) if named else (0, LEFT)
    for name, _ in named:
        wide = 24 + text_width(_cut(name, WIDTH - 2 * LEFT), SIZE)
        if x > LEFT and x + wide > WIDTH - RIGHT:
            rows, x = rows + 1, LEFT
        x += wide + 12
    return 18.0 * rows + 6 if rows else 0.0


def _svg(parts: Iterable[str], height: float, title: str, linked: bool) -> SVG:
    # What holds links is no image to readers of screens.
    role = "group" if linked else "img"
    return SVG(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH:g}" height="{height:g}" '
        f'viewBox="0 0 {WIDTH:g} {height:g}" role="{role}" aria-label="{escaped(title)}" '
        f'font-family="{FONT}" font-size="{SIZE:g}">{"".join(parts)}</svg>'
    )


def _rule(x: float, y: float, to_x: float, to_y: float) -> str:
    return (
        f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}" style="stroke:{GRID}"/>'
    )


def _text(x: float, y: float, text: str, anchor: str, colour: str = INK, more: str = "") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f'<text {place} {more} style="fill:{colour}">{escaped(text)}</text>' if text else ""


def _cut(text: str, width: float) -> str:
    while text and text_width(text, SIZE) > width:
        text = text[:-2].rstrip("…") + "…" if len(text) > 2 else ""
    return text


def _ticks(low: Number, high: Number) -> tuple[float, ...]:
    rough = (high - low) / TICKS
    base = 10 ** math.floor(math.log10(rough))
    step = next(base * m for m in (1, 2, 2.5, 5, 10) if base * m >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(float(n * step) for n in range(first, math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float) -> tuple[float, ...]:
    whole = range(math.ceil(low), math.floor(high) + 1)
    if len(whole) >= 2:
        every = -(-len(whole) // 7)
        return tuple(float(power) for power in whole if power % every == 0)
    between = [
        p + math.log10(m) for p in range(math.floor(low), math.ceil(high)) for m in (1, 2, 5)
    ]
    found = tuple(tick for tick in between if low <= tick <= high)
    return found if len(found) > 1 else (low, high)


def _number(value: Number) -> str:
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= limit:
            small = 1e3 if letter == "k" else limit
            return f"{value / small:.4g}{letter}"
    return f"{value:.4g}" if value else "0"
