"""List scheduling of many workloads at a time: networks of any length on the arrays of chips."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["Chains", "Objective", "list_schedules", "simulated"]

Objective = Literal["energy", "makespan", "edp"]
# Of the changes that look best by the bound, those that are simulated, and how often.
TRIED, ROUNDS = 8, 64
# Schedules that are simulated at a time.
BLOCK = 1 << 14
# What is less of an improvement is rounding.
LEAST = 1e-9


@dataclass(frozen=True, eq=False)
class Chains:
    """Layers of several networks; each waits for the one before in its own.

    Args:
        lengths: Layers of each network, in the order of the rows.
        transfer: Cycles that a layer waits longer where the one before ran elsewhere ``[L]``.
    """

    lengths: tuple[int, ...]
    transfer: Float[Tensor, " L"] | None = None

    @property
    def before(self) -> Int[Tensor, " L"]:
        """The layer that each waits for; -1 for none."""
        order = torch.arange(sum(self.lengths)) - 1
        order[[0, *itertools.accumulate(self.lengths[:-1])]] = -1
        return order

    def ahead(self, taken: Float[Tensor, "B L"]) -> Float[Tensor, "B L"]:
        """Sums what is left of each network from every layer on.

        Args:
            taken: Cycles of each layer.
        """
        chains = taken.split(list(self.lengths), 1)
        return torch.cat([each.flip(1).cumsum(1).flip(1) for each in chains], 1)

    def order(self, taken: Float[Tensor, "B L"]) -> Int[Tensor, "B L"]:
        """Sorts layers by the longest way ahead, which is longer than that of what waits.

        Args:
            taken: Cycles of each layer.
        """
        # Layers that take no time stay in their order.
        return self.ahead(taken).argsort(dim=1, descending=True, stable=True)


def simulated(
    chains: Chains,
    cycles: Float[Tensor, "B L S"],
    where: Int[Tensor, "B L"],
    order: Int[Tensor, "B L"],
) -> tuple[Float[Tensor, "B L"], Float[Tensor, "B L"]]:
    """Computes when layers begin and end: once their place is free and the one before is done.

    Args:
        chains: Which waits for which.
        cycles: Of each layer on each array.
        where: Array of each layer.
        order: In which layers are taken; one that others wait for comes first.
    """
    count, layers, parts = len(where), *cycles.shape[1:]
    before = chains.before.to(where.device)
    taken = cycles.expand(count, -1, -1).gather(2, where[..., None])[..., 0]
    finish = cycles.new_zeros(count, layers + 1)
    start = cycles.new_zeros(count, layers)
    free = cycles.new_zeros(count, parts)
    for layer in order[..., None].unbind(1):
        place, previous = where.gather(1, layer), before[layer]
        # The last column is what none waits for.
        ready = finish.gather(1, torch.where(previous < 0, layers, previous))
        if chains.transfer is not None:
            moved = (previous >= 0) & (where.gather(1, previous.clamp(min=0)) != place)
            ready = ready + torch.where(moved, chains.transfer[layer], 0.0)
        begin = torch.maximum(free.gather(1, place), ready)
        end = begin + taken.gather(1, layer)
        start.scatter_(1, layer, begin)
        finish.scatter_(1, layer, end)
        free.scatter_(1, place, end)
    return start, finish[:, :-1]


def list_schedules(
    cycles: Float[Tensor, "B L S"],
    energy: Float[Tensor, "B L S"],
    chains: Chains,
    objective: Objective,
    limit: float = float("inf"),
) -> tuple[Int[Tensor, "B L"], Int[Tensor, "B L"]]:
    """Finds good schedules of many workloads, whose networks may have hundreds of layers.

    1. Layers begin where each takes least energy, where each takes least cycles, and all on one
       array.
    2. While the bound improves, one layer of each workload is moved: no schedule is shorter than
       the load of the fullest array, or than the longest network.
    3. Layers are taken in the order of the longest way that is still ahead (Topcuoglu et al.,
       2002), and the best of the starts is kept; with a limit, the quickest is one of them.
    4. While that is better, of the moves that look best by the bound the one is made that is.

    Args:
        cycles: Of each layer on each array; infinite where it cannot run, 0 for one that is none.
        energy: The same, in any unit.
        chains: Which layer waits for which.
        objective: ``energy``, ``makespan`` in cycles, or their product ``edp``.
        limit: Makespan that must not be exceeded, in cycles.

    Returns:
        The array of each layer, and the order in which layers are taken.
    """
    many, _, parts = cycles.shape
    possible = cycles.isfinite()
    work = _Work(cycles, torch.where(possible, energy, torch.inf), chains, objective, limit)
    quick = cycles.argmin(2)
    starts = [work.energy.argmin(2), quick]
    starts += [torch.where(possible[..., part], part, quick) for part in range(parts)]
    several = work.rows(torch.arange(many).repeat_interleave(len(starts)))
    ends = [several.moved(torch.stack(starts, 1).flatten(0, 1)).unflatten(0, (many, -1))]
    if isfinite(limit):
        # What the bound says is within the limit may not be; the quickest may.
        quickest = replace(work, objective="makespan", limit=inf)
        ends.append(quickest.tried(quickest.moved(quick))[:, None])
    found = torch.cat(ends, 1)
    count = found.shape[1]
    told = work.rows(torch.arange(many).repeat_interleave(count)).ranks(found.flatten(0, 1))
    best = _lowest([each.unflatten(0, (many, -1)) for each in told])
    where = work.tried(found[torch.arange(many), best])
    return where, chains.order(work.taken(where))


@dataclass(frozen=True, eq=False)
class _Work:
    """Workloads, and what counts."""

    cycles: Tensor
    energy: Tensor
    chains: Chains
    objective: Objective
    limit: float

    def rows(self, chosen: Tensor) -> _Work:
        return replace(self, cycles=self.cycles[chosen], energy=self.energy[chosen])

    def taken(self, where: Tensor) -> Tensor:
        return _at(self.cycles, where)

    def moved(self, where: Tensor) -> Tensor:
        """Assignments after all moves that improve the bound."""
        parts = self.cycles.shape[2]
        open_ = torch.arange(len(where))
        where = where.clone()
        for _ in range(self.cycles.shape[1]):
            some = where[open_]
            ranks = self.rows(open_).bounds(some)
            best = _lowest(ranks)[:, None]
            # A move of a layer to where it is changes nothing.
            new, old = (
                tuple(rank.gather(1, at)[:, 0] for rank in ranks) for at in (best, some[:, :1])
            )
            going = _better(new, old)
            if not bool(going.any()):
                break
            open_, chosen = open_[going], best[going, 0]
            where[open_, chosen // parts] = chosen % parts
        return where

    def tried(self, where: Tensor) -> Tensor:
        """Assignments after moves that improve the simulated schedule."""
        parts = self.cycles.shape[2]
        where, known = where.clone(), self.ranks(where)
        open_ = torch.arange(len(where))
        for _ in range(ROUNDS):
            some = where[open_]
            missed, value = self.rows(open_).bounds(some)
            stays = torch.nn.functional.one_hot(some, parts).bool()
            # Nor does it matter where nothing is.
            stays = stays | self.cycles[open_].eq(0).all(2, keepdim=True)
            changes = _sorted(missed, value.masked_fill(stays.flatten(1), inf))[:, :TRIED]
            count, chosen = changes.shape[1], changes.flatten()
            moved = some.repeat_interleave(count, 0)
            moved[torch.arange(len(moved)), chosen // parts] = chosen % parts
            told = self.rows(open_.repeat_interleave(count)).ranks(moved)
            ranks = tuple(each.unflatten(0, (-1, count)) for each in told)
            best = _lowest(ranks)[:, None]
            new = tuple(rank.gather(1, best)[:, 0] for rank in ranks)
            going = _better(new, tuple(each[open_] for each in known))
            if not bool(going.any()):
                break
            open_ = open_[going]
            where[open_] = moved.unflatten(0, (-1, count))[going, best[going, 0]]
            for each, found in zip(known, new, strict=True):
                each[open_] = found[going]
        return where

    def bounds(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """Ranks by the bound of every move of one layer, ``[B, L * S]``."""
        (many, layers, parts), lengths = self.cycles.shape, self.chains.lengths
        now = self.taken(where)
        loads = now.new_zeros(many, parts).scatter_add_(1, where, now)
        member = torch.arange(len(lengths)).repeat_interleave(torch.tensor(lengths))
        spans = now.new_zeros(many, len(lengths)).scatter_add_(1, member.expand(many, -1), now)
        own = torch.nn.functional.one_hot(member, len(lengths)).bool()
        there = torch.nn.functional.one_hot(where, parts).to(now.dtype)
        longest = now.new_zeros(many, layers, parts)
        for part in range(parts):
            # What an array carries once a layer is moved to each of the arrays.
            carried = loads[:, part, None] - there[..., part] * now
            after = carried[..., None].repeat(1, 1, parts)
            after[..., part] += self.cycles[..., part]
            longest = torch.maximum(longest, after)
        change = self.cycles - now[..., None]
        for number in range(len(lengths)):
            after = spans[:, number, None, None] + torch.where(own[:, number, None], change, 0.0)
            longest = torch.maximum(longest, after)
        joules = _at(self.energy, where)
        total = (joules.sum(1, keepdim=True) - joules)[..., None] + self.energy
        return self._rank(longest.flatten(1), total.flatten(1))

    def ranks(self, where: Tensor) -> tuple[Tensor, Tensor]:
        """Ranks of simulated schedules."""
        spans = []
        for rows in torch.arange(len(where)).split(BLOCK):
            some, cycles = where[rows], self.cycles[rows]
            order = self.chains.order(_at(cycles, some))
            spans.append(simulated(self.chains, cycles, some, order)[1].amax(1))
        return self._rank(torch.cat(spans), _at(self.energy, where).sum(1))

    def _rank(self, span: Tensor, energy: Tensor) -> tuple[Tensor, Tensor]:
        """What is lower for the better: by how far the limit is missed, then the objective."""
        value = {"energy": energy, "makespan": span, "edp": span * energy}[self.objective]
        missed = (span - self.limit).clamp(min=0) if isfinite(self.limit) else span.new_zeros(1)
        return missed.expand_as(value).clone(), value


def _at(values: Tensor, where: Tensor) -> Tensor:
    return values.gather(2, where[..., None])[..., 0]


def _better(new: Sequence[Tensor], old: Sequence[Tensor]) -> Tensor:
    missed, before = new[0], old[0]
    less = missed < before - LEAST * before.abs()
    return less | ((missed <= before) & (new[1] < old[1] - LEAST * old[1].abs()))


def _lowest(ranks: Sequence[Tensor]) -> Tensor:
    """Position of the lowest along the second axis."""
    return _sorted(*ranks)[:, 0]


def _sorted(missed: Tensor, value: Tensor) -> Tensor:
    """Positions from the lowest, by how far the limit is missed and then by the value."""
    order = value.argsort(dim=1, stable=True)
    return order.gather(1, missed.gather(1, order).argsort(dim=1, stable=True))
