"""From a name to a search method: the ones that ship, and outside packages by entry point."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from ...core.errors import UnknownNameError
from ...core.options import check_options, split_options
from ..method import Method
from .bananas import Bananas
from .boosting import BoostingSearch
from .design import Design
from .evolution import RegularizedEvolution
from .gp_wl import WeisfeilerLehmanSearch
from .local_search import LocalSearch
from .nao import NAOSearch
from .nsga2 import NSGA2
from .random import RandomSearch

__all__ = ["ENTRY_POINT_GROUP", "method", "names"]

ENTRY_POINT_GROUP = "vitruvius.methods"

BAYESIAN = "bo"
_SHIPPED = (
    RandomSearch,
    Design,
    LocalSearch,
    RegularizedEvolution,
    NSGA2,
    Bananas,
    BoostingSearch,
    WeisfeilerLehmanSearch,
    NAOSearch,
)


def names() -> list[str]:
    """Lists the names `method` knows: those that ship and those of installed packages.

    Example:
        >>> names()[:2]
        ['bananas', 'bo']
    """
    plugged = (point.name for point in entry_points(group=ENTRY_POINT_GROUP))
    return sorted({BAYESIAN, *(kind.name for kind in _SHIPPED), *plugged})


def method(name: str, **options: Any) -> Method:
    """Returns a search method by name.

    Args:
        name: One of `names`; options may follow, as in ``"evolution:population=20,tournament=5"``.
        **options: Arguments of its constructor.

    Raises:
        UnknownNameError: Where there is no such method, or it has no such option.
        UsageError: Where the options after the name cannot be read.

    Example:
        >>> method("evolution", population=20).name
        'evolution'
        >>> method("bo:acquisition=ucb,pool=500").pool
        500
    """
    name, written = split_options(name)
    factory = _factory(name)
    options = {**written, **options}
    check_options(name, options, factory)
    return factory(**options)


def _factory(name: str) -> Callable[..., Method]:
    if name == BAYESIAN:
        # Brings surrogates, acquisition and generators with it.
        from .bayesian import BayesianOptimization

        return BayesianOptimization
    for kind in _SHIPPED:
        if kind.name == name:
            return kind
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        found: Callable[..., Method] = point.load()
        return found
    raise UnknownNameError.of("method", name, names())
