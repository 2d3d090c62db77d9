from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings, strategies as st

from vitruvius.reports.layered import (
    LONGEST_COLUMN,
    Box,
    Edge,
    Layout,
    _spread,
    chain_layout,
    layered_layout,
)

sizes = st.tuples(st.floats(20, 150), st.floats(10, 50))


@st.composite
def graphs(
    draw: st.DrawFn,
) -> tuple[dict[int, tuple[float, float]], dict[Edge, tuple[float, float] | None]]:
    n = draw(st.integers(2, 7))
    pairs = draw(st.sets(st.sampled_from(list(combinations(range(n), 2))), min_size=1))
    labels = draw(st.booleans())
    nodes = {node: draw(sizes) for node in range(n)}
    return nodes, {pair: draw(sizes) if labels else None for pair in pairs}


def overlap(a: Box, b: Box) -> bool:
    return (
        abs(a.x - b.x) < (a.width + b.width) / 2 - 1e-6
        and abs(a.y - b.y) < (a.height + b.height) / 2 - 1e-6
    )


def inside(box: Box, x: float, y: float) -> bool:
    return abs(x - box.x) < box.width / 2 - 1e-6 and abs(y - box.y) < box.height / 2 - 1e-6


def check(layout: Layout, edges: set[Edge]) -> None:
    boxes = [*layout.boxes.values(), *layout.labels.values()]
    assert not any(overlap(a, b) for a, b in combinations(boxes, 2))
    for box in boxes:
        assert box.x - box.width / 2 >= -1e-6
        assert box.x + box.width / 2 <= layout.width + 1e-6
        assert box.y - box.height / 2 >= -1e-6
        assert box.y + box.height / 2 <= layout.height + 1e-6
    assert set(layout.paths) == edges
    for (i, j), path in layout.paths.items():
        source, target = layout.boxes[i], layout.boxes[j]
        assert path[0][1] == pytest.approx(source.y + source.height / 2)
        assert path[-1][1] == pytest.approx(target.y - target.height / 2)
        assert abs(path[0][0] - source.x) <= source.width / 2
        assert abs(path[-1][0] - target.x) <= target.width / 2


@settings(max_examples=40)
@given(graphs())
def test_nothing_overlaps(
    graph: tuple[dict[int, tuple[float, float]], dict[Edge, tuple[float, float] | None]],
) -> None:
    nodes, edges = graph
    layout = layered_layout(nodes, edges)
    check(layout, set(edges))
    assert set(layout.labels) == {edge for edge, size in edges.items() if size}
    for edge, path in layout.paths.items():
        # Straight parts run down through layers, the others from one layer to the next.
        for k, ((x, y), (next_x, next_y)) in enumerate(pairwise(path)):
            assert next_y >= y - 1e-6
            assert next_x == x or k % 2 == 0
            for other, box in [*layout.boxes.items(), *layout.labels.items()]:
                if k % 2 and other != edge:
                    assert not any(inside(box, x, y + t / 8 * (next_y - y)) for t in range(9))


@given(st.lists(sizes, min_size=2, max_size=40))
def test_chains_in_columns(nodes: list[tuple[float, float]]) -> None:
    layout = chain_layout(nodes)
    check(layout, set(pairwise(range(len(nodes)))))
    columns = [
        sum(box.x == x for box in layout.boxes.values())
        for x in {box.x for box in layout.boxes.values()}
    ]
    assert max(columns) <= LONGEST_COLUMN


def test_a_planar_graph_has_no_crossings() -> None:
    edges = dict.fromkeys(combinations(range(4), 2), (60.0, 20.0))
    layout = layered_layout(dict.fromkeys(range(4), (60.0, 30.0)), edges)
    # Every edge has its own lane; at each height, read them from left to right.
    lanes = {edge: {y: x for x, y in path} for edge, path in layout.paths.items()}
    for a, b in combinations(lanes, 2):
        shared = sorted(set(lanes[a]) & set(lanes[b]))
        order = [lanes[a][y] < lanes[b][y] for y in shared if lanes[a][y] != lanes[b][y]]
        assert len(set(order)) <= 1


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=6))
def test_spread_keeps_order_and_what_fits(wanted: list[float]) -> None:
    widths = [20.0] * len(wanted)
    placed = _spread(wanted, widths)
    assert all(b - a > 45.9 for a, b in pairwise(placed))
    assert _spread(placed, widths) == pytest.approx(placed)
    assert sum(placed) == pytest.approx(sum(wanted), abs=1e-6)
