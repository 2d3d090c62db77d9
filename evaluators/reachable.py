"""Whether targets on what can be counted lie within a space."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from jaxtyping import Float
from torch import Tensor

from ..core.errors import TargetError
from ..spaces import Space
from .targets import Target, Targets

__all__ = ["check_reachable"]

Exact = Callable[[Tensor], Mapping[str, Tensor]]


def check_reachable(space: Space, targets: Targets, exact: Exact) -> None:
    """Refuses a target on a counted metric that lies beyond the whole space.

    In a large space the ends are found by coordinate descent from the best of some draws; they are
    the true ends where the metric is monotone in every variable.

    Args:
        space: The space.
        targets: On metrics that ``exact`` counts.
        exact: Counts metrics of ``[B, V]`` choice indices.

    Raises:
        TargetError: For the first target that nothing in the space can meet.

    Example:
        >>> from vitruvius.evaluators.targets import exact_metrics, parse_targets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> targets = parse_targets("params<=10", exact_metrics(cells))
        >>> check_reachable(cells, targets, cells.statistics)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
            ...
        vitruvius.core.errors.TargetError: 'params<=10' cannot be met: ...
    """
    for target in targets:
        for sign, beyond in ((1.0, target.high), (-1.0, target.low)):
            best = _extreme(space, exact, target, sign)
            if sign * best > sign * beyond:
                side = "smallest" if sign > 0 else "largest"
                raise TargetError(
                    f"{target.text!r} cannot be met: the {side} {target.metric} in {space.name} is "
                    f"{best:.6g}.",
                    "Choose a bound within the space.",
                )


def _extreme(space: Space, exact: Exact, target: Target, sign: float) -> float:
    def measure(x: Tensor) -> Float[Tensor, " B"]:
        return sign * exact(x)[target.metric]

    if space.enumerable:
        return sign * float(measure(space.enumerate()).min())
    x = space.sample(2048, 0)
    row = x[measure(x).argmin()]
    best = float(measure(row[None]))
    while True:
        around = space.neighbours(row)
        values = measure(around)
        if float(values.min()) >= best:
            return sign * best
        best, row = float(values.min()), around[values.argmin()]
