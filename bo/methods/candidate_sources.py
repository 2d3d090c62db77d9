"""Where candidates come from in spaces too large to score whole."""

from __future__ import annotations

from collections.abc import Callable, Collection

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.distinct import first_of_each
from ...core.errors import UnknownNameError
from ...core.seeding import derive_seed, make_generator
from ...generators.generator import Generator
from ...generators.guidance import Guidance, Resampling
from ..draws import possible_neighbours
from ..ranking import rank
from ..trial import History
from .neighbourhood import fresh_draws

__all__ = ["SOURCES", "propose_candidates"]

SOURCES = ("diffusion", "mutation", "uniform")
# Incumbents that mutations start from; their neighbours' neighbours are drawn at random.
PARENTS = 10
# Proposals of the generator a round, its reverse steps, and how often survivors are regenerated.
PROPOSALS, STEPS, ROUNDS = 256, 8, 3

Value = Callable[[Int[Tensor, "B V"]], Float[Tensor, " B"]]


def propose_candidates(
    history: History,
    value: Value,
    generator: Generator,
    sources: Collection[str],
    n: int,
    seed: int,
) -> tuple[Int[Tensor, "C V"], list[str]]:
    """Gathers architectures that are possible and were never proposed.

    ``diffusion`` lets the generator propose, its particles resampled by the acquisition value
    while they form; ``mutation`` changes one variable, then two, of the best so far; ``uniform``
    draws.

    Args:
        history: All trials so far.
        value: Log-acquisition of valid choice indices.
        generator: Of the space.
        sources: Some of `SOURCES`.
        n: Most candidates of each source.
        seed: Of all draws.

    Returns:
        Choice indices, and the source of each; what two sources found is the first one's.

    Raises:
        UnknownNameError: For another source.
    """
    made = {
        "diffusion": lambda s: _generate(history, value, generator, n, s),
        "mutation": lambda s: _mutate(history, n, s),
        "uniform": lambda s: fresh_draws(history, n, s),
    }
    blocks, labels = [history.problem.space.sample(0, 0)], []
    for source in sources:
        if source not in made:
            raise UnknownNameError.of("source of candidates", source, SOURCES)
        rows = history.fresh(made[source](derive_seed(seed, source)))[:n]
        blocks.append(rows)
        labels += [source] * len(rows)
    x = torch.cat(blocks)
    keep = first_of_each(history.problem.space.hashes(x))[1].sort().values
    return x[keep], [labels[i] for i in keep.tolist()]


def _generate(
    history: History, value: Value, generator: Generator, n: int, seed: int
) -> Int[Tensor, "B V"]:
    space = history.problem.space

    def worth(x: Tensor) -> Tensor:
        total = torch.full((len(x),), -torch.inf, dtype=torch.float64)
        there = space.is_valid(x)
        there[there.clone()] = history.problem.possible(x[there])
        if there.any():
            total[there] = value(x[there])
        return total

    steered = Resampling(worth, rounds=ROUNDS)
    guidance = Guidance(resampling=steered) if generator.guidable else None
    proposals = generator.propose(
        space, min(n, PROPOSALS), guidance=guidance, steps=STEPS, seed=seed
    )
    return proposals.x[proposals.valid]


def _mutate(history: History, n: int, seed: int) -> Int[Tensor, "B V"]:
    space = history.problem.space
    best = history.x[rank(history).argsort(stable=True)[:PARENTS]]
    near = torch.cat([space.neighbours(row) for row in best])
    if not bool(history.problem.possible(near).any()):
        return torch.cat([possible_neighbours(history.problem, row) for row in best])[:n]
    chance = make_generator(seed)
    near = near[torch.randperm(len(near), generator=chance)]
    parents = near[: max(1, n // max(len(near) // len(best), 1))]
    far = torch.cat([space.neighbours(row) for row in parents])
    far = far[torch.randperm(len(far), generator=chance)]
    return torch.cat([near[: n // 2], far[: n - n // 2]])
