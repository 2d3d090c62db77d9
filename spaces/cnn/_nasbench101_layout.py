"""Slots and edges of NAS-Bench-101's cells, and what lies on a path from input to output."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

SLOTS, INNER, LAST = 7, 5, 6
EDGES = tuple(itertools.combinations(range(SLOTS), 2))
MAX_EDGES = 9
FIRST_ENDS = [i for i, _ in EDGES]
SECOND_ENDS = [j for _, j in EDGES]


def adjacency(edges: Bool[Tensor, "B 21"]) -> Bool[Tensor, "B 7 7"]:
    """Spreads the edges over the upper triangle of a matrix."""
    links = torch.zeros(len(edges), SLOTS, SLOTS, dtype=torch.bool)
    links[:, FIRST_ENDS, SECOND_ENDS] = edges
    return links


def prune(
    operations: Int[Tensor, "B 5"], edges: Bool[Tensor, "B 21"]
) -> tuple[Int[Tensor, "B 5"], Bool[Tensor, "B 21"]]:
    """Removes nodes that lie on no path from input to output, and their edges."""
    links = adjacency(edges)
    there = nn.functional.pad(operations != 0, (1, 1), value=True)
    links &= there[:, :, None] & there[:, None, :]
    ahead = torch.zeros(len(edges), SLOTS, dtype=torch.bool)
    back = ahead.clone()
    ahead[:, 0] = back[:, LAST] = True
    for node in range(1, SLOTS):
        ahead[:, node] = (ahead[:, :node] & links[:, :node, node]).any(1)
        other = LAST - node
        back[:, other] = (back[:, other + 1 :] & links[:, other, other + 1 :]).any(1)
    kept = ahead & back
    links &= kept[:, :, None] & kept[:, None, :]
    return operations * kept[:, 1:LAST], links[:, FIRST_ENDS, SECOND_ENDS]
