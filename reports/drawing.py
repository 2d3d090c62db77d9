"""Drawings of architectures as SVG, from top to bottom, without any drawing program."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

from torch import Tensor

from ..core.errors import ArchitectureError
from ..spaces import DAG, ArchitectureLike, Space
from .layered import Box, Layout, Point, chain_layout, layered_layout
from .lettering import escaped, fitting, joined, text_width
from .packing import components, packed, renumbered
from .part_sketch import sketch_of_part
from .sketch import Place, Sketch, sketch, sketch_of_dag
from .svg import SVG

__all__ = ["FONT", "draw", "draw_dag", "draw_partial"]

FONT = "DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"
FONT_SIZE, CAPTION_SIZE, NOTE_SIZE = 13.0, 12.0, 11.0
MARGIN, LINE = 18.0, 17.0
BOX_HEIGHT, LABEL_HEIGHT, LABEL_LINE, NOTE_LINE = 32.0, 24.0, 16.0, 15.0
NARROWEST_BOX, NARROWEST_CAPTION = 74.0, 300.0
# Labels and notes that are wider have several lines.
WIDEST_LABEL = 190.0
# Longer chains are wrapped into columns.
LONGEST_CHAIN = 10
# How far an edge swings out where it turns into the next column of a chain.
TURN = 28.0
WIRE, CAPTION = "#5F6B76", "#3D4852"
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
_PLAIN = _Colours("#E9EDF1", "#7C8894")
_UNKNOWN = _Colours("#F1F3F5", "#7C8894", "#33414E", dashes="3 3")
# Families of operations; only how they are coloured goes by their names.
_FAMILIES = (
    (r"(sum|add|concat|node)\b", _PLAIN),
    (r"up\b|deconv|upsampl|interpol|bilinear|nearest|bicubic", _Colours("#CFFAFE", "#0E7490")),
    (r"(sep|dw|depthwise)_?conv", _Colours("#E0E7FF", "#4338CA")),
    (r"dil_?conv|atrous", _Colours("#FCE7F3", "#BE185D")),
    (r"(mb|ir|ib)_?conv|inverted", _Colours("#DCFCE7", "#15803D")),
    (r"(nor_)?conv_?1x1", _Colours("#D3F0EB", "#0F766E")),
    (r"(nor_)?conv|k(ernel )?3\b", _Colours("#DBEAFE", "#1D4ED8")),
    (r"k(ernel )?5\b", _Colours("#E4DDFB", "#6D28D9")),
    (r"k(ernel )?7\b", _Colours("#FBDDF0", "#B0237A")),
    (r"((avg|max)[_ ]?)?pool", _Colours("#FEF0C3", "#A16207")),
    (r"skip|shortcut|identity", _Colours("#F4F4F5", "#52525B")),
    (r"gat|att|const|cos|generalized", _Colours("#F0DDFB", "#86198F")),
    (r"gcn|cheb|arma", _Colours("#DBEAFE", "#1D4ED8")),
    (r"gin|sage|graph", _Colours("#DCF5E0", "#15803D")),
    (r"fc|linear|mlp", _Colours("#FFE3D3", "#C2410C")),
    (r"(res|residual)?[_ ]?block|stage|d\d+\b", _Colours("#FFE4E6", "#BE123C")),
)
# Where no operation is decided, but for instance how many bits something has.
_KINDS = {
    "": _PLAIN,
    "hardware": _Colours("#FDE9C8", "#92400E"),
    "bits": _Colours("#EDE4FF", "#6D28D9"),
    "size": _Colours("#E0F2FE", "#0369A1"),
    "recipe": _Colours("#ECFCCB", "#4D7C0F"),
}
_OTHERS = (
    _Colours("#E0F2FE", "#0369A1"),
    _Colours("#ECFCCB", "#4D7C0F"),
    _Colours("#FFE4E6", "#BE123C"),
    _Colours("#FEF3C7", "#B45309"),
)
_SHORTER = ((r"^nor_", ""), (r"-bn-relu$", ""), (r"_connect$", ""), (r"[_-]+", " "))


def draw(space: Space, architecture: ArchitectureLike, *, caption: str = "") -> SVG:
    """Draws an architecture as SVG.

    Operations are boxes, or labels on edges, coloured by their family; sizes, bits and what else is
    decided on a node stand below its label, and what is decided of the whole graph below all.

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
    return _drawn(sketch(space, space.architecture(architecture).indices), caption)


def draw_dag(dag: DAG, *, caption: str = "") -> SVG:
    """Draws a graph as SVG; what is ``absent`` and what that cuts off are left out.

    Args:
        dag: The graph.
        caption: Text below the drawing, after the graph's attributes.

    Example:
        >>> draw_dag(DAG(("input", "output"), {(0, 1): "skip"})).count("<rect")
        4
    """
    return _drawn(sketch_of_dag(dag), caption)


def draw_partial(
    space: Space,
    x: Sequence[int] | Tensor,
    known: Sequence[bool] | Tensor,
    *,
    caption: str = "",
) -> SVG:
    """Draws an architecture of which only some variables are decided, as while it is denoised.

    What is not known is dashed, grey and a ``?``: operations, edges, and what leads to a node whose
    parent is not known. It is drawn on the nodes of the space, of which some will be cut off or
    renumbered once all is known; then it is drawn as by `draw`.

    Args:
        space: The space of the architecture.
        x: Row of choice indices; those that are not known may be anything.
        known: Which are known, one for each.
        caption: Text below the drawing; lines are kept.

    Raises:
        ArchitectureError: Where there are not as many as the space has variables, or what is known
            is no choice.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> known = (True, False, False, True, True, True)
        >>> draw_partial(cells, (3, 3, 3, 1, 3, 2), known).count(">?<")
        2
    """
    row, told = [int(index) for index in x], [bool(each) for each in known]
    sizes = [variable.size for variable in space.variables]
    fits = len(row) == len(told) == len(sizes)
    if not fits or not all(
        0 <= index < size for index, size, each in zip(row, sizes, told, strict=True) if each
    ):
        raise ArchitectureError(
            f"{row}, of which {sum(told)} of {len(told)} are known, is no part of an architecture "
            f"of {space.name}, which has {len(sizes)} variables.",
            "Give an index of a choice for every variable that is known.",
        )
    return _drawn(sketch_of_part(space, row, told), caption)


def _drawn(drawn: Sketch, caption: str) -> SVG:
    layout = packed([_laid_out(drawn, part) for part in components(drawn.labels, drawn.edges)])
    room = max(layout.width, NARROWEST_CAPTION)
    lines = [
        *joined(drawn.lines, room, CAPTION_SIZE),
        *fitting(caption, room, CAPTION_SIZE),
    ]
    return _render(drawn, layout, lines)


def _laid_out(drawn: Sketch, nodes: list[int]) -> Layout:
    """Positions of a connected part."""
    inside = set(nodes)
    edges = {edge: label for edge, label in drawn.edges.items() if edge[0] in inside}
    sizes = {node: _box_size(drawn.labels[node], drawn.notes.get(node, ())) for node in nodes}
    plain = not any(edges.values())
    if plain and sorted(edges) == list(pairwise(nodes)) and len(nodes) > LONGEST_CHAIN:
        return renumbered(chain_layout(list(sizes.values())), nodes)
    return layered_layout(
        sizes,
        {edge: _label_size(label) if label else None for edge, label in edges.items()},
        drawn.hanging & inside,
    )


def _render(drawn: Sketch, layout: Layout, lines: list[str]) -> SVG:
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
        passes_cells = drawn.edges[edge] == "skip" and edge not in drawn.identities
        unknown = _UNKNOWN.dashes if edge in drawn.unknown else ""
        parts.append(_edge(path, SKIP_DASHES if passes_cells else unknown))
    for edge, box in layout.labels.items():
        colours = _colours(drawn, edge, drawn.edges[edge])
        parts.append(_box(box, drawn.edges[edge], (), colours, CAPTION_SIZE, LABEL_HEIGHT / 2))
    for node, box in layout.boxes.items():
        label, notes = drawn.labels[node], drawn.notes.get(node, ())
        parts.append(_box(box, label, notes, _colours(drawn, (node,), label), FONT_SIZE, 7.0))
    parts.append("</g>")
    for k, line in enumerate(lines):
        y = layout.height + 2 * MARGIN + LINE * (k + 0.35)
        parts.append(_text(width / 2, y, line, CAPTION_SIZE, CAPTION))
    return SVG("\n".join([*parts, "</svg>"]) + "\n")


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


def _box(
    box: Box, label: str, notes: tuple[str, ...], colours: _Colours, size: float, radius: float
) -> str:
    dashes = f' stroke-dasharray="{colours.dashes}"' if colours.dashes else ""
    parts = [
        f'<rect x="{box.x - box.width / 2:.1f}" y="{box.y - box.height / 2:.1f}" '
        f'width="{box.width:.1f}" height="{box.height:.1f}" rx="{radius:.1f}" '
        f'fill="{colours.fill}" stroke="{colours.stroke}" stroke-width="1.4"{dashes}/>'
    ]
    lines = [(line, size, LABEL_LINE) for line in _label_lines(label, size)]
    lines += [(line, NOTE_SIZE, NOTE_LINE) for line in _note_lines(notes)]
    y = box.y - sum(height for *_, height in lines) / 2
    for line, own, height in lines:
        parts.append(_text(box.x, y + height / 2, line, own, colours.text))
        y += height
    return "".join(parts)


def _text(x: float, y: float, text: str, size: float, colour: str) -> str:
    return (
        f'<text x="{x:.1f}" y="{y + size * 0.36:.1f}" font-size="{size:g}" fill="{colour}" '
        f'text-anchor="middle">{escaped(text)}</text>'
    )


@lru_cache(maxsize=4096)
def _label_lines(label: str, size: float) -> list[str]:
    return fitting(_short_label(label), WIDEST_LABEL, size) or [""]


@lru_cache(maxsize=4096)
def _note_lines(notes: tuple[str, ...]) -> list[str]:
    return [line for note in notes for line in fitting(_short_label(note), WIDEST_LABEL, NOTE_SIZE)]


def _box_size(label: str, notes: tuple[str, ...]) -> tuple[float, float]:
    lines, below = _label_lines(label, FONT_SIZE), _note_lines(notes)
    widths = [text_width(line, FONT_SIZE) for line in lines]
    widths += [text_width(line, NOTE_SIZE) for line in below]
    height = BOX_HEIGHT + LABEL_LINE * (len(lines) - 1) + NOTE_LINE * len(below)
    return max(NARROWEST_BOX, max(widths) + 26), height


def _label_size(label: str) -> tuple[float, float]:
    lines = _label_lines(label, CAPTION_SIZE)
    width = max(text_width(line, CAPTION_SIZE) for line in lines)
    return width + 18, LABEL_HEIGHT + LABEL_LINE * (len(lines) - 1)


def _short_label(label: str) -> str:
    """Shortens an operation's name for reading: ``nor_conv_3x3`` is ``conv 3×3``."""
    for pattern, shorter in _SHORTER:
        label = re.sub(pattern, shorter, label)
    label = re.sub(r"(?<=[a-z])(?=\dx\d)", " ", label)
    label = re.sub(r"(?<=\d)x(?=\d)", "×", label)
    return re.sub(r"^(avg|max)pool", r"\1 pool", label).strip()


def _colours(drawn: Sketch, place: Place, label: str) -> _Colours:
    """By mark and role, or what is decided; operations by the family of their names."""
    if place in drawn.unknown:
        return _UNKNOWN
    if place in {(node,) for node in drawn.ends}:
        return _END
    if place in drawn.identities:
        return _IDENTITY
    if len(place) == 1 and drawn.kinds.get(place[0]) in _KINDS:
        return _KINDS[drawn.kinds[place[0]]]
    for pattern, colours in _FAMILIES:
        if re.match(pattern, label):
            return colours
    return _OTHERS[zlib.crc32(label.split(" ")[0].encode()) % len(_OTHERS)]
