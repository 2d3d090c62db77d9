"""Sketches: what is drawn of an architecture, before anything has a position."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from ..spaces import DAG, ProductSpace, Space, Variable

__all__ = [
    "UNKNOWN",
    "Decision",
    "Edge",
    "Place",
    "Sketch",
    "at_nodes",
    "lines_of",
    "moved",
    "side_by_side",
    "sketch",
    "sketch_of_dag",
    "told",
]

UNKNOWN = "?"
# At the end of a variable's name they tell nodes apart, so on one node they say nothing.
NUMBERS = r"(_\d+)+$"

Edge = tuple[int, int]
Place = tuple[int, ...]
# A variable and its choice, None where that is not known.
Decision = tuple[Variable, str | None]


@dataclass(frozen=True)
class Sketch:
    """Boxes and lines before they have positions.

    Args:
        labels: Of every box, by the number of its node; edges lead from lower to higher numbers.
        edges: Pairs of nodes, with their labels.
        ends: Nodes that data enter or results leave, where nothing is decided.
        identities: Nodes and edges that pass their input on.
        notes: Lines below a node's label.
        kinds: What is decided at a node: ``op`` for an operation, else another kind of variable,
            and nothing where the label is but a name.
        unknown: Nodes and edges of which it is not known what they are.
        hanging: Nodes that stand for what is not known above another one.
        lines: What is said below the drawing.
    """

    labels: dict[int, str]
    edges: dict[Edge, str]
    ends: frozenset[int] = frozenset()
    identities: frozenset[Place] = frozenset()
    notes: dict[int, tuple[str, ...]] = field(default_factory=dict)
    kinds: dict[int, str] = field(default_factory=dict)
    unknown: frozenset[Place] = frozenset()
    hanging: frozenset[int] = frozenset()
    lines: tuple[str, ...] = ()


def sketch_of_dag(dag: DAG) -> Sketch:
    """Sketches a graph without what is absent and what lies on no way from an input to an output.

    Args:
        dag: The graph.

    Example:
        >>> sketch_of_dag(DAG(("a", "b", "c"), {(0, 1): ""}, {"size": "2"})).lines
        ('size: 2',)
    """
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
    ends = frozenset((*dag.inputs, *dag.outputs))
    lines = lines_of(dag.attributes)
    if dag.edges and not active:
        lines += ("nothing leads from the input to the output",)
    return Sketch(
        labels={node: dag.nodes[node] for node in sorted(active | ends) or range(len(dag.nodes))},
        edges={edge: label for edge, label in edges.items() if active.issuperset(edge)},
        ends=ends,
        identities=frozenset(place for place, role in dag.roles.items() if role == "identity"),
        lines=lines,
    )


def sketch(space: Space, row: Sequence[int]) -> Sketch:
    """Sketches an architecture: operations as labels, sizes, bits and the like as notes.

    Args:
        space: Its space.
        row: Its choice indices.

    Example:
        >>> from vitruvius.spaces import space
        >>> recipe = space("toy_recipe.yaml")
        >>> drawn = sketch(recipe, recipe.from_string(recipe.to_string((0, 0, 0, 1, 2, 1))))
        >>> drawn.labels[1], drawn.notes[1]
        ('middle layers', ('bits middle 8',))
    """
    if isinstance(space, ProductSpace):
        parts = {key: sketch(space.parts[key], own) for key, own in space.parted(row).items()}
        return side_by_side(parts)
    dag = space.dag(row)
    plain = sketch_of_dag(dag)
    labels = dict(plain.labels)
    notes: dict[int, tuple[str, ...]] = {}
    # Where nothing is decided, a node says its name.
    kinds = {
        node: ""
        for node, label in plain.labels.items()
        if node < len(space.nodes) and label == space.nodes[node]
    }
    chosen = zip(space.variables, row, strict=True)
    for node, decisions in at_nodes((v, v.choices[index]) for v, index in chosen).items():
        # A space that numbers the nodes of what it draws anew says all of them in its labels.
        said = " ".join(str(choice) for _, choice in decisions)
        if node in labels and dag.nodes[node] == said:
            labels[node], notes[node], kinds[node] = told(space.nodes[node], decisions)
    return replace(
        plain, labels=labels, notes=notes, kinds=kinds, ends=plain.ends.difference(notes)
    )


def at_nodes(decisions: Iterable[Decision]) -> dict[int, list[Decision]]:
    """Groups what is decided on nodes, beside where they hang from, by the node.

    Args:
        decisions: Variables and their choices.
    """
    found: dict[int, list[Decision]] = {}
    for variable, choice in decisions:
        if len(variable.place) == 1 and variable.kind != "parent":
            found.setdefault(variable.place[0], []).append((variable, choice))
    return found


def told(name: str, decisions: Sequence[Decision]) -> tuple[str, tuple[str, ...], str]:
    """Tells what is decided on a node: its label, the notes below, and the kind of decisions.

    The label is the operation, the first of several; where there is none, the node's name.

    Args:
        name: Of the node.
        decisions: On it.
    """
    kinds = [variable.kind for variable, _ in decisions]
    first = kinds.index("op") if "op" in kinds else None
    noted = [decision for k, decision in enumerate(decisions) if k != first]
    plain = [re.sub(NUMBERS, "", variable.name) for variable, _ in noted]
    count = Counter(plain)
    notes = tuple(
        f"{(short if count[short] == 1 else variable.name).replace('_', ' ')} {choice or UNKNOWN}"
        for short, (variable, choice) in zip(plain, noted, strict=True)
    )
    if first is None:
        return name, notes, kinds[0]
    variable, choice = decisions[first]
    label = choice or UNKNOWN
    # A number says nothing by itself, such as the side of a kernel.
    if all(re.fullmatch(r"[\d.]+", each) for each in variable.choices):
        label = f"{re.sub(NUMBERS, '', variable.name)} {label}"
    return label, notes, "op"


def lines_of(attributes: Mapping[str, str]) -> tuple[str, ...]:
    """Says what is decided of the whole graph.

    Args:
        attributes: Values by name.
    """
    return tuple(f"{name.replace('_', ' ')}: {value}" for name, value in attributes.items())


def moved(drawn: Sketch, by: int) -> Sketch:
    """Numbers the nodes of a sketch from a higher number on.

    Args:
        drawn: The sketch.
        by: What is added to every number.
    """

    def places(those: Iterable[Place]) -> frozenset[Place]:
        return frozenset(tuple(node + by for node in place) for place in those)

    return Sketch(
        labels={node + by: label for node, label in drawn.labels.items()},
        edges={(i + by, j + by): label for (i, j), label in drawn.edges.items()},
        ends=frozenset(node + by for node in drawn.ends),
        identities=places(drawn.identities),
        notes={node + by: lines for node, lines in drawn.notes.items()},
        kinds={node + by: kind for node, kind in drawn.kinds.items()},
        unknown=places(drawn.unknown),
        hanging=frozenset(node + by for node in drawn.hanging),
        lines=drawn.lines,
    )


def side_by_side(parts: Mapping[str, Sketch]) -> Sketch:
    """Joins sketches into one, in which each keeps its own boxes.

    Args:
        parts: Sketches by name, which is put before what is said of each.
    """
    whole = Sketch({}, {})
    for key, part in parts.items():
        part = moved(part, max(whole.labels, default=-1) + 1)
        whole = Sketch(
            labels=whole.labels | part.labels,
            edges=whole.edges | part.edges,
            ends=whole.ends | part.ends,
            identities=whole.identities | part.identities,
            notes=whole.notes | part.notes,
            kinds=whole.kinds | part.kinds,
            unknown=whole.unknown | part.unknown,
            hanging=whole.hanging | part.hanging,
            lines=(*whole.lines, *(f"{key}: {line}" for line in part.lines)),
        )
    return whole
