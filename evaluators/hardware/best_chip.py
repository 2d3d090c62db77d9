"""The best chip for given networks, of all chips of a space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import UsageError
from ...spaces import ArchitectureLike, ProductSpace
from ...spaces.accelerator.accelerator import Accelerator
from ..targets import Targets
from .accelerators import AcceleratorEvaluator

__all__ = ["EDP", "BestChip", "best_chip"]

EDP = "edp"
# Chips that are bounded at a time, and that are scheduled at a time.
BOUNDED, SCHEDULED = 4096, 64


@dataclass(frozen=True)
class BestChip:
    """The best chip for given networks.

    Args:
        row: Choice indices of the networks and the chip.
        metrics: What they take together.
        chips: Chips there are.
        scheduled: Those that had to be computed in full.
    """

    row: tuple[int, ...]
    metrics: dict[str, float]
    chips: int
    scheduled: int


def best_chip(
    evaluator: AcceleratorEvaluator,
    architecture: ArchitectureLike,
    targets: Targets | None = None,
    minimize: str = EDP,
) -> BestChip:
    """Finds the best chip for the networks of an architecture, whatever chip it has itself.

    All chips are bounded, those that cannot meet the targets are left out, and the others are
    computed from the lowest bound on, until none that is left can be better. So it is exact, as far
    as schedules of several networks are.

    Args:
        evaluator: Of a product of networks and chips.
        architecture: The networks, with any chip.
        targets: What has to be met, of the evaluator's metrics.
        minimize: One of its metrics; or ``edp``, the product of latency and energy.

    Raises:
        UsageError: Where there is no chip to choose, or none meets the targets.

    Example:
        >>> from vitruvius.spaces import space
        >>> pairs = space("nasbench201:width=4,cells=1 x accelerator:rows=[4,8,16],columns=8")
        >>> told = best_chip(AcceleratorEvaluator(pairs), pairs.example)
        >>> told.chips == pairs.parts["accelerator"].architecture_count
        True
    """
    space = evaluator.space
    chosen = [
        name
        for name, part in (space.parts.items() if isinstance(space, ProductSpace) else ())
        if isinstance(part, Accelerator)
    ]
    if not isinstance(space, ProductSpace) or not chosen:
        raise UsageError(f"{space.name} has no chips to choose of.", "Give a product with some.")
    if minimize not in (EDP, *evaluator.metrics):
        raise UsageError(
            f"{minimize!r} cannot be minimised.", f"Take {', '.join((EDP, *evaluator.metrics))}."
        )
    row = torch.tensor(space.architecture(architecture).indices)
    chips = space.parts[chosen[0]].enumerate()
    x = row.repeat(len(chips), 1)
    x[:, space.columns[chosen[0]]] = chips
    told = [evaluator.bounds(some) for some in x.split(BOUNDED)]
    bounds = {name: torch.cat([each[name] for each in told]) for name in told[0]}
    bound = _value(bounds, minimize)
    for target in targets or ():
        bound = torch.where(bounds[target.metric] > target.high, torch.inf, bound)
    order = bound.nan_to_num(torch.inf).argsort(stable=True)
    order = order[bound[order].isfinite()]
    best, at, done = torch.inf, -1, 0
    for block in order.split(SCHEDULED):
        if not bool((bound[block] < best).any()):
            break
        values = evaluator.values(x[block])
        value = _value(values, minimize)
        if targets:
            value = torch.where(targets.satisfied(values), value, torch.inf)
        value, done = value.nan_to_num(torch.inf), done + len(block)
        if value.min() < best:
            best, at = float(value.min()), int(block[value.argmin()])
    if at < 0:
        said = ", ".join(target.text for target in targets or ())
        raise UsageError(
            f"None of {len(chips):,} chips meets {said or 'what the networks need'}.",
            "Relax it, or give other choices of chips.",
        )
    metrics = {name: float(v[0]) for name, v in evaluator.values(x[at : at + 1]).items()}
    return BestChip(tuple(x[at].tolist()), metrics, len(chips), done)


def _value(told: Mapping[str, Float[Tensor, " B"]], minimize: str) -> Float[Tensor, " B"]:
    if minimize == EDP:
        return told["latency_cycles"] * told["energy_nj"]
    return told[minimize]
