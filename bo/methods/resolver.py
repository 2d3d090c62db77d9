"""From a name to a search method: the ones that ship, and outside packages by entry point."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

import yaml

from ...errors import UnknownNameError, UsageError
from ..method import Method
from .bananas import Bananas
from .boosting import BoostingSearch
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
    name, _, written = name.partition(":")
    options = {**_read(name, written), **options}
    factory = _factory(name)
    known = inspect.signature(factory).parameters
    for option in options:
        if option not in known:
            raise UnknownNameError.of(f"option of {name}", option, known)
    return factory(**options)


def _read(name: str, written: str) -> dict[str, Any]:
    """Reads ``key=value,key=value``; numbers, true and false are what they look like."""
    options = {}
    for option in filter(None, (part.strip() for part in re.split("[,;]", written))):
        key, separator, value = option.partition("=")
        if not separator:
            raise UsageError(
                f"{option!r} is not an option of the method {name!r}.",
                f"Options follow a colon, e.g. {name}:key=value,key=value.",
            )
        options[key.strip()] = yaml.safe_load(value)
    return options


def _factory(name: str) -> Callable[..., Method]:
    if name == BAYESIAN:
        # Brings surrogates, acquisition and generators with it.
        from ..bayesian import BayesianOptimization

        return BayesianOptimization
    for kind in _SHIPPED:
        if kind.name == name:
            return kind
    for point in entry_points(group=ENTRY_POINT_GROUP, name=name):
        found: Callable[..., Method] = point.load()
        return found
    raise UnknownNameError.of("method", name, names())
