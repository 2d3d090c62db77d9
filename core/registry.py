"""Registry: from a name to the class that goes by it, of what ships and of installed packages."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from .errors import UnknownNameError

__all__ = ["Registry"]

PACKAGE = __name__.partition(".")[0]


class Registry:
    """The named members of one family; a member is imported when it is asked for.

    A package adds a member by an entry point: a name, and the object that goes by it. What ships
    comes first, so that no package can take its place.

    Args:
        kind: What a member is called in errors, e.g. ``"space"``.
        group: Group of the entry points.
        shipped: Where each member that ships is, as ``module:attribute`` within this package.

    Example:
        >>> spaces = Registry("space", "vitruvius.spaces", {"toy": "spaces.space:Space"})
        >>> spaces.names()[:1], spaces.get("toy").__name__
        (['toy'], 'Space')
    """

    def __init__(self, kind: str, group: str, shipped: Mapping[str, str]) -> None:
        self.kind, self.group, self.shipped = kind, group, shipped

    def names(self) -> list[str]:
        """Lists the names there are: those that ship in their order, then those of packages."""
        return [*self.shipped, *sorted(set(self._plugged) - set(self.shipped))]

    def __contains__(self, name: str) -> bool:
        return name in self.shipped or name in self._plugged

    def get(self, name: str, hint: str = "") -> Any:
        """Imports the member of that name.

        Args:
            name: One of `names`.
            hint: What else could have been given, for the error.

        Raises:
            UnknownNameError: For another name.
        """
        if name in self.shipped:
            module, _, attribute = self.shipped[name].partition(":")
            return getattr(import_module(f"{PACKAGE}.{module}"), attribute)
        if name in self._plugged:
            return self._plugged[name].load()
        raise UnknownNameError.of(self.kind, name, self.names(), hint)

    @cached_property
    def _plugged(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=self.group)}
