"""Drawings read back as geometry: what overlaps, what crosses what, and which text fits."""

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from html import unescape
from pathlib import Path

import numpy as np
import pytest

from vitruvius.reports import draw, draw_partial
from vitruvius.spaces import DeclaredSpace, Space, names, space

WIDE, CHINESE, ABSENT = ["W" * 26, "iii"], ["卷积" * 8, "池化"], {"none": "absent"}
DECLARED = DeclaredSpace(
    {
        "name": "declared",
        "nodes": ["a node of which the name is far longer than any that ships", *"bcde"],
        "skeleton": [[0, 1], [1, 4], [3, 4]],
        "variables": [
            {"name": "wide", "choices": WIDE, "kind": "op", "place": [1]},
            {"name": "bits", "choices": [2, 4], "kind": "bits", "place": [1]},
            {"name": "中文", "choices": CHINESE, "kind": "op", "place": [0, 2]},
            {"name": "edge", "choices": ["off", "on"], "kind": "edge", "place": [0, 3]},
            {"name": "parent", "choices": ["0", "1", "2"], "kind": "parent", "place": [3]},
            {"name": "long", "choices": ["one " * 30, "another " * 20], "kind": "recipe"},
            {
                "name": "sum",
                "choices": ["none", "sum"],
                "kind": "op",
                "place": [2],
                "roles": ABSENT,
            },
        ],
    }
)
SPACES = [
    *names(),
    "toy_recipe.yaml",
    "nasbench201 x accelerator",
    "mobilenetv3 x nasaic",
    "autogan x eagan-discriminator",
    "lpgnas x recipe x accelerator:arrays=3,dataflow=weight-stationary",
    "declared",
]
# Of every space; 500 take more than a minute.
DRAWINGS = int(os.environ.get("DRAWINGS", "60"))
# Pixels that a line may reach into a box; and points of a curve.
TOLERANCE, POINTS = 1.0, 65
NUMBER = r"(-?[\d.]+)"
RECT = re.compile(
    rf'<rect x="{NUMBER}" y="{NUMBER}" width="{NUMBER}" height="{NUMBER}" rx="{NUMBER}"'
)
TEXT = re.compile(rf'<text x="{NUMBER}" y="{NUMBER}" font-size="{NUMBER}"[^>]*>([^<]*)</text>')
PATH = re.compile(r'<path d="([^"]*)" fill="none"')
PART = re.compile(r"([MLC])([^MLC]*)")


@dataclass
class Text:
    x: float
    baseline: float
    size: float
    text: str


@dataclass
class Drawing:
    """Positions in pixels; a box is left, top, right, bottom."""

    width: float
    height: float
    nodes: list[tuple[float, ...]]
    labels: list[tuple[float, ...]]
    texts: list[tuple[tuple[float, ...] | None, Text]]
    paths: list[np.ndarray]


def read(svg: str) -> Drawing:
    """Every path is an array of cubic curves, ``[S, 4, 2]``."""
    view = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg)
    shift = re.search(rf"translate\({NUMBER} {NUMBER}\)", svg)
    assert view
    assert shift
    dx, dy = map(float, shift.groups())
    inside, outside = svg[shift.end() :].split("</g>")
    nodes, labels, texts = [], [], []
    # Texts stand right after their box.
    for piece in inside.split("<rect")[1:]:
        match = RECT.match("<rect" + piece)
        assert match
        x, y, width, height, radius = map(float, match.groups())
        box = (x + dx, y + dy, x + dx + width, y + dy + height)
        (nodes if radius == 7 else labels).append(box)
        texts += [(box, text) for text in read_texts(piece, dx, dy)]
    texts += [(None, text) for text in read_texts(outside, 0, 0)]
    paths = [curves(path) + np.array([dx, dy]) for path in PATH.findall(inside)]
    return Drawing(*map(float, view.groups()), nodes, labels, texts, paths)


def read_texts(piece: str, dx: float, dy: float) -> Iterable[Text]:
    for x, y, size, text in TEXT.findall(piece):
        yield Text(float(x) + dx, float(y) + dy, float(size), unescape(text))


def curves(path: str) -> np.ndarray:
    found, at = [], np.zeros(2)
    for command, numbers in PART.findall(path):
        points = np.array(numbers.split(), dtype=float).reshape(-1, 2)
        if command == "C":
            found.append([at, *points])
        elif command == "L":
            found.append([at, at + (points[0] - at) / 3, at + 2 * (points[0] - at) / 3, points[0]])
        at = points[-1]
    return np.array(found)


def entered(curve: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Which boxes a curve enters by more than the tolerance, of points on it."""
    t = np.linspace(0, 1, POINTS)[:, None]
    a, b, c, d = curve
    x, y = ((1 - t) ** 3 * a + 3 * (1 - t) ** 2 * t * b + 3 * (1 - t) * t**2 * c + t**3 * d).T
    left, top, right, bottom = boxes.T[..., None]
    return ((x > left) & (x < right) & (y > top) & (y < bottom)).any(1)


@cache
def real_width(text: str, size: float) -> float:
    """In the font that drawings name first; matplotlib ships it."""
    matplotlib = pytest.importorskip("matplotlib")
    from matplotlib.font_manager import get_font

    font = get_font(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    # Where it has no Chinese, another font's is as wide as it is high.
    chinese = sum(letter >= "\u2e80" for letter in text)
    font.set_size(size, 72)
    font.set_text("".join(letter for letter in text if letter < "\u2e80"))
    return font.get_width_height()[0] / 64 + chinese * size


def check(svg: str) -> None:
    drawing = read(svg)
    boxes = np.array([*drawing.nodes, *drawing.labels])
    assert len(boxes)
    left, top, right, bottom = boxes.T
    assert min(left.min(), top.min()) >= 0
    assert right.max() <= drawing.width
    assert bottom.max() <= drawing.height
    meeting = (
        (left[:, None] < right) & (left < right[:, None])
        & (top[:, None] < bottom) & (top < bottom[:, None])
    )  # fmt: skip
    assert meeting.sum() == len(boxes), "boxes overlap"
    check_paths(drawing, boxes)
    check_texts(drawing)


def check_paths(drawing: Drawing, boxes: np.ndarray) -> None:
    if not drawing.paths:
        assert not drawing.labels
        return
    owner = np.repeat(np.arange(len(drawing.paths)), [len(path) for path in drawing.paths])
    every = np.concatenate(drawing.paths)
    # A curve is within the hull of its four points.
    low, high = every.min(1), every.max(1)
    assert low.min() >= 0
    assert (high.max(0) <= (drawing.width, drawing.height)).all()
    shrunk = boxes + TOLERANCE * np.array([1, 1, -1, -1])
    near = (
        (low[:, None, 0] < shrunk[:, 2]) & (high[:, None, 0] > shrunk[:, 0])
        & (low[:, None, 1] < shrunk[:, 3]) & (high[:, None, 1] > shrunk[:, 1])
    )  # fmt: skip
    through: dict[int, set[int]] = {}
    for segment in np.flatnonzero(near.any(1)):
        candidates = np.flatnonzero(near[segment])
        for box in candidates[entered(every[segment], shrunk[candidates])]:
            through.setdefault(int(box), set()).add(int(owner[segment]))
    # No edge enters a node, be it its own, and a label lies on one edge and no other.
    nodes = len(drawing.nodes)
    assert {box for box in through if box < nodes} == set(), "an edge runs through a node"
    assert all(len(through.get(box, ())) == 1 for box in range(nodes, len(boxes)))
    for path in drawing.paths:
        for (x, y), side in ((path[0, 0], 3), (path[-1, 3], 1)):
            touched = (boxes[:nodes, 0] < x) & (x < boxes[:nodes, 2])
            assert (abs(boxes[:nodes, side] - y) < TOLERANCE)[touched].any(), "a loose end"


def check_texts(drawing: Drawing) -> None:
    before = None
    for box, text in drawing.texts:
        left, top, right, bottom = box or (0, 0, drawing.width, drawing.height)
        half = real_width(text.text, text.size) / 2
        assert left + 2 <= text.x - half, text
        assert text.x + half <= right - 2, text
        assert text.baseline - 0.76 * text.size >= top, text
        assert text.baseline + 0.24 * text.size <= bottom, text
        if before and before[0] == box:
            assert text.baseline - before[1].baseline >= text.size, text
        before = (box, text)


@cache
def named(name: str) -> Space:
    return DECLARED if name == "declared" else space(name)


def check_many(kind: Space, count: int, seed: int) -> None:
    """What is drawn alike is drawn once."""
    for row in {tuple(row) for row in kind.sample(count, seed).tolist()}:
        check(draw(kind, row, caption="a caption\nof two lines"))


def check_parts(kind: Space, count: int, seed: int) -> None:
    shares = np.random.default_rng(seed)
    for row in kind.sample(count, seed).tolist():
        known = shares.random(len(row)) < shares.random()
        check(draw_partial(kind, row, known.tolist(), caption="step 1 of 2"))


@pytest.mark.parametrize("name", SPACES)
def test_a_few_drawings(name: str) -> None:
    check_many(named(name), 2, seed=0)
    check_parts(named(name), 1, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("name", SPACES)
def test_many_drawings(name: str) -> None:
    check_many(named(name), DRAWINGS, seed=1)
    check_parts(named(name), DRAWINGS // 20, seed=1)


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", SPACES)
def test_text_stands_out_from_its_box(name: str) -> None:
    kind = named(name)
    known = [k % 2 == 0 for k in range(len(kind.variables))]
    for svg in (draw(kind, kind.example, caption="text"), draw_partial(kind, kind.example, known)):
        ground = "#FFFFFF"
        for element, colour in re.findall(r'<(rect|text|/g)[^>]*?(?: fill="([^"]*)"|>)', svg):
            if element == "text":
                low, high = sorted([luminance(colour), luminance(ground)])
                assert (high + 0.05) / (low + 0.05) >= 7, (colour, ground)
            else:
                ground = colour or "#FFFFFF"


def test_all_is_found_that_is_wrong() -> None:
    svg = draw(space("nasbench201"), (3, 3, 3, 1, 3, 2))
    check(svg)
    narrow = re.sub(r'width="74.0" height="32.0"', 'width="30.0" height="32.0"', svg)
    with pytest.raises(AssertionError):
        check(narrow)
    box = RECT.search(svg)
    assert box
    with pytest.raises(AssertionError, match="overlap"):
        check(svg.replace("</g>", f'{box[0]} fill="#FFFFFF"/></g>'))
    through = '<path d="M150 0L150 400" fill="none"/></g>'
    with pytest.raises(AssertionError, match="through a node"):
        check(svg.replace("</g>", through))
