"""Constraint-aware decoding for NAS-Bench-101: which choices can still end in a valid cell.

Sets of edges are 21 bits of an integer. Sets of needs are 12 bits: the nodes 0..5 that lack an
edge out, then the nodes 1..6 that lack an edge in. What is asked of them is looked up in tables.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache, reduce
from operator import or_

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ._nasbench101_layout import EDGES, INNER, LAST, MAX_EDGES

NEEDS = 2 * LAST
NODE = torch.arange(1, LAST, device="cpu")
# Numbers of present inner nodes a cell may have, and the smallest that each edge asks for.
SIZES = torch.arange(INNER + 1, device="cpu")
LEAST = torch.tensor([max(i, j % LAST) for i, j in EDGES], device="cpu")
BIT = 1 << torch.arange(len(EDGES), device="cpu")
# Needs that each edge meets: one at either end.
MEETS = torch.tensor([1 << i | 1 << (LAST + j - 1) for i, j in EDGES], device="cpu")
# By size: the needs of the nodes that are there, and the edges between them.
REQUIRED = torch.tensor(
    [
        sum(1 << i | 1 << (LAST + i - 1) for i in range(1, size + 1)) | 1 | 1 << (NEEDS - 1)
        for size in range(INNER + 1)
    ],
    device="cpu",
)
ALIVE = ((SIZES[:, None] >= LEAST) * BIT).sum(1)
HALF = 11
# Sets of receivers as 64 bits, one per set: those that lack a receiver, those of a given size.
WITHOUT = [[not subset >> j & 1 for subset in range(64)] for j in range(LAST)]
OF_SIZE = [[subset.bit_count() == n for subset in range(64)] for n in range(LAST + 1)]


@dataclass(frozen=True)
class _Tables:
    """What is looked up, on one device.

    Args:
        node: Numbers of the inner nodes.
        sizes: Numbers of present inner nodes a cell may have.
        least: The smallest size that each edge asks for.
        bit: Every edge as a set of its own.
        meets: Needs that each edge meets.
        required: By size, the needs of the nodes that are there.
        alive: By size, the edges between them.
        once: Needs met by every set of the first 11 edges, then of the last 10.
        twice: Those met twice.
        count: Number of needs in a set.
        touching: Edges that meet any need of a set.
        between: Edges that meet two needs of a set.
        matchings: Size of a maximum matching of senders with receivers, for every set of edges.
    """

    node: Int[Tensor, " 5"]
    sizes: Int[Tensor, " 6"]
    least: Int[Tensor, " 21"]
    bit: Int[Tensor, " 21"]
    meets: Int[Tensor, " 21"]
    required: Int[Tensor, " 6"]
    alive: Int[Tensor, " 6"]
    once: Int[Tensor, "2 2048"]
    twice: Int[Tensor, "2 2048"]
    count: Int[Tensor, " 4096"]
    touching: Int[Tensor, " 4096"]
    between: Int[Tensor, " 4096"]
    matchings: Int[Tensor, " 2097152"]

    def pack(self, edges: Bool[Tensor, "R 21"]) -> Int[Tensor, " R"]:
        """Makes a set of the edges."""
        return (edges * self.bit).sum(1)

    def met(self, edges: Int[Tensor, "*R"]) -> tuple[Int[Tensor, "*R"], Int[Tensor, "*R"]]:
        """Needs that a set of edges meets, at least once and at least twice."""
        low, high = edges & ((1 << HALF) - 1), edges >> HALF
        a, b = self.once[0][low], self.once[1][high]
        return a | b, self.twice[0][low] | self.twice[1][high] | a & b

    def matching(self, need: Int[Tensor, "*#R"], free: Int[Tensor, "*#R"]) -> Int[Tensor, "..."]:
        """Most pairs of needs that free edges can meet, one pair an edge."""
        return self.matchings[free & self.between[need]]


def allowed_choices(x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V 4"]:
    """Tells which choices can still end in a cell without dangling nodes, exactly.

    For each number of present nodes: the edges that are known, plus the fewest unknown ones that
    give every present node an edge in and an edge out, must not exceed nine. An edge meets a need
    at either end, so the fewest are the open needs less a maximum matching between them.
    Switching one unknown edge changes that number by at most one, hence only cells at the limit
    of nine are searched edge by edge.
    """
    tables = _tables(x.device)
    chosen = known & (x != 0)
    there, on = chosen[:, :INNER], chosen[:, INNER:]
    least = torch.maximum((there * tables.node).amax(1), (on * tables.least).amax(1))
    most = torch.where(known[:, :INNER] & ~there, tables.node - 1, INNER).amin(1)
    possible = (least[:, None] <= tables.sizes) & (most[:, None] >= tables.sizes)

    free = tables.pack(~known[:, INNER:])[:, None] & tables.alive
    need = tables.required & ~tables.met(tables.pack(on))[0][:, None]
    once, twice = tables.met(free)
    size = tables.matching(need, free)
    spare = MAX_EDGES - on.sum(1)[:, None] - tables.count[need] + size
    possible &= ((need & ~once) == 0) & (spare >= 0)

    # An edge may be off unless it is the last way to meet a need.
    may_on = torch.where(possible, free, 0)
    may_off = torch.where(possible, ~(free & tables.touching[need & ~twice]), 0)
    tight = (possible & (spare == 0)).nonzero(as_tuple=True)
    tight_on, tight_off = _search(tables, need[tight], free[tight], size[tight])
    may_on[tight] &= tight_on
    may_off[tight] &= tight_off

    found = known[..., None].repeat(1, 1, 4)
    found[:, :INNER, 0] |= (possible.cumsum(1) > 0)[:, :-1]
    found[:, :INNER, 1:] |= (possible.flip(1).cumsum(1).flip(1) > 0)[:, 1:, None]
    for choice, may in enumerate((may_off, may_on)):
        found[:, INNER:, choice] |= (reduce(or_, may.unbind(1))[:, None] & tables.bit) != 0
    return found


def _search(
    tables: _Tables, need: Int[Tensor, " T"], free: Int[Tensor, " T"], size: Int[Tensor, " T"]
) -> tuple[Int[Tensor, " T"], Int[Tensor, " T"]]:
    """Edges that may be on, and off, in cells that must have the fewest edges possible."""
    rest = free[:, None] & ~tables.bit
    off = tables.matching(need[:, None], rest) == size[:, None]
    # On: one edge more, up to two needs less.
    left = need[:, None] & ~tables.meets
    met = tables.count[need][:, None] - tables.count[left]
    on = tables.matching(left, rest) + met - 1 >= size[:, None]
    return tables.pack(on), tables.pack(off)


@cache
def _tables(device: torch.device) -> _Tables:
    """The tables on a device, made on the CPU once."""
    if device.type != "cpu":
        made = _tables(torch.device("cpu"))
        return _Tables(
            **{field.name: getattr(made, field.name).to(device) for field in fields(made)}
        )
    once, twice = zip(*(_met(part) for part in (MEETS[:HALF], MEETS[HALF:])), strict=True)
    needs = torch.arange(1 << NEEDS)
    touches = needs[:, None] & MEETS
    return _Tables(
        node=NODE,
        sizes=SIZES,
        least=LEAST,
        bit=BIT,
        meets=MEETS,
        required=REQUIRED,
        alive=ALIVE,
        once=nn.utils.rnn.pad_sequence(list(once), batch_first=True),
        twice=nn.utils.rnn.pad_sequence(list(twice), batch_first=True),
        count=(needs[:, None] >> torch.arange(NEEDS) & 1).sum(1),
        touching=((touches != 0) * BIT).sum(1),
        between=((touches == MEETS) * BIT).sum(1),
        matchings=_matchings(),
    )


def _met(meets: Int[Tensor, " E"]) -> tuple[Int[Tensor, " P"], Int[Tensor, " P"]]:
    """Needs met once and twice, for every set of some edges."""
    subsets = torch.arange(1 << len(meets))
    once, twice = torch.zeros_like(subsets), torch.zeros_like(subsets)
    for edge, mask in enumerate(meets.tolist()):
        new = (subsets >> edge & 1) * mask
        once, twice = once | new, twice | once & new
    return once, twice


def _matchings() -> Int[Tensor, " 2097152"]:
    """Size of a maximum matching of senders with receivers, for every set of edges (2 MB).

    Goes through the senders and keeps the sets of receivers that can be matched, as 64 bits.
    """
    blocks = []
    for edges in torch.arange(1 << len(EDGES)).split(1 << 15):
        found = torch.ones_like(edges)
        for sender in range(LAST):
            start = found.clone()
            for edge, (i, j) in enumerate(EDGES):
                if i == sender:
                    wider = (start & _bits(WITHOUT[j - 1])) << (1 << (j - 1))
                    found |= wider & -(edges >> edge & 1)
        sizes = sum(((found & _bits(OF_SIZE[n])) != 0).to(torch.int8) for n in range(1, LAST + 1))
        blocks.append(torch.as_tensor(sizes))
    return torch.cat(blocks)


def _bits(members: list[bool]) -> int:
    """A set of sets of receivers as a signed integer."""
    bits = sum(1 << subset for subset, member in enumerate(members) if member)
    return bits - (1 << 64) if bits >> 63 else bits
