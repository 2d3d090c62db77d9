"""The encoders that ship, by the names that `vitruvius.encoders.encoder` knows them by."""

from __future__ import annotations

from functools import partial

from ..spaces import Space
from .encoder import Encoder
from .features import Counts, OneHot
from .learned import LearnedEncoder
from .path import PathEncoding
from .subset_paths import SubsetPaths
from .weisfeiler_lehman import WeisfeilerLehman

__all__ = [
    "attention",
    "computed_path",
    "counts",
    "depth",
    "gin",
    "neighbours",
    "one_hot",
    "path",
    "subset_paths",
    "transformer",
    "weisfeiler_lehman",
]


def one_hot(space: Space, *, seed: int = 0) -> Encoder:
    """The choices of the canonical form."""
    return OneHot(space)


def path(space: Space, *, seed: int = 0) -> Encoder | None:
    """Words along the paths from input to output, where there is more than one path."""
    paths = PathEncoding(space)
    return paths if paths.branches else None


def computed_path(space: Space, *, seed: int = 0) -> Encoder | None:
    """The same without words that compute nothing, where there are such words."""
    paths = PathEncoding(space, computed=True)
    return paths if paths.branches and paths.shortens else None


def neighbours(space: Space, *, seed: int = 0) -> Encoder:
    """Counts of operations, and of those with what is next to them."""
    return WeisfeilerLehman(space, rounds=1)


def weisfeiler_lehman(space: Space, *, seed: int = 0) -> Encoder:
    """Counts of neighbourhoods, of unit length."""
    return WeisfeilerLehman(space, unit=True)


def counts(space: Space, *, seed: int = 0) -> Encoder | None:
    """Logarithms of all counts but the depth, where the space has any."""
    names = _counted(space) - {"depth"}
    return Counts(space, names) if names else None


def depth(space: Space, *, seed: int = 0) -> Encoder | None:
    """Logarithm of the depth, where the space counts it."""
    names = _counted(space) & {"depth"}
    return Counts(space, names) if names else None


def subset_paths(space: Space, *, seed: int = 0) -> Encoder | None:
    """Paths and degrees of every set of operations, where there is more than one path."""
    subsets = SubsetPaths(space)
    return subsets if subsets.flow.branches else None


def _learned(network: str, space: Space, *, seed: int = 0) -> Encoder:
    return LearnedEncoder(space, network, seed=seed)


gin = partial(_learned, "gin")
attention = partial(_learned, "attention")
transformer = partial(_learned, "transformer")


def _counted(space: Space) -> set[str]:
    return set(space.statistics(space.sample(1, 0)))
