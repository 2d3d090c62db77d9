"""Architecture: one point of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from ..core.errors import UnknownNameError
from .variable import Choice, Variable

__all__ = ["Architecture"]


@dataclass(frozen=True)
class Architecture:
    """One point of a space, immutable and hashable; made by `Space.architecture`.

    Two architectures are equal where their canonical forms are: isomorphic duplicates are one
    architecture. Its choices are had by the names of the variables, as they were given: equal
    architectures may be written with different ones.

    Args:
        space: Name of the space.
        indices: One choice index per variable, as given.
        string: The space's native string of ``indices``.
        canonical: Choice indices of the canonical form; decides equality.
        variables: What the indices are choices of.

    Raises:
        UnknownNameError: On the look-up of a name that no variable has.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> a = cells.architecture(cells.sample(1, 0)[0])
        >>> cells.architecture(str(a)) == a
        True
        >>> net = space("mobilenetv3").architecture(space("mobilenetv3").example)
        >>> net["depth_1"] in (2, 3, 4), net["kernel_1_1"] in ("3", "5", "7")
        (True, True)
    """

    space: str
    indices: tuple[int, ...] = field(compare=False, repr=False)
    string: str = field(compare=False)
    canonical: tuple[int, ...] = field(repr=False)
    variables: tuple[Variable, ...] = field(compare=False, repr=False)

    def __str__(self) -> str:
        return self.string

    def __getitem__(self, name: str) -> Choice:
        if name not in self.choices:
            raise UnknownNameError.of(f"variable of {self.space}", str(name), self.choices)
        return self.choices[name]

    @property
    def choices(self) -> Mapping[str, Choice]:
        """The choice of every variable by its name, as `Variable.value` gives it."""
        pairs = zip(self.variables, self.indices, strict=True)
        return MappingProxyType({variable.name: variable.value(index) for variable, index in pairs})

    def to_json(self) -> dict[str, str]:
        """Returns ``{"space", "architecture"}``, which `vitruvius.spaces.from_json` reads back."""
        return {"space": self.space, "architecture": self.string}
