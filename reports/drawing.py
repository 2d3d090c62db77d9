"""Drawings of architectures as SVG, from top to bottom, without any drawing program."""

from __future__ import annotations

import re
import textwrap
import zlib
from dataclasses import dataclass
from xml.sax.saxutils import escape

from ..spaces import DAG, ArchitectureLike, Space
from .layered import Box, Layout, Point, chain_layout, layered_layout

__all__ = ["FONT", "draw", "draw_dag", "escaped", "text_width"]

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
FONT_SIZE, CAPTION_SIZE = 13.0, 12.0
MARGIN, LINE = 18.0, 17.0
BOX_HEIGHT, LABEL_HEIGHT = 32.0, 24.0
NARROWEST_BOX, NARROWEST_CAPTION = 74.0, 300.0
# Longer chains are wrapped into columns.
LONGEST_CHAIN = 10
# How far an edge swings out where it turns into the next column of a chain.
TURN = 28.0
WIRE = "#5F6B76"
# Of an edge that is labelled ``skip``, and is no operation that passes its input on.
SKIP_DASHES = "7 5"


@dataclass(frozen=True)
class _Colours:
    fill: str
    stroke: str
    text: str = "#1B2530"
    dashes: str = ""


# Text on every fill has a contrast of at least 7 to 1.
_END = _Colours("#33414E", "#1E2933", "#FFFFFF")
_IDENTITY = _Colours("#FFFFFF", "#7C8894", dashes="4 3")
# Families of operations; only how they are coloured goes by their names.
_FAMILIES = (
    (r"sum|add|concat", _Colours("#E9EDF1", "#7C8894")),
    (r"(nor_)?conv_?1x1", _Colours("#D3F0EB", "#0F766E")),
    (r"(nor_)?conv|k3\b", _Colours("#DBEAFE", "#1D4ED8")),
    (r"k5\b", _Colours("#E4DDFB", "#6D28D9")),
    (r"k7\b", _Colours("#FBDDF0", "#B0237A")),
    (r"(avg_?|max_?)?pool", _Colours("#FEF0C3", "#A16207")),
    (r"gat|att", _Colours("#F0DDFB", "#86198F")),
    (r"gcn|cheb|arma", _Colours("#DBEAFE", "#1D4ED8")),
    (r"gin|sage|graph", _Colours("#DCF5E0", "#15803D")),
    (r"fc|linear|mlp", _Colours("#FFE3D3", "#C2410C")),
)
_OTHERS = (
    _Colours("#E0F2FE", "#0369A1"),
    _Colours("#ECFCCB", "#4D7C0F"),
    _Colours("#FFE4E6", "#BE123C"),
    _Colours("#FEF3C7", "#B45309"),
)
_SHORTER = ((r"^nor_", ""), (r"-bn-relu$", ""), (r"_connect$", ""), (r"[_-]+", " "))


def draw(space: Space, architecture: ArchitectureLike, *, caption: str = "") -> str:
    """Draws an architecture as SVG.

    Args:
        space: The space of the architecture.
        architecture: An `Architecture`, a native string or a row of choice indices.
        caption: Text below the drawing; lines are kept.

    Raises:
        ArchitectureError: Where it is not an architecture of the space.

    Example:
        >>> from vitruvius.spaces import space
        >>> graphs = space("nas-bench-graph")
        >>> draw(graphs, "[0,1,1,2]|gcn|gin|fc|cheb", caption="a & b")[:4]
        '<svg'
    """
    return draw_dag(space.dag(space.architecture(architecture).indices), caption=caption)


def draw_dag(dag: DAG, *, caption: str = "") -> str:
    """Draws a graph as SVG; what is ``absent`` and what that cuts off are left out.

    Args:
        dag: The graph.
        caption: Text below the drawing, after the graph's attributes.

    Example:
        >>> draw_dag(DAG(("input", "output"), {(0, 1): "skip"})).count("<rect")
        4
    """
    dag, connected = _active(dag)
    sizes = [(_box_width(label), BOX_HEIGHT) for label in dag.nodes]
    chain = [(i, i + 1) for i in range(len(dag.nodes) - 1)]
    plain = not any(dag.edges.values())
    if plain and sorted(dag.edges) == chain and len(sizes) > LONGEST_CHAIN:
        layout = chain_layout(sizes)
    else:
        labels = {
            edge: (text_width(_short_label(label), CAPTION_SIZE) + 18, LABEL_HEIGHT)
            if label
            else None
            for edge, label in dag.edges.items()
        }
        layout = layered_layout(dict(enumerate(sizes)), labels)
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in dag.attributes.items()]
    if not connected:
        lines.append("nothing leads from the input to the output")
    room = max(layout.width, NARROWEST_CAPTION)
    return _render(dag, layout, [*_joined(lines, room), *_wrapped(caption, room)])


def text_width(text: str, size: float) -> float:
    """Estimates the width of a text in pixels, on the wide side."""
    narrow = sum(letter in " .,:;|!'ijlt()[]" for letter in text)
    wide = sum(letter in "mwMW@%—" for letter in text)
    return size * (0.64 * len(text) - 0.24 * narrow + 0.32 * wide)


def _active(dag: DAG) -> tuple[DAG, bool]:
    """Leaves out what lies on no way from an input to an output."""
    ends = {*dag.inputs, *dag.outputs}
    edges = {
        (i, j): label
        for (i, j), label in dag.edges.items()
        if "absent" not in (dag.role(i), dag.role(j), dag.role(i, j))
    }
    reached, leading = set(dag.inputs), set(dag.outputs)
    for i, j in sorted(edges, key=lambda edge: edge[1]):
        if i in reached:
            reached.add(j)
    for i, j in sorted(edges, reverse=True):
        if j in leading:
            leading.add(i)
    active = reached & leading
    drawn = sorted(active | ends) or list(range(len(dag.nodes)))
    number = {node: k for k, node in enumerate(drawn)}
    return DAG(
        tuple(dag.nodes[node] for node in drawn),
        {
            (number[i], number[j]): label
            for (i, j), label in edges.items()
            if i in active and j in active
        },
        dag.attributes,
        tuple(number[node] for node in dag.inputs),
        tuple(number[node] for node in dag.outputs),
        {
            tuple(number[node] for node in place): role
            for place, role in dag.roles.items()
            if number.keys() >= set(place)
        },
    ), bool(active) or not dag.edges


def _render(dag: DAG, layout: Layout, lines: list[str]) -> str:
    caption_width = max((text_width(line, CAPTION_SIZE) for line in lines), default=0.0)
    inner = max(layout.width, caption_width)
    width, height = inner + 2 * MARGIN, layout.height + 2 * MARGIN + LINE * len(lines)
    shift = MARGIN + (inner - layout.width) / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.1f} {height:.1f}" role="img" font-family="{FONT}">',
        f"<title>{escaped(' / '.join(lines) or 'architecture')}</title>",
        f'<rect width="{width:.1f}" height="{height:.1f}" fill="#FFFFFF"/>',
        f'<g transform="translate({shift:.1f} {MARGIN:.1f})">',
    ]
    for edge, path in layout.paths.items():
        passes_cells = dag.edges[edge] == "skip" and dag.role(*edge) == "op"
        parts.append(_edge(path, SKIP_DASHES if passes_cells else ""))
    for edge, box in layout.labels.items():
        label, colours = dag.edges[edge], _colours(dag, edge)
        parts.append(_box(box, label, colours, CAPTION_SIZE, LABEL_HEIGHT / 2))
    for node, box in layout.boxes.items():
        parts.append(_box(box, dag.nodes[node], _colours(dag, (node,)), FONT_SIZE, 7.0))
    parts.append("</g>")
    for k, line in enumerate(lines):
        y = layout.height + 2 * MARGIN + LINE * (k + 0.35)
        parts.append(_text(width / 2, y, line, CAPTION_SIZE, "#3D4852"))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _edge(path: list[Point], dashes: str) -> str:
    """A smooth line: straight within layers, bent between them, with an arrow head."""
    (x, y), *rest = path
    commands = [f"M{x:.1f} {y:.1f}"]
    for k, (next_x, next_y) in enumerate(rest):
        if k % 2 or next_x == x:
            commands.append(f"L{next_x:.1f} {next_y:.1f}")
        else:
            # Leaves downwards and arrives downwards; a turn in place bulges out of the column.
            middle = (y + next_y) / 2
            turn = (TURN if k == 0 else -TURN) if next_y == y else 0.0
            commands.append(
                f"C{x:.1f} {middle + turn:.1f} {next_x:.1f} {middle + turn:.1f} "
                f"{next_x:.1f} {next_y:.1f}"
            )
        x, y = next_x, next_y
    head = f"M{x - 4:.1f} {y - 8:.1f}L{x + 4:.1f} {y - 8:.1f}L{x:.1f} {y - 0.5:.1f}Z"
    line = " ".join(commands)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return (
        f'<path d="{line}" fill="none" stroke="{WIRE}" stroke-width="1.5" '
        f'stroke-linejoin="round"{dashed}/><path d="{head}" fill="{WIRE}"/>'
    )


def _box(box: Box, label: str, colours: _Colours, size: float, radius: float) -> str:
    dashes = f' stroke-dasharray="{colours.dashes}"' if colours.dashes else ""
    return (
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius:.1f}" '
        f'fill="{colours.fill}" stroke="{colours.stroke}" stroke-width="1.4"{dashes}/>'
        + _text(box.x, box.y, _short_label(label), size, colours.text)
    )


def _text(x: float, y: float, text: str, size: float, colour: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + size * 0.36:.1f}" font-size="{size:g}" fill="{colour}" '
        f'text-anchor="middle">{escaped(text)}</text>'
    )


def escaped(text: str) -> str:
    """Escapes markup and drops control characters, which XML forbids."""
    return escape("".join(letter for letter in text if letter >= " "), {'"': "&quot;"})


def _box_width(label: str) -> float:
    return max(NARROWEST_BOX, text_width(_short_label(label), FONT_SIZE) + 26)


def _short_label(label: str) -> str:
    """Shortens an operation's name for reading: ``nor_conv_3x3`` is ``conv 3×3``."""
    for pattern, shorter in _SHORTER:
        label = re.sub(pattern, shorter, label)
    label = re.sub(r"(?<=[a-z])(?=\dx\d)", " ", label)
    label = re.sub(r"(?<=\d)x(?=\d)", "×", label)
    return re.sub(r"^(avg|max)pool", r"\1 pool", label).strip()


def _colours(dag: DAG, place: tuple[int, ...]) -> _Colours:
    """By mark and role; ordinary operations by the family of their names."""
    if len(place) == 1 and place[0] in (*dag.inputs, *dag.outputs):
        return _END
    if dag.role(*place) == "identity":
        return _IDENTITY
    label = dag.nodes[place[0]] if len(place) == 1 else dag.edges[place[0], place[1]]
    for pattern, colours in _FAMILIES:
        if re.match(pattern, label):
            return colours
    return _OTHERS[zlib.crc32(label.split(" ")[0].encode()) % len(_OTHERS)]


def _joined(parts: list[str], width: float) -> list[str]:
    """Joins parts into lines as long as they fit."""
    lines: list[str] = []
    for part in parts:
        longer = f"{lines[-1]}, {part}" if lines else part
        if lines and text_width(longer, CAPTION_SIZE) <= width:
            lines[-1] = longer
        else:
            lines.append(part)
    return lines


def _wrapped(text: str, width: float) -> list[str]:
    letters = int(width / text_width("n", CAPTION_SIZE))
    return [part for line in text.splitlines() for part in textwrap.wrap(line, letters)]
