"""Pool: distinct proposals, gathered until enough of them meet a goal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..core.errors import UsageError
from ..core.seeding import derive_seed, make_generator
from ..evaluators.reachable import descend
from ..predictors.goal import Goal
from ..spaces import Space
from .generator import Generator
from .guidance import Guidance
from .refining import refined

__all__ = ["Pool", "gather"]

AT_ONCE = 256
# Where targets are predicted, this many proposals are made per wanted architecture, within these
# bounds, and the likeliest kept.
RANKED, RANKED_LOW, RANKED_HIGH = 40, 1024, 6144
# Of these, where others can be counted and hardly any meet them, the best are improved.
SCARCE = 1024
# Where they can be counted, more are made, `AT_ONCE` or more at a time, until enough meet them or
# this many were tried.
TRIED, TRIED_LOW = 100, 10_240


@dataclass(frozen=True)
class Pool:
    """Distinct proposals, best first, and what they were distilled from.

    Args:
        x: Architectures, ``[P, V]``: those that meet the exact targets first, by falling value.
        proposals: Number of raw proposals.
        valid: How many of them were architectures of the space.
        unique: How many distinct ones.
        feasible: How many met the exact targets.
    """

    x: Int[Tensor, "P V"]
    proposals: int
    valid: int
    unique: int
    feasible: int


def gather(
    goal: Goal,
    source: Generator,
    guidance: Guidance,
    n: int,
    *,
    exclude: Int[Tensor, "K V"],
    steps: int = 16,
    batch_size: int | None = None,
    seed: int = 0,
) -> Pool:
    """Lets a generator propose and sorts out what is worth returning.

    Where nothing that it proposes meets the counted targets, descents look for what does. Where
    few meet them and others are predicted, see `vitruvius.generators.refining`.

    Args:
        goal: What is asked for.
        source: The generator.
        guidance: What steers it.
        n: How many distinct architectures are wanted.
        exclude: Architectures not to return, such as the labelled ones.
        steps: Reverse steps.
        batch_size: Proposals computed together; by default as suits the generator's device.
        seed: Seed of the proposals.

    Raises:
        UsageError: For ``n``, ``steps`` or ``batch_size`` below 1, guidance that the generator
            does not take, or where nothing but what is excluded was proposed.
        UnknownNameError: For a generator that was not trained on the space.

    Example:
        >>> from vitruvius.evaluators import Targets
        >>> from vitruvius.generators import Uniform
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> goal = Goal(cells, Targets(), cells.statistics, {})
        >>> pool = gather(goal, Uniform(), Guidance(), 4, exclude=cells.sample(0, 0))
        >>> pool.proposals, pool.valid, len(pool.x) == pool.unique
        (16, 16, True)
    """
    space = goal.space
    generator = make_generator(derive_seed(seed, "proposals"))
    if goal.predictors:
        sizes = [min(max(RANKED * n, RANKED_LOW), max(RANKED_HIGH, 2 * n))]
    else:
        tries = max(TRIED * n, TRIED_LOW)
        sizes = [max(n, 16)] + [max(n // 4, AT_ONCE)] * (tries // max(n // 4, AT_ONCE))
    known = _Distinct.none(space, space.hashes(exclude))
    made = valid = met = 0
    hashes: list[Tensor] = []
    for size in sizes:
        proposals = source.propose(
            space, size, guidance=guidance, steps=steps, batch_size=batch_size, seed=generator
        )
        x = proposals.x[proposals.valid]
        feasible = goal.feasible(x)
        made, valid, met = made + len(proposals.x), valid + len(x), met + int(feasible.sum())
        hashes.append(space.hashes(x))
        known = known.add(x, hashes[-1], feasible)
        enough = int(known.feasible.sum()) >= n
        if enough or len(known.x) + len(exclude) >= space.architecture_count:
            break
    if goal.exact_targets and not bool(known.feasible.any()):
        x = descend(space, goal.exact_targets, goal.exact, n + len(exclude), generator)
        known = known.add(x, space.hashes(x), goal.feasible(x))
    scarce = int(known.feasible.sum()) < SCARCE and len(known.x) < space.architecture_count
    if goal.predictors and goal.exact_targets and scarce and len(known.x):
        x = refined(goal, known.x, n, generator)
        known = known.add(x, space.hashes(x), goal.feasible(x))
    if not len(known.x):
        raise UsageError(
            f"Of {made:,} proposals {valid:,} are architectures, and all of these are labelled "
            "already: none is left to return.",
            "Spend fewer labels; what is labelled is never returned.",
        )
    value = goal.log_value(known.x) if goal.targets else torch.zeros(len(known.x)).double()
    order = torch.where(known.feasible, value, value - 1e9).argsort(descending=True, stable=True)
    return Pool(known.x[order], made, valid, len(torch.cat(hashes).unique()), met)


@dataclass(frozen=True)
class _Distinct:
    """Architectures once each by canonical form, first come first kept."""

    x: Int[Tensor, "D V"]
    hashes: Int[Tensor, " D"]
    feasible: Bool[Tensor, " D"]
    excluded: Int[Tensor, " K"]

    @classmethod
    def none(cls, space: Space, excluded: Int[Tensor, " K"]) -> _Distinct:
        empty = torch.zeros(0, dtype=torch.long)
        return cls(empty.new_zeros(0, len(space.variables)), empty, empty.bool(), excluded)

    def add(
        self, x: Int[Tensor, "B V"], hashes: Int[Tensor, " B"], feasible: Bool[Tensor, " B"]
    ) -> _Distinct:
        x = torch.cat([self.x, x])
        hashes, feasible = torch.cat([self.hashes, hashes]), torch.cat([self.feasible, feasible])
        kinds, first = first_of_each(hashes)
        keep = first[~torch.isin(kinds, self.excluded)].sort().values
        return _Distinct(x[keep], hashes[keep], feasible[keep], self.excluded)
