"""Constraint-aware decoding for NAS-Bench-101: which choices can still end in a valid cell."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ._nasbench101_layout import EDGES, FIRST_ENDS, INNER, LAST, MAX_EDGES, SECOND_ENDS

# Numbers of present inner nodes a cell may have.
SIZES = torch.arange(INNER + 1)
# Whether an inner node 1..5 is there, by size, and so for the nodes 0..5 that need an edge out
# and the nodes 1..6 that need an edge in.
_INNER = torch.arange(1, LAST) <= SIZES[:, None]
_EVER = torch.ones(INNER + 1, 1, dtype=torch.bool)
SENDERS, RECEIVERS = torch.cat([_EVER, _INNER], 1), torch.cat([_INNER, _EVER], 1)
ALIVE = SENDERS[:, FIRST_ENDS] & RECEIVERS[:, [j - 1 for j in SECOND_ENDS]]
# Incidence of edges with the nodes they leave and the nodes they enter.
LEAVES = torch.nn.functional.one_hot(torch.tensor(FIRST_ENDS), LAST).float()
ENTERS = torch.nn.functional.one_hot(torch.tensor(SECOND_ENDS) - 1, LAST).float()
# Smallest number of inner nodes of a cell that has the edge.
NEEDED = torch.tensor([max(i, j % LAST) for i, j in EDGES])


def _subsets(keep: list[bool]) -> int:
    """A set of subsets of six nodes as 64 bits (in two's complement)."""
    bits = sum(1 << subset for subset, kept in enumerate(keep) if kept)
    return bits - (1 << 64) if bits >> 63 else bits


WITHOUT = [_subsets([not subset >> j & 1 for subset in range(64)]) for j in range(LAST)]
OF_SIZE = [_subsets([subset.bit_count() == n for subset in range(64)]) for n in range(LAST + 1)]


def allowed_choices(x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V 4"]:
    """Tells which choices can still end in a cell without dangling nodes, exactly.

    For each number of present nodes: the edges that are known, plus the fewest unknown ones that
    give every present node an edge in and an edge out, must not exceed nine. An edge serves the
    node it leaves and the node it enters, so the fewest are the open needs less a maximum
    matching between them. Switching one unknown edge changes that number by at most one, hence
    only cells at the limit of nine are searched edge by edge.
    """
    is_op, is_edge = known[:, :INNER], known[:, INNER:]
    there, gone = is_op & (x[:, :INNER] != 0), is_op & (x[:, :INNER] == 0)
    on, unknown = is_edge & (x[:, INNER:] == 1), ~is_edge
    node = torch.arange(1, LAST)
    least = torch.maximum((there * node).amax(1), (on * NEEDED).amax(1))
    most = torch.where(gone, node - 1, INNER).amin(1)
    possible = (SIZES >= least[:, None]) & (SIZES <= most[:, None])

    free = unknown[:, None] & ALIVE
    sends = SENDERS & ~(on.float() @ LEAVES > 0)[:, None]
    receives = RECEIVERS & ~(on.float() @ ENTERS > 0)[:, None]
    ways_out, ways_in = free.float() @ LEAVES, free.float() @ ENTERS
    possible &= ~((sends & (ways_out == 0)).any(2) | (receives & (ways_in == 0)).any(2))
    spare = MAX_EDGES - on.sum(1)[:, None] - sends.sum(2) - receives.sum(2)
    rows, sizes = possible.nonzero(as_tuple=True)
    picked = (rows, sizes)
    spare[picked] += matching(sends[picked], receives[picked], free[picked])
    possible &= spare >= 0

    # An edge may be off unless it is the last way to meet a need.
    last_way = (sends & (ways_out == 1))[..., FIRST_ENDS]
    last_way |= (receives & (ways_in == 1))[..., [j - 1 for j in SECOND_ENDS]]
    turn_on = possible[..., None] & free
    turn_off = possible[..., None] & ~(free & last_way)
    _search_tight(turn_on, turn_off, possible & (spare == 0), sends, receives, free)

    found = torch.ones(*x.shape, 4, dtype=torch.bool)
    larger = possible.flip(1).cumsum(1).flip(1) > 0
    found[:, :INNER, 1:] = larger[:, 1:, None]
    found[:, :INNER, 0] = (possible.cumsum(1) > 0)[:, :-1]
    found[:, INNER:, 0] = turn_off.any(1)
    found[:, INNER:, 1] = turn_on.any(1)
    return found | known[..., None]


def _search_tight(
    turn_on: Bool[Tensor, "B S 21"],
    turn_off: Bool[Tensor, "B S 21"],
    tight: Bool[Tensor, "B S"],
    sends: Bool[Tensor, "B S 6"],
    receives: Bool[Tensor, "B S 6"],
    free: Bool[Tensor, "B S 21"],
) -> None:
    """Clears, in place, the switches of cells at the limit that would exceed it."""
    row, size, edge = (tight[..., None] & free).nonzero(as_tuple=True)
    out, into, left = sends[row, size], receives[row, size], free[row, size]
    every = torch.arange(len(row))
    start, end = torch.tensor(FIRST_ENDS)[edge], torch.tensor(SECOND_ENDS)[edge] - 1
    before = matching(out, into, left)
    left[every, edge] = False
    without = matching(out, into, left)
    turn_off[row, size, edge] &= without == before
    # On: one edge more, up to two needs less.
    met = out[every, start].long() + into[every, end]
    out[every, start] = False
    into[every, end] = False
    after = matching(out, into, left)
    turn_on[row, size, edge] &= after + met - 1 >= before


def matching(
    sends: Bool[Tensor, "R 6"], receives: Bool[Tensor, "R 6"], free: Bool[Tensor, "R 21"]
) -> Int[Tensor, " R"]:
    """Size of a maximum matching between open needs over the free edges.

    Goes through the senders and keeps the sets of receivers that can be matched, as 64 bits.
    """
    usable = free & sends[:, FIRST_ENDS] & receives[:, [j - 1 for j in SECOND_ENDS]]
    masks = usable.T.long().neg_()
    found = torch.ones(len(free), dtype=torch.long)
    for sender in range(LAST):
        start = found.clone()
        for edge, (i, j) in enumerate(EDGES):
            if i == sender:
                found |= ((start & WITHOUT[j - 1]) << (1 << (j - 1))) & masks[edge]
    return torch.stack([(found & OF_SIZE[n]) != 0 for n in range(1, LAST + 1)]).sum(0)
