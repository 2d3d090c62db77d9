"""Layered drawing of graphs (Sugiyama, Tagawa & Toda, 1981): where nodes and edges go."""

from __future__ import annotations

import math
import random
from bisect import bisect_right, insort
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["Box", "Layout", "chain_layout", "layered_layout"]

GAP_X, GAP_Y = 26.0, 34.0
# Between an edge that passes a layer and what lies beside it.
LANE = 12.0
RESTARTS, SWEEPS, RELAXATIONS = 16, 8, 24
# Pixels below which a move is none.
STILL = 0.3
# A chain longer than this wraps into columns of at most that many boxes.
LONGEST_COLUMN = 8
COLUMN_GAP = 46.0

Edge = tuple[int, int]
Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle by its centre and size, in pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Layout:
    """Positions of a drawing.

    Args:
        width: Of the drawing, in pixels.
        height: Of the drawing.
        boxes: One per node.
        labels: One per labelled edge.
        paths: Per edge the points it passes, from source to target. Between the first two it
            bends in a gap, between the next two it runs straight through a layer, and so on.
    """

    width: float
    height: float
    boxes: dict[int, Box]
    labels: dict[Edge, Box]
    paths: dict[Edge, list[Point]]


@dataclass
class _Slot:
    """Something that takes room in a layer: a node, an edge's label, or an edge passing by."""

    width: float
    height: float
    before: list[int]
    after: list[int]
    x: float = 0.0


def layered_layout(
    sizes: Mapping[int, tuple[float, float]],
    edges: Mapping[Edge, tuple[float, float] | None],
    hanging: Collection[int] = (),
) -> Layout:
    """Lays a graph out from top to bottom.

    1. A node's layer is its longest distance from a source, doubled where edges have labels; a
       label takes the place in the middle of its edge.
    2. Edges across several layers pass through a lane of their own in each, so that no edge
       crosses a box.
    3. Barycentre sweeps order the layers for few crossings.
    4. Horizontal positions approach the mean of the neighbours', in order and without overlap.

    Args:
        sizes: Width and height of every node, which are numbered in topological order.
        edges: Pairs ``(i, j)``, ``i < j``, with the size of their label or None.
        hanging: Sources that stand right above the first node they lead to, not at the top.
    """
    stride = 2 if any(size is not None for size in edges.values()) else 1
    layer = dict.fromkeys(sizes, 0)
    for i, j in sorted(edges, key=lambda edge: edge[1]):
        layer[j] = max(layer[j], layer[i] + stride)
    for i in hanging:
        layer[i] = min((layer[j] for k, j in edges if k == i), default=stride) - stride
    layers: list[list[int]] = [[] for _ in range(max(layer.values()) + 1)]
    slots: list[_Slot] = []

    def add(level: int, width: float, height: float) -> int:
        slots.append(_Slot(width, height, [], []))
        layers[level].append(len(slots) - 1)
        return len(slots) - 1

    node_slot = {node: add(layer[node], *size) for node, size in sizes.items()}
    routes: dict[Edge, list[int]] = {}
    label_slot: dict[Edge, int] = {}
    for (i, j), label in sorted(edges.items()):
        route = [node_slot[i]]
        middle = (layer[i] + layer[j]) // 2
        for level in range(layer[i] + 1, layer[j]):
            if label is not None and level == middle:
                label_slot[i, j] = add(level, *label)
                route.append(label_slot[i, j])
            else:
                route.append(add(level, LANE, 0.0))
        route.append(node_slot[j])
        for a, b in pairwise(route):
            slots[a].after.append(b)
            slots[b].before.append(a)
        routes[i, j] = route
    layers = _fewest_crossings(layers, slots)
    _place(layers, slots)
    return _assemble(layers, slots, node_slot, label_slot, routes)


def chain_layout(sizes: Sequence[tuple[float, float]]) -> Layout:
    """Lays a chain out in columns, each read from top to bottom.

    Args:
        sizes: Width and height of every node, in order.
    """
    columns = -(-len(sizes) // LONGEST_COLUMN)
    length = -(-len(sizes) // columns)
    width = max(size[0] for size in sizes)
    height = max(size[1] for size in sizes)
    boxes, paths = {}, {}
    for k, (own_width, own_height) in enumerate(sizes):
        column, row = divmod(k, length)
        # Room above the first and below the last box for the bends between columns.
        y = GAP_Y + row * (height + GAP_Y) + height / 2
        boxes[k] = Box(column * (width + COLUMN_GAP) + width / 2, y, own_width, own_height)
    for k in range(len(sizes) - 1):
        a, b = boxes[k], boxes[k + 1]
        start, end = (a.x, a.y + a.height / 2), (b.x, b.y - b.height / 2)
        lane = (a.x + b.x) / 2
        turns = [(lane, start[1]), (lane, end[1])] if b.x > a.x else []
        paths[k, k + 1] = [start, *turns, end]
    total = length * (height + GAP_Y) + GAP_Y
    return Layout(columns * (width + COLUMN_GAP) - COLUMN_GAP, total, boxes, {}, paths)


def _fewest_crossings(layers: list[list[int]], slots: list[_Slot]) -> list[list[int]]:
    """Orders every layer by the mean position of the neighbours above and below, in turns.

    Sweeps end in local optima, so they start from several orders.
    """
    shuffler = random.Random(0)
    best, fewest = layers, _crossings(layers, slots)
    start = layers
    for _ in range(RESTARTS):
        layers, before = start, None
        for sweep in range(SWEEPS):
            if not fewest:
                return best
            swept = _swept(layers, slots, down=sweep % 2 == 0)
            # Downwards and upwards lead to the same two orders from here on.
            if swept == before:
                break
            before, layers = layers, swept
            count = _crossings(layers, slots, fewest)
            if count < fewest:
                best, fewest = layers, count
        start = [shuffler.sample(level, len(level)) for level in layers]
    return best


def _swept(layers: list[list[int]], slots: list[_Slot], *, down: bool) -> list[list[int]]:
    position = [0.0] * len(slots)
    for level in layers:
        for k, s in enumerate(level):
            position[s] = k
    ordered: list[list[int]] = []
    for level in layers if down else layers[::-1]:
        if len(level) > 1:
            centre = position.copy()
            for s in level:
                near = slots[s].before if down else slots[s].after
                if near:
                    centre[s] = sum([position[t] for t in near]) / len(near)
            level = sorted(level, key=centre.__getitem__)
            for k, s in enumerate(level):
                position[s] = k
        ordered.append(level)
    return ordered if down else ordered[::-1]


def _crossings(layers: list[list[int]], slots: list[_Slot], enough: float | int = math.inf) -> int:
    """Counts crossings, but not on where there are enough."""
    total = 0
    for level, following in pairwise(layers):
        if len(level) == 1 or len(following) == 1:
            continue
        position = {s: k for k, s in enumerate(following)}
        seen: list[int] = []
        for s in level:
            ends = sorted([position[t] for t in slots[s].after])
            total += sum([len(seen) - bisect_right(seen, end) for end in ends])
            for end in ends:
                insort(seen, end)
        if total >= enough:
            break
    return total


def _place(layers: list[list[int]], slots: list[_Slot]) -> None:
    near = [slot.before + slot.after or [s] for s, slot in enumerate(slots)]
    widths = [[slots[s].width for s in level] for level in layers]
    x = [0.0] * len(slots)
    for level, own in zip(layers, widths, strict=True):
        for s, to in zip(level, _spread([0.0] * len(level), own), strict=True):
            x[s] = to
    rounds = list(zip(layers, widths, strict=True))
    for round_ in range(RELAXATIONS):
        farthest = 0.0
        for level, own in rounds if round_ % 2 == 0 else rounds[::-1]:
            wanted = [sum([x[t] for t in near[s]]) / len(near[s]) for s in level]
            for s, to in zip(level, _spread(wanted, own), strict=True):
                farthest = max(farthest, abs(x[s] - to))
                x[s] = to
        if farthest < STILL:
            break
    for slot, to in zip(slots, x, strict=True):
        slot.x = to


def _spread(wanted: list[float], widths: list[float]) -> list[float]:
    """Nearest positions, by least squares, that keep order and distance: adjacent ones pool."""
    if len(wanted) == 1:
        return wanted
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + GAP_X)
    pools: list[tuple[float, int]] = []
    for target, offset in zip(wanted, offsets, strict=True):
        pools.append((target - offset, 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, n), (b, m) = pools.pop(), pools.pop()
            pools.append(((a * n + b * m) / (n + m), n + m))
    placed = [value for value, count in pools for _ in range(count)]
    return [value + offset for value, offset in zip(placed, offsets, strict=True)]


def _assemble(
    layers: list[list[int]],
    slots: list[_Slot],
    node_slot: dict[int, int],
    label_slot: dict[Edge, int],
    routes: dict[Edge, list[int]],
) -> Layout:
    left = min(slot.x - slot.width / 2 for slot in slots)
    right = max(slot.x + slot.width / 2 for slot in slots)
    y = 0.0
    centre, extent = {}, {}
    for level in layers:
        height = max(slots[s].height for s in level)
        for s in level:
            centre[s], extent[s] = y + height / 2, height
        y += height + GAP_Y

    def box(s: int) -> Box:
        return Box(slots[s].x - left, centre[s], slots[s].width, slots[s].height)

    leaving = {s: _ports(slots[s], slots[s].after, slots) for s in node_slot.values()}
    entering = {s: _ports(slots[s], slots[s].before, slots) for s in node_slot.values()}
    paths = {}
    for edge, route in routes.items():
        first, *through, last = route
        x = leaving[first][route[1]] - left
        path = [(x, centre[first] + slots[first].height / 2)]
        if slots[first].height < extent[first]:
            path += [path[0], (x, centre[first] + extent[first] / 2)]
        for s in through:
            x = slots[s].x - left
            path += [(x, centre[s] - extent[s] / 2), (x, centre[s] + extent[s] / 2)]
        x = entering[last][route[-2]] - left
        if slots[last].height < extent[last]:
            path.append((x, centre[last] - extent[last] / 2))
        path.append((x, centre[last] - slots[last].height / 2))
        paths[edge] = path
    return Layout(
        right - left,
        y - GAP_Y,
        {node: box(s) for node, s in node_slot.items()},
        {edge: box(s) for edge, s in label_slot.items()},
        paths,
    )


def _ports(slot: _Slot, neighbours: list[int], slots: list[_Slot]) -> dict[int, float]:
    """Spreads the ends of edges along the middle of a box's side, in the neighbours' order."""
    ordered = sorted(neighbours, key=lambda s: slots[s].x)
    room = min(slot.width * 0.6, 22.0 * (len(ordered) - 1))
    return {
        s: slot.x + (room * (k / (len(ordered) - 1) - 0.5) if len(ordered) > 1 else 0.0)
        for k, s in enumerate(ordered)
    }
