"""Variables: the discrete decisions that make up an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..core.errors import UsageError

__all__ = ["KINDS", "Kind", "Variable"]

Kind = Literal["op", "edge", "parent", "size", "bits", "hardware", "recipe"]
KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True)
class Variable:
    """One discrete decision of a space.

    The place says where on the DAG the decision sits: ``()`` for the whole graph, ``(i,)`` for
    node ``i``, ``(i, j)`` for the edge from node ``i`` to node ``j``. Two kinds also carry
    structure: an ``edge`` variable switches the edge at its place on (its last choice) or off (its
    first), and a ``parent`` variable's choices are the node numbers its node may hang from.

    Args:
        name: Unique within its space, e.g. ``"op_0_1"``.
        choices: The labels to choose from, in index order.
        kind: What is decided.
        place: Where it sits.

    Raises:
        UsageError: For an empty or repeating choice set, an unknown kind or an impossible place.

    Example:
        >>> Variable("op", ("conv", "pool"), "op", (1,)).size
        2
    """

    name: str
    choices: tuple[str, ...]
    kind: Kind
    place: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not self.choices or len(set(self.choices)) != len(self.choices):
            raise UsageError(
                f"Variable {self.name!r} needs distinct choices, got {list(self.choices)}.",
                "List every choice once.",
            )
        if self.kind not in KINDS:
            raise UsageError(
                f"Variable {self.name!r} has the unknown kind {self.kind!r}.",
                f"Use one of {', '.join(KINDS)}.",
            )
        if len(self.place) > 2 or (len(self.place) == 2 and self.place[0] >= self.place[1]):
            raise UsageError(
                f"Variable {self.name!r} sits at {self.place}, which is no place on a DAG.",
                "Use () for the graph, (i,) for a node, (i, j) with i < j for an edge.",
            )
        if (self.kind == "parent" and len(self.place) != 1) or (
            self.kind == "edge" and len(self.place) != 2
        ):
            raise UsageError(
                f"Variable {self.name!r} of kind {self.kind!r} cannot sit at {self.place}.",
                "A parent sits on a node, an edge on a pair of nodes.",
            )

    @property
    def size(self) -> int:
        """Number of choices."""
        return len(self.choices)
