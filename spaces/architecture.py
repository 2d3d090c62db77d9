"""Architecture: one point of a space."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Architecture"]


@dataclass(frozen=True)
class Architecture:
    """One point of a space, immutable and hashable; made by `Space.architecture`.

    Two architectures are equal where their canonical forms are: isomorphic duplicates are one
    architecture.

    Args:
        space: Name of the space.
        indices: One choice index per variable, as given.
        string: The space's native string of ``indices``.
        canonical: Choice indices of the canonical form; decides equality.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> a = cells.architecture(cells.sample(1, 0)[0])
        >>> cells.architecture(str(a)) == a
        True
    """

    space: str
    indices: tuple[int, ...] = field(compare=False, repr=False)
    string: str = field(compare=False)
    canonical: tuple[int, ...] = field(repr=False)

    def __str__(self) -> str:
        return self.string

    def to_json(self) -> dict[str, str]:
        """Returns ``{"space", "architecture"}``, which `vitruvius.spaces.from_json` reads back."""
        return {"space": self.space, "architecture": self.string}
