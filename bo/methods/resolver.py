"""From a name to a search method: the ones that ship, and outside packages by entry point."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ...core.options import check_options, split_options
from ...core.registry import Registry

if TYPE_CHECKING:
    from ..method import Method

__all__ = ["METHODS", "initial_of", "method", "names"]

# Random architectures before a method decides that does not say how many.
INITIAL = 5

METHODS = Registry(
    "method",
    "vitruvius.methods",
    {
        "bo": "bo.methods.bayesian:BayesianOptimization",
        "random": "bo.methods.random:RandomSearch",
        "local-search": "bo.methods.local_search:LocalSearch",
        "evolution": "bo.methods.evolution:RegularizedEvolution",
        "nsga2": "bo.methods.nsga2:NSGA2",
        "eagan": "bo.methods.eagan:EAGAN",
        "bananas": "bo.methods.bananas:Bananas",
        "boosting": "bo.methods.boosting:BoostingSearch",
        "gp-wl": "bo.methods.gp_wl:WeisfeilerLehmanSearch",
        "nao": "bo.methods.nao:NAOSearch",
        "robot": "bo.methods.robot:RoBoT",
        "ctnas": "bo.methods.ctnas:CTNAS",
        "pruned-space": "bo.methods.pruned_space:PrunedSpace",
        "design": "bo.methods.design:Design",
    },
)


def names() -> list[str]:
    """Lists the names `method` knows: those that ship and those of installed packages.

    Example:
        >>> names()[:2]
        ['bananas', 'bo']
    """
    return sorted(METHODS.names())


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
    factory: Callable[..., Method] = METHODS.get(name)
    options = {**written, **options}
    check_options(name, options, factory)
    return factory(**options)


def initial_of(method: str | Method) -> int:
    """Returns how many random architectures are evaluated before a method decides.

    Args:
        method: A method, or text as for `method`.
    """
    found = METHODS.get(split_options(method)[0]) if isinstance(method, str) else method
    return int(getattr(found, "initial", INITIAL))
