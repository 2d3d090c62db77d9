"""Drawings of several parts: each laid out by itself, then put beside and below each other."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .layered import Box, Edge, Layout

__all__ = ["components", "packed", "renumbered"]

# Between parts, and how wide a row of them may be.
GAP, WIDEST = 46.0, 1600.0


def components(nodes: Iterable[int], edges: Iterable[Edge]) -> list[list[int]]:
    """Parts a graph into those that no edge connects, in the order of their first nodes.

    Args:
        nodes: Their numbers.
        edges: Pairs of them.

    Example:
        >>> components(range(5), [(0, 2), (1, 4), (2, 3)])
        [[0, 2, 3], [1, 4]]
    """
    owner = {node: node for node in nodes}

    def root(node: int) -> int:
        while owner[node] != node:
            node = owner[node]
        return node

    for i, j in edges:
        low, high = sorted((root(i), root(j)))
        owner[high] = low
    found: dict[int, list[int]] = {}
    for node in sorted(owner):
        found.setdefault(root(node), []).append(node)
    return list(found.values())


def packed(layouts: Sequence[Layout]) -> Layout:
    """Puts layouts beside each other, in rows.

    Args:
        layouts: Of different nodes.

    Returns:
        One layout; what stands in a row begins at the same height.
    """
    x = y = width = height = 0.0
    whole = Layout(0.0, 0.0, {}, {}, {})
    for layout in layouts:
        if x and x + layout.width > WIDEST:
            x, y = 0.0, height + GAP
        whole = Layout(
            0.0,
            0.0,
            whole.boxes | {node: _moved(box, x, y) for node, box in layout.boxes.items()},
            whole.labels | {edge: _moved(box, x, y) for edge, box in layout.labels.items()},
            whole.paths
            | {edge: [(a + x, b + y) for a, b in path] for edge, path in layout.paths.items()},
        )
        width, height = max(width, x + layout.width), max(height, y + layout.height)
        x += layout.width + GAP
    return Layout(width, height, whole.boxes, whole.labels, whole.paths)


def renumbered(layout: Layout, nodes: Sequence[int]) -> Layout:
    """Gives the nodes of a layout their own numbers.

    Args:
        layout: Of nodes 0, 1 and so on.
        nodes: The number of each.
    """
    return Layout(
        layout.width,
        layout.height,
        {nodes[node]: box for node, box in layout.boxes.items()},
        {(nodes[i], nodes[j]): box for (i, j), box in layout.labels.items()},
        {(nodes[i], nodes[j]): path for (i, j), path in layout.paths.items()},
    )


def _moved(box: Box, x: float, y: float) -> Box:
    return Box(box.x + x, box.y + y, box.width, box.height)
