"""Local search on the acquisition value: from candidates to better ones near them."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ....core.distinct import first_of_each
from .source import Asked

__all__ = ["climb"]


def climb(
    asked: Asked,
    x: Int[Tensor, "B V"],
    value: Float[Tensor, " B"],
    starts: Int[Tensor, " S"],
    most: int,
) -> tuple[Int[Tensor, "K V"], Float[Tensor, " K"], Int[Tensor, " K"]]:
    """Moves from every start to its best neighbour, all in one batch, until none is better.

    Climbers that meet go on as one. What was already valued is not valued again.

    Args:
        asked: What says what neighbours are worth.
        x: Candidates, distinct and in canonical form.
        value: Their log-values.
        starts: Numbers of the candidates to start from.
        most: Neighbours that are valued before no further step is taken.

    Returns:
        All neighbours that were valued, their log-values, and the number of the start that each was
        first reached from.
    """
    space, count = asked.space, len(x)
    owner = torch.full((count,), -1)
    owner[starts] = starts
    hashes, current = space.hashes(x), starts
    while len(current) and len(x) - count < most:
        rows, owners = space.neighbourhoods(x[current])
        origin = current[owners]
        keys = space.hashes(rows)
        found = _first(keys, hashes)
        new = rows[found]
        allowed = asked.history.problem.possible(new)
        found, new = found[allowed], new[allowed]
        if len(new):
            hashes = torch.cat([hashes, keys[found]])
            owner = torch.cat([owner, owner[origin[found]]])
            value = torch.cat([value, asked.value(new).double()])
            x = torch.cat([x, new])
        order = hashes.argsort(stable=True)
        at = torch.searchsorted(hashes[order], keys).clamp(max=len(order) - 1)
        known = order[at]
        there = hashes[known] == keys
        worth = torch.where(there, value[known], -torch.inf)
        moved = []
        for number in current.tolist():
            mine = origin == number
            if bool(mine.any()) and float(worth[mine].max()) > float(value[number]):
                moved.append(int(known[mine][worth[mine].argmax()]))
        current = torch.tensor(sorted(set(moved)), dtype=torch.long)
    return x[count:], value[count:], owner[count:]


def _first(keys: Int[Tensor, " N"], known: Int[Tensor, " K"]) -> Int[Tensor, " F"]:
    """Numbers of the keys that are not known, each once, in order."""
    kinds, first = first_of_each(keys)
    return first[~torch.isin(kinds, known)].sort().values
