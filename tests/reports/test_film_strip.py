from xml.etree import ElementTree

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.reports import draw, draw_partial, film_strip
from vitruvius.reports.drawing import _UNKNOWN
from vitruvius.spaces import names, space

SVG = "{http://www.w3.org/2000/svg}"
CELLS = space("nasbench201")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


def steps(name: str, count: int) -> list[tuple[str, str]]:
    """A trajectory that decides one variable after the other."""
    kind = space(name)
    size = len(kind.variables)
    told = [size * step // (count - 1) for step in range(count)]
    return [
        (draw_partial(kind, kind.example, [k < n for k in range(size)]), f"{n} of {size} known")
        for n in told
    ]


@pytest.mark.parametrize("count", [2, 6, 7, 16])
def test_states_stand_in_rows(count: int) -> None:
    states = steps("nasbench201", count)
    strip = ElementTree.fromstring(film_strip(states))
    nested = strip.findall(f"{SVG}svg")
    places = [(float(each.attrib["y"]), float(each.attrib["x"])) for each in nested]
    frames = [
        (each.attrib["y"], float(each.attrib["x"])) for each in strip.findall(f"{SVG}rect")[1:]
    ]
    assert len(nested) == len(frames) == count
    assert len({y for y, _ in frames}) == -(-count // 6)
    assert sorted(frames, key=lambda frame: (float(frame[0]), frame[1])) == frames
    for each, (y, x) in zip(nested, places, strict=True):
        assert 0 <= x <= x + float(each.attrib["width"]) <= float(strip.attrib["width"])
        assert 0 <= y <= y + float(each.attrib["height"]) <= float(strip.attrib["height"])
    assert [text.text for text in strip.findall(f"{SVG}text")] == [caption for _, caption in states]


def test_states_are_drawn_at_one_scale() -> None:
    nested = ElementTree.fromstring(film_strip(steps("nas-bench-graph", 4))).findall(f"{SVG}svg")
    scales = [float(s.attrib["width"]) / float(s.attrib["viewBox"].split()[2]) for s in nested]
    assert scales == pytest.approx([scales[0]] * 4, abs=1e-3)


def test_without_states_and_with_foreign_ones() -> None:
    ElementTree.fromstring(film_strip([]))
    with pytest.raises(UsageError, match="made of drawings"):
        film_strip([("<html>", "")])


@pytest.mark.parametrize("name", [*names(), "toy_recipe.yaml", "darts x nasaic"])
def test_what_is_known_of_every_space(name: str) -> None:
    kind = space(name)
    size = len(kind.variables)
    nothing = draw_partial(kind, [99] * size, [False] * size)
    assert "?" in " ".join(texts(nothing))
    assert draw_partial(kind, kind.example, [True] * size) == draw(kind, kind.example)
    # What is not known is not looked at.
    known = [k % 2 == 0 for k in range(size)]
    hidden = [index if told else -1 for index, told in zip(kind.example, known, strict=True)]
    assert draw_partial(kind, hidden, known) == draw_partial(kind, kind.example, known)


def test_operations_on_edges() -> None:
    x, known = torch.tensor([3, 0, 0, 1, 3, 2]), torch.tensor([1, 1, 0, 1, 0, 1]).bool()
    svg = draw_partial(CELLS, x, known, caption="step 3 of 6")
    # The second operation is known to be absent; two of the others are not known.
    assert sorted(texts(svg)) == sorted(
        [
            "input",
            "sum 1",
            "sum 2",
            "output",
            "conv 3×3",
            "conv 1×1",
            "skip",
            "?",
            "?",
            "step 3 of 6",
        ]
    )
    assert svg.count(f'fill="{_UNKNOWN.fill}"') == 2
    # Their boxes and their lines are dashed.
    assert svg.count(f'stroke-dasharray="{_UNKNOWN.dashes}"') == 4


def test_switches_of_edges() -> None:
    graphs = space("nasbench101")
    columns = {variable.name: k for k, variable in enumerate(graphs.variables)}
    row, known = [0] * len(columns), [True] * len(columns)
    for name in ("op_1", "op_2", "edge_0_1", "edge_1_6"):
        row[columns[name]] = 1
    known[columns["edge_0_2"]] = False
    svg = draw_partial(graphs, row, known)
    assert svg.count('fill="none"') == 3
    assert svg.count(f'stroke-dasharray="{_UNKNOWN.dashes}"') == 1


def test_nodes_with_unknown_parents() -> None:
    graphs = space("nas-bench-graph")
    columns = {variable.name: k for k, variable in enumerate(graphs.variables)}
    known = [True] * len(columns)
    known[columns["parent_3"]] = known[columns["op_4"]] = False
    svg = draw_partial(graphs, graphs.example, known)
    # One box hangs above the third node, the other one is the fourth.
    assert texts(svg).count("?") == 2
    assert svg.count(f'fill="{_UNKNOWN.fill}"') == 2


def test_sizes_are_notes() -> None:
    recipe = space("toy_recipe.yaml")
    told = texts(draw_partial(recipe, [1, 9, 0, 1, 9, 9], [True, False, True, True, False, False]))
    assert told == [
        "first layer", "bits first 8", "middle layers", "bits middle ?", "last layer",
        "bits last ?", "optimiser: adamw, learning rate: ?", "augmentation: none",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("row", "known"), [([0] * 5, [True] * 5), ([0] * 6, [True] * 5), ([9] + [0] * 5, [True] * 6)]
)
def test_what_is_no_part_of_an_architecture(row: list[int], known: list[bool]) -> None:
    with pytest.raises(ArchitectureError, match="6 variables"):
        draw_partial(CELLS, row, known)
