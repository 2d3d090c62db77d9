"""Targets on what can be counted: whether a space reaches them, and architectures that do."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..core.errors import TargetError
from ..core.seeding import Seed, make_generator
from ..spaces import Space
from .targets import Target, Targets

__all__ = ["check_reachable", "descend"]

Exact = Callable[[Tensor], Mapping[str, Tensor]]

# Draws a round and rounds of descents; steps of a descent that lessen nothing, and random steps
# inside the targets after it has got there.
STARTS, ROUNDS, LEVEL, WALK = 16, 8, 8, 8


def check_reachable(
    space: Space, targets: Targets, exact: Exact, rows: Int[Tensor, "R V"] | None = None
) -> None:
    """Refuses a target on a counted metric that lies beyond the whole space.

    In a large space the ends are found by coordinate descent from the best of some draws; they are
    the true ends where the metric is monotone in every variable.

    Args:
        space: The space.
        targets: On metrics that ``exact`` counts.
        exact: Counts metrics of ``[B, V]`` choice indices.
        rows: All there is to choose from, where that is less than the space.

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
            best = _extreme(space, exact, target, sign, rows)
            if sign * best > sign * beyond:
                side = "smallest" if sign > 0 else "largest"
                where = space.name if rows is None else f"the {len(rows):,} rows there are"
                raise TargetError(
                    f"{target.text!r} cannot be met: the {side} {target.metric} in {where} is "
                    f"{best:.6g}.",
                    "Choose a bound within that.",
                )


def descend(
    space: Space, targets: Targets, exact: Exact, n: int, seed: Seed = None
) -> Int[Tensor, "B V"]:
    """Finds architectures that meet counted targets which draws hardly ever meet.

    From uniform draws the one changed variable is taken that lessens the violation most, or
    leaves it for a few steps; what meets the targets then takes some random steps inside.

    Args:
        space: The space.
        targets: On metrics that ``exact`` counts.
        exact: Counts metrics of ``[B, V]`` choice indices.
        n: How many are wanted.
        seed: Of the draws.

    Returns:
        Distinct canonical rows: ``n``, or fewer where no more were found.

    Example:
        >>> from vitruvius.evaluators.targets import exact_metrics, parse_targets
        >>> from vitruvius.spaces import space
        >>> nets = space("mobilenetv3")
        >>> targets = parse_targets("params<=4.0M", exact_metrics(nets))
        >>> drawn = nets.sample(1000, 0)
        >>> int(targets.satisfied(nets.statistics(drawn)).sum())
        0
        >>> targets.satisfied(nets.statistics(descend(nets, targets, nets.statistics, 3, 0)))
        tensor([True, True, True])
    """
    generator = make_generator(seed)
    found = space.sample(0, generator)
    for _ in range(ROUNDS):
        if len(found) >= n:
            break
        ends = [
            _walk(space, targets, exact, row, generator)
            for start in space.sample(STARTS, generator)
            if (row := _lessen(space, targets, exact, start, generator)) is not None
        ]
        if not ends:
            break
        found = torch.cat([found, *ends])
        found = found[first_of_each(space.hashes(found))[1].sort().values]
    return found[:n]


def _lessen(
    space: Space,
    targets: Targets,
    exact: Exact,
    row: Int[Tensor, " V"],
    generator: torch.Generator,
) -> Int[Tensor, " V"] | None:
    """Where steepest descent of the violation ends; None where that is not within the targets."""
    violation, level = float(targets.violation(exact(row[None]))), 0
    while violation > 0:
        around = space.neighbours(row)
        values = targets.violation(exact(around))
        least = float(values.min())
        level = level + 1 if least >= violation else 0
        if least > violation or level > LEVEL:
            return None
        best = (values == least).nonzero()[:, 0]
        row = around[best[torch.randint(len(best), (1,), generator=generator)]][0]
        violation = least
    return row


def _walk(
    space: Space,
    targets: Targets,
    exact: Exact,
    row: Int[Tensor, " V"],
    generator: torch.Generator,
) -> Int[Tensor, "S V"]:
    """The row and those on a random walk from it that keeps to the targets, last first."""
    path = [row]
    for _ in range(WALK):
        around = space.neighbours(path[-1])
        inside = around[targets.satisfied(exact(around))]
        if not len(inside):
            break
        path.append(inside[int(torch.randint(len(inside), (1,), generator=generator))])
    return torch.stack(path[::-1])


def _extreme(
    space: Space, exact: Exact, target: Target, sign: float, rows: Int[Tensor, "R V"] | None
) -> float:
    def measure(x: Tensor) -> Float[Tensor, " B"]:
        return sign * exact(x)[target.metric]

    if rows is not None:
        return sign * float(measure(rows).min())
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
