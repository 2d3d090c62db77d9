"""From a name to one of Optuna's pruners, which stop evaluations that fall behind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core.errors import UnknownNameError
from ..core.options import check_options, split_options

if TYPE_CHECKING:
    from optuna.pruners import BasePruner

__all__ = ["NONE", "PRUNERS", "pruner"]

NONE = "none"
# Optuna's classes, which are imported when one is asked for.
PRUNERS = {
    NONE: "NopPruner",
    "asha": "SuccessiveHalvingPruner",
    "hyperband": "HyperbandPruner",
    "median": "MedianPruner",
}


def pruner(text: str) -> BasePruner:
    """Returns a pruner by name.

    Args:
        text: ``none``; ``asha``, asynchronous successive halving (arXiv 1810.05934);
            ``hyperband`` (arXiv 1603.06560), several of these; or ``median``, which stops what is
            below the median of the others at the same step. Options of Optuna's class may follow,
            as in ``"asha:min_resource=2,reduction_factor=3"``.

    Raises:
        UnknownNameError: For another name, or an option that it does not have.
        UsageError: For options that cannot be read.

    Example:
        >>> type(pruner("asha:min_resource=2")).__name__
        'SuccessiveHalvingPruner'
    """
    name, options = split_options(text)
    if name not in PRUNERS:
        raise UnknownNameError.of("pruner", name, PRUNERS)
    from optuna import pruners

    kind: type[BasePruner] = getattr(pruners, PRUNERS[name])
    check_options(name, options, kind)
    return kind(**options)
