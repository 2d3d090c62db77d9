"""Mutations of the best so far."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from ....core.seeding import make_generator
from ...draws import possible_neighbours
from .source import Asked

__all__ = ["Mutation"]


class Mutation:
    """Changes one variable of the incumbents, then two; half of the candidates each."""

    def __call__(self, asked: Asked, n: int, seed: int) -> Int[Tensor, "B V"]:
        space, problem, best = asked.space, asked.history.problem, asked.incumbents
        near, _ = space.neighbourhoods(best)
        if not bool(problem.possible(near).any()):
            return torch.cat([possible_neighbours(problem, row) for row in best])[:n]
        chance = make_generator(seed)
        near = near[torch.randperm(len(near), generator=chance)]
        parents = near[: max(1, n // max(len(near) // len(best), 1))]
        far, _ = space.neighbourhoods(parents)
        far = far[torch.randperm(len(far), generator=chance)]
        return torch.cat([near[: n // 2], far[: n - n // 2]])
