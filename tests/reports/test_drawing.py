import re
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from vitruvius.reports.drawing import (
    _END,
    _FAMILIES,
    _IDENTITY,
    _OTHERS,
    SKIP_DASHES,
    _short_label,
    draw,
    draw_dag,
    text_width,
)
from vitruvius.spaces import DAG, names, space

SVG = "{http://www.w3.org/2000/svg}"
CELLS = space("nasbench201")


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", [*names(), "toy_recipe.yaml"])
def test_every_space(name: str) -> None:
    kind = space(name)
    for row in kind.sample(5, 0):
        svg = draw(kind, row, caption="first\nsecond")
        assert texts(svg)[-2:] == ["first", "second"]
        assert svg == draw(kind, kind.architecture(row), caption="first\nsecond")


def test_operations_on_edges_are_labels() -> None:
    svg = draw(CELLS, (3, 3, 3, 1, 3, 2))
    assert sorted(texts(svg)) == sorted(
        ["input", "sum 1", "sum 2", "output", "skip", "conv 1×1", *["conv 3×3"] * 4]
    )


def test_what_is_inactive_is_not_drawn() -> None:
    # Nothing enters node 1, so the convolution after it does nothing.
    svg = draw(CELLS, (0, 0, 3, 2, 3, 0))
    assert texts(svg) == ["conv 1×1", "input", "output"]


def test_roles_and_marks_are_drawn_whatever_the_labels() -> None:
    edges = {(0, 1): "none", (0, 2): "zero", (1, 3): "Identity", (2, 3): "skip"}
    dag = DAG(("x", "a", "b", "y"), edges, roles={(0, 2): "absent", (1, 3): "identity"})
    svg = draw_dag(dag)
    assert texts(svg) == ["none", "Identity", "x", "a", "y"]
    assert svg.count(_IDENTITY.dashes) == 1
    assert svg.count(_END.fill) == 2


def test_skips_between_cells_are_dashed() -> None:
    autogan = space("autogan")
    svg = draw(autogan, "1 0 1 1 1 0 0 1 1 1 0 1 0 3")
    assert svg.count(f'stroke-dasharray="{SKIP_DASHES}"') == texts(svg).count("skip") == 3
    # Where an operation is called so, it has a dashed frame instead.
    assert SKIP_DASHES not in draw(CELLS, (1, 1, 1, 1, 1, 1))


def test_what_is_left_dangling_is_no_input() -> None:
    edges = {(0, 1): "", (1, 3): "", (2, 3): ""}
    assert texts(draw_dag(DAG(("in", "a", "b", "out"), edges, inputs=(0,)))) == ["in", "a", "out"]
    assert len(texts(draw_dag(DAG(("in", "a", "b", "out"), edges)))) == 4


def test_absent_nodes_cut_what_hangs_from_them() -> None:
    edges = {(0, 1): "", (1, 2): "", (0, 2): ""}
    assert texts(draw_dag(DAG(("in", "gone", "out"), edges, roles={(1,): "absent"}))) == [
        "in",
        "out",
    ]


def test_a_graph_that_leads_nowhere_says_so() -> None:
    assert texts(draw(CELLS, (0,) * 6))[:2] == ["input", "output"]
    assert "nothing leads" in " ".join(texts(draw(CELLS, (0,) * 6)))


def test_isolated_nodes_are_not_drawn() -> None:
    dag = DAG(("input", "conv", "pool", "output"), {(0, 1): "", (1, 3): ""})
    assert texts(draw_dag(dag)) == ["input", "conv", "output"]


def test_graphs_without_edges() -> None:
    assert texts(draw_dag(DAG(("a", "b"), {}))) == ["a", "b"]


def test_attributes_stand_in_the_caption() -> None:
    dag = DAG(("input", "output"), {(0, 1): ""}, {"learning_rate": "0.1", "flip": "no"})
    assert re.sub(r"\s+", " ", " ".join(texts(draw_dag(dag))[2:])) == "learning rate: 0.1, flip: no"


@given(st.text(), st.text(), st.text())
def test_any_text_is_well_formed(label: str, value: str, caption: str) -> None:
    dag = DAG((label, "output"), {(0, 1): value}, {"key": value})
    caption = caption.encode(errors="ignore").decode()
    svg = draw_dag(dag, caption=caption)
    ElementTree.fromstring(svg.encode(errors="ignore"))


def test_markup_is_escaped() -> None:
    svg = draw_dag(DAG(("<script>", "output"), {(0, 1): ""}), caption='a < b & "c"')
    assert "<script>" not in svg
    assert texts(svg) == ["<script>", "output", 'a < b & "c"']


@pytest.mark.parametrize(
    ("label", "shown"),
    [
        ("nor_conv_3x3", "conv 3×3"), ("conv1x1-bn-relu", "conv 1×1"), ("skip_connect", "skip"),
        ("avg_pool_3x3", "avg pool 3×3"), ("maxpool3x3", "max pool 3×3"), ("k3 e6", "k3 e6"),
    ],
)  # fmt: skip
def test_short_names(label: str, shown: str) -> None:
    assert _short_label(label) == shown


def luminance(colour: str) -> float:
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a: str, b: str) -> float:
    low, high = sorted([luminance(a), luminance(b)])
    return (high + 0.05) / (low + 0.05)


def test_contrast_of_text_and_frames() -> None:
    for colours in [_END, _IDENTITY, *(colours for _, colours in _FAMILIES), *_OTHERS]:
        assert contrast(colours.text, colours.fill) >= 7
        assert contrast(colours.stroke, "#FFFFFF") >= 3


def test_boxes_hold_their_text() -> None:
    for label in ("max pool 3×3", "input", "www mmm"):
        [box] = re.findall(r'width="([\d.]+)" height="32', draw_dag(DAG((label,), {})))
        assert float(box) >= text_width(label, 13.0) + 20
