"""Schema: what networks need to know of a space, as JSON that a checkpoint can keep."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..spaces import Space, Variable

__all__ = ["Schema"]


@dataclass(frozen=True)
class Schema:
    """The variables of a space and the graph that they sit on.

    Args:
        name: Name of the space.
        variables: Its decisions.
        nodes: Label of every node in topological order.
        skeleton: Edges that every architecture has.

    Example:
        >>> from vitruvius.spaces import space
        >>> schema = Schema.of(space("nasbench201"))
        >>> Schema.from_json(schema.to_json()) == schema
        True
    """

    name: str
    variables: tuple[Variable, ...]
    nodes: tuple[str, ...]
    skeleton: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, space: Space) -> Schema:
        """Reads it off a space.

        Args:
            space: The space.
        """
        return cls(space.name, tuple(space.variables), tuple(space.nodes), tuple(space.skeleton))

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form."""
        variables = [
            {
                "name": v.name,
                "choices": list(v.choices),
                "kind": v.kind,
                "place": list(v.place),
                "roles": list(v.roles),
            }
            for v in self.variables
        ]
        return {
            "space": self.name,
            "variables": variables,
            "nodes": list(self.nodes),
            "skeleton": [list(edge) for edge in self.skeleton],
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Schema:
        """Reads the JSON form.

        Args:
            data: As `to_json` writes it.

        Raises:
            UsageError: For variables that cannot be.
        """
        return cls(
            data["space"],
            tuple(
                Variable(
                    v["name"],
                    tuple(v["choices"]),
                    v["kind"],
                    tuple(v["place"]),
                    tuple(v.get("roles", ())),
                )
                for v in data["variables"]
            ),
            tuple(data["nodes"]),
            tuple((edge[0], edge[1]) for edge in data["skeleton"]),
        )
