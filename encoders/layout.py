"""Layout: how the variables of a space become tokens of a graph.

A token is a place that holds variables: a node, an edge or the whole graph. The words of all
variables form one vocabulary keyed by kind, family (the variable's name without its numbers) and
label, so that the same operation in two places, or in two spaces, is the same word.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..spaces import Variable

__all__ = ["RELATIONS", "Layout", "Vocabulary", "family"]

Place = tuple[int, ...]

# How one token stands to another; attention learns a bias for each.
RELATIONS = (
    "self",
    "graph",
    "node before node",
    "node after node",
    "source of edge",
    "target of edge",
    "edge from node",
    "edge into node",
    "edges share source",
    "edges share target",
    "edge continues edge",
    "edge precedes edge",
    "apart",
)


def family(variable: Variable) -> str:
    """Returns what variables of one role share: kind and name without numbers.

    Args:
        variable: The variable.

    Example:
        >>> family(Variable("op_0_1", ("a", "b"), "op", (0, 1)))
        'op/op'
    """
    return f"{variable.kind}/{re.sub(r'[_ ]*[0-9]+', '', variable.name)}"


class Vocabulary:
    """All words of one or several spaces, and a mask word per family.

    Args:
        variables: The variables of every space.

    Example:
        >>> op = [Variable(f"op_{i}", ("a", "b"), "op", (i,)) for i in range(2)]
        >>> words = Vocabulary([op])
        >>> len(words), words.ids(op).tolist()
        (3, [[0, 1, 2], [0, 1, 2]])
    """

    def __init__(self, variables: Sequence[Sequence[Variable]]) -> None:
        words: dict[tuple[str, str], int] = {}
        masks: dict[str, int] = {}
        for schema in variables:
            for variable in schema:
                for choice in variable.choices:
                    words.setdefault((family(variable), choice), len(words))
        for schema in variables:
            for variable in schema:
                masks.setdefault(family(variable), len(words) + len(masks))
        self._words, self._masks = words, masks

    def __len__(self) -> int:
        return len(self._words) + len(self._masks)

    def ids(self, variables: Sequence[Variable]) -> Int[Tensor, "V W"]:
        """Returns the word of every choice, padded with and followed by the mask word.

        Args:
            variables: Those of one space.
        """
        widest = max(variable.size for variable in variables)
        rows = []
        for variable in variables:
            mask = self._masks[family(variable)]
            row = [self._words[family(variable), choice] for choice in variable.choices]
            rows.append(row + [mask] * (widest + 1 - len(row)))
        return torch.tensor(rows)


@dataclass(frozen=True)
class Layout:
    """Tokens of a space.

    Args:
        places: Place of every token.
        token: Token of every variable, ``[V]``.
        relation: Index into `RELATIONS` for every pair of tokens, ``[L, L]``.
        source: Node a token starts at (the node itself, or the edge's tail), 0 for the graph.
        target: Node a token ends at, 0 for the graph.
        kind: 0 graph, 1 node, 2 edge, ``[L]``.
        choices: Which columns are choices of each variable, ``[V, C]``.
    """

    places: tuple[Place, ...]
    token: Int[Tensor, " V"]
    relation: Int[Tensor, "L L"]
    source: Int[Tensor, " L"]
    target: Int[Tensor, " L"]
    kind: Int[Tensor, " L"]
    choices: Bool[Tensor, "V C"]

    @classmethod
    def of(cls, variables: Sequence[Variable]) -> Layout:
        """Lays out the variables of a space, in topological order of their places.

        Args:
            variables: Those of one space.

        Example:
            >>> layout = Layout.of(
            ...     [
            ...         Variable("op", ("a", "b"), "op", (1,)),
            ...         Variable("size", ("1", "2"), "size", (1,)),
            ...     ]
            ... )
            >>> layout.places, layout.token.tolist()
            (((1,),), [0, 0])
        """
        places = sorted({variable.place for variable in variables}, key=_topological)
        index = {place: i for i, place in enumerate(places)}
        sizes = torch.tensor([variable.size for variable in variables])
        relation = [[RELATIONS.index(_relation(a, b)) for b in places] for a in places]
        return cls(
            places=tuple(places),
            token=torch.tensor([index[variable.place] for variable in variables]),
            relation=torch.tensor(relation),
            source=torch.tensor([place[0] if place else 0 for place in places]),
            target=torch.tensor([place[-1] if place else 0 for place in places]),
            kind=torch.tensor([len(place) for place in places]),
            choices=torch.arange(int(sizes.max())) < sizes[:, None],
        )


def _topological(place: Place) -> tuple[int, ...]:
    return (-1,) if not place else (place[-1], len(place), *place)


def _relation(a: Place, b: Place) -> str:
    if a == b:
        return "self"
    if not a or not b:
        return "graph"
    if len(a) == len(b) == 1:
        return "node before node" if a < b else "node after node"
    if len(a) == 1:
        return {b[0]: "source of edge", b[-1]: "target of edge"}.get(a[0], "apart")
    if len(b) == 1:
        return {a[0]: "edge from node", a[-1]: "edge into node"}.get(b[0], "apart")
    if a[0] == b[0]:
        return "edges share source"
    if a[1] == b[1]:
        return "edges share target"
    if a[0] == b[1]:
        return "edge continues edge"
    return "edge precedes edge" if a[1] == b[0] else "apart"
