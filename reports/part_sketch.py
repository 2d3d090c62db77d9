"""Sketches of architectures of which only a part is decided, as a diffusion makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..spaces import ProductSpace, Space, Variable
from .sketch import (
    UNKNOWN,
    Decision,
    Edge,
    Place,
    Sketch,
    at_nodes,
    lines_of,
    moved,
    side_by_side,
    sketch,
    told,
)

__all__ = ["sketch_of_part"]


def sketch_of_part(space: Space, row: Sequence[int], known: Sequence[bool]) -> Sketch:
    """Sketches what is decided of an architecture, on the nodes that the space has.

    What is not known is a ``?``: an operation, a note, or a box above a node whose parent is not
    known. All of the space's nodes are there but those that are known to be absent, for what will
    lead to an output is not known yet. Where all is known, it is as `sketch` has it.

    Args:
        space: Its space.
        row: Its choice indices; those that are not known are not looked at.
        known: Which are.

    Example:
        >>> from vitruvius.spaces import space
        >>> graphs = space("nas-bench-graph")
        >>> part = sketch_of_part(graphs, [1, 2, 0, 2, 0, 2, 0], [True] * 6 + [False])
        >>> part.labels[0], part.edges[0, 5], part.labels[5]
        ('?', '', 'gin')
    """
    if isinstance(space, ProductSpace):
        return side_by_side(
            {
                key: sketch_of_part(space.parts[key], row[at], known[at])
                for key, at in space.columns.items()
            }
        )
    if all(known):
        return sketch(space, row)
    decisions = [
        (variable, variable.choices[index] if each else None)
        for variable, index, each in zip(space.variables, row, known, strict=True)
    ]
    return _under_unknown(_on_nodes(space, decisions), _orphans(decisions))


def _on_nodes(space: Space, decisions: Sequence[Decision]) -> Sketch:
    """What is decided, but for nodes whose parent is not known."""
    roles = {v.place: _role(v, choice) for v, choice in decisions if choice and v.place}
    absent = {place for place, role in roles.items() if role == "absent"}
    labels = {k: name for k, name in enumerate(space.nodes) if (k,) not in absent}
    edges, unknown = _edges(space, decisions)
    edges = {
        edge: label
        for edge, label in edges.items()
        if edge not in absent and labels.keys() >= set(edge)
    }
    loose = _loose(labels, edges, space.outputs, _orphans(decisions))
    notes: dict[int, tuple[str, ...]] = {}
    kinds = dict.fromkeys(labels, "")
    for node, own in at_nodes(decisions).items():
        if node in labels:
            labels[node], notes[node], kinds[node] = told(labels[node], own)
            operations = [choice for variable, choice in own if variable.kind == "op"]
            if not any(operations[:1] or [choice for _, choice in own]):
                unknown.add((node,))
    return Sketch(
        labels=labels,
        edges=edges | dict.fromkeys(loose, ""),
        ends=frozenset((*space.inputs, *space.outputs)).difference(notes),
        identities=frozenset(place for place, role in roles.items() if role == "identity"),
        notes=notes,
        kinds=kinds,
        unknown=frozenset(unknown | set(loose)),
        lines=lines_of({v.name: choice or UNKNOWN for v, choice in decisions if not v.place}),
    )


def _role(variable: Variable, choice: str) -> str:
    return variable.roles[variable.choices.index(choice)]


def _orphans(decisions: Sequence[Decision]) -> list[int]:
    """Nodes of which it is not known what leads to them."""
    return [v.place[0] for v, choice in decisions if v.kind == "parent" and choice is None]


def _edges(space: Space, decisions: Sequence[Decision]) -> tuple[dict[Edge, str], set[Place]]:
    """Edges that there are or may be, and those of them that are not known."""
    edges, unknown = dict.fromkeys(space.skeleton, ""), set[Place]()
    for variable, choice in decisions:
        if variable.kind == "parent" and choice:
            edges[int(choice), variable.place[0]] = ""
        elif len(variable.place) == 2:
            edge = (variable.place[0], variable.place[1])
            if choice is None:
                unknown.add(edge)
            if variable.kind != "edge":
                edges[edge] = UNKNOWN if edge in unknown else str(choice)
            elif choice != variable.choices[0]:
                edges.setdefault(edge, "")
    return edges, unknown


def _loose(
    labels: dict[int, str], edges: dict[Edge, str], outputs: Sequence[int], orphans: Sequence[int]
) -> list[Edge]:
    """What may lead to outputs that nothing is known to lead to: nodes that nothing else takes."""
    entered, left = {*orphans, *(j for _, j in edges)}, {i for i, _ in edges}
    return [
        (node, end)
        for end in outputs
        if end in labels and end not in entered
        for node in labels
        if node < end and node not in left and node not in outputs
    ]


def _under_unknown(drawn: Sketch, orphans: Sequence[int]) -> Sketch:
    """Hangs a box of its own above every node of which it is not known what leads to it."""
    orphans = [node for node in orphans if node in drawn.labels]
    # The new boxes come first, for edges lead to higher numbers.
    start = len(orphans)
    drawn = moved(drawn, start)
    wires = {(k, node + start): "" for k, node in enumerate(orphans)}
    boxes = frozenset(range(start))
    return replace(
        drawn,
        labels=dict.fromkeys(boxes, UNKNOWN) | drawn.labels,
        edges=wires | drawn.edges,
        unknown=drawn.unknown.union(wires, ((k,) for k in boxes)),
        hanging=boxes,
    )
