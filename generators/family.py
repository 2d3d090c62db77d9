"""Family: what a kind of generator offers to be found by name or by folder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol, runtime_checkable

from ..spaces import Space
from .generator import Generator

__all__ = ["SavedFamily", "UntrainedFamily"]


@runtime_checkable
class UntrainedFamily(Protocol):
    """A class of generators that are made for a space, by name."""

    @property
    def for_space(self) -> Callable[[Space], Generator]:
        """Makes the generator of a space."""


@runtime_checkable
class SavedFamily(Protocol):
    """A class of generators that are trained, saved in a folder and loaded from it."""

    @property
    def saved_in(self) -> Callable[[str | Path], bool]:
        """Tells whether a folder says that it holds one; reads no weights and raises nothing."""

    @property
    def from_pretrained(self) -> Callable[[str | Path], Generator]:
        """Loads the generator of a folder."""
