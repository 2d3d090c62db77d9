from itertools import combinations

import pytest

from vitruvius.reports.layered import layered_layout
from vitruvius.reports.packing import GAP, WIDEST, components, packed, renumbered


def test_components() -> None:
    assert components([3, 1, 2, 0], [(0, 3), (1, 2)]) == [[0, 3], [1, 2]]
    assert components([], []) == []


@pytest.mark.parametrize("count", [1, 3, 40])
def test_parts_do_not_touch(count: int) -> None:
    parts = [
        renumbered(
            layered_layout({0: (100.0, 30.0), 1: (90.0, 30.0)}, {(0, 1): None}), [2 * k, 2 * k + 1]
        )
        for k in range(count)
    ]
    whole = packed(parts)
    assert len(whole.boxes) == 2 * count
    assert whole.width <= WIDEST
    for a, b in combinations(whole.boxes, 2):
        if a // 2 == b // 2:
            continue
        one, other = whole.boxes[a], whole.boxes[b]
        apart_x = abs(one.x - other.x) - (one.width + other.width) / 2
        apart_y = abs(one.y - other.y) - (one.height + other.height) / 2
        assert max(apart_x, apart_y) >= GAP - 1e-6
    for (i, j), path in whole.paths.items():
        assert path[0][0] == pytest.approx(whole.boxes[i].x)
        assert path[-1][0] == pytest.approx(whole.boxes[j].x)
