"""Variables: the discrete decisions that make up an architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..core.errors import UsageError

__all__ = ["KINDS", "ROLES", "Choice", "Kind", "Role", "Variable"]

Kind = Literal["op", "edge", "parent", "size", "bits", "hardware", "recipe"]
KINDS: tuple[str, ...] = get_args(Kind)
Role = Literal["op", "identity", "absent"]
ROLES: tuple[str, ...] = get_args(Role)
Choice = str | int | float | bool


@dataclass(frozen=True)
class Variable:
    """One discrete decision of a space.

    The place says where on the DAG the decision sits: ``()`` for the whole graph, ``(i,)`` for
    node ``i``, ``(i, j)`` for the edge from node ``i`` to node ``j``. Two kinds also carry
    structure: an ``edge`` variable switches the edge at its place on (its last choice) or off (its
    first), and a ``parent`` variable's choices are the node numbers its node may hang from.

    What a choice does is told by its role, never by how its label is spelt: ``op`` computes
    something, ``identity`` passes its input on unchanged, ``absent`` leaves nothing at its place.

    Args:
        name: Unique within its space, e.g. ``"op_0_1"``.
        choices: The labels to choose from, in index order.
        kind: What is decided.
        place: Where it sits.
        roles: One per choice; all are ``op`` by default.
        values: What `value` gives, one per choice; by default as kind and labels say.

    Raises:
        UsageError: For an empty or repeating choice set, an unknown kind or role, an impossible
            place, roles where there is nothing at the place to have one, or another number of
            values than of choices.

    Example:
        >>> variable = Variable("op", ("conv", "zero"), "op", (1,), ("op", "absent"))
        >>> variable.size, variable.having("absent")
        (2, (1,))
    """

    name: str
    choices: tuple[str, ...]
    kind: Kind
    place: tuple[int, ...] = ()
    roles: tuple[Role, ...] = ()
    values: tuple[Choice, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "roles", self.roles or ("op",) * len(self.choices))
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
        if len(self.roles) != len(self.choices) or not set(self.roles) <= set(ROLES):
            raise UsageError(
                f"Variable {self.name!r} needs a role for each of its {self.size} choices, "
                f"got {list(self.roles)}.",
                f"Use {', '.join(ROLES)}.",
            )
        if set(self.roles) != {"op"} and (self.kind in ("edge", "parent") or not self.place):
            raise UsageError(
                f"Variable {self.name!r} of kind {self.kind!r} at {self.place} cannot have roles, "
                f"got {list(self.roles)}.",
                "Roles are of what stands on a node or on an edge.",
            )
        object.__setattr__(self, "values", self.values or self._told())
        if len(self.values) != self.size:
            raise UsageError(
                f"Variable {self.name!r} needs a value for each of its {self.size} choices, "
                f"got {list(self.values)}.",
                "Leave them out, or give one per choice.",
            )

    @property
    def size(self) -> int:
        """Number of choices."""
        return len(self.choices)

    def having(self, role: Role) -> tuple[int, ...]:
        """Returns the indices of the choices that have a role.

        Args:
            role: The role.
        """
        return tuple(index for index, each in enumerate(self.roles) if each == role)

    def value(self, index: int) -> Choice:
        """Returns a choice as what it is.

        It is one of `values`. Where these were not given, an ``edge`` is a bool, a ``parent`` the
        number of a node, an ``op`` its label. Any other variable whose labels are all numbers has
        whole numbers where all are, and floats where some are not.

        Args:
            index: Index of the choice.

        Example:
            >>> Variable("width", ("8", "16"), "size").value(1)
            16
        """
        return self.values[index]

    def _told(self) -> tuple[Choice, ...]:
        if self.kind == "edge":
            return (False, True)
        if self.kind != "op":
            for number in (int, float):
                try:
                    return tuple(number(choice) for choice in self.choices)
                except ValueError:
                    continue
        return self.choices
