"""Scheduling: layers of one or several networks on the sub-accelerators of a chip."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import UsageError
from .list_scheduling import Chains, Objective, list_schedules, simulated

__all__ = ["Schedule", "Workload", "best_schedule", "exact_schedule", "makespan"]

# Schedules that are simulated at a time.
BLOCK = 1 << 15
# Rounds of moves and swaps, of which most end long before.
ROUNDS = 200
# Layers up to which all moves, swaps and shifts are tried.
THOROUGH = 16


@dataclass(frozen=True, eq=False)
class Workload:
    """What layers would take on each sub-accelerator, and what waits for what.

    A network is a chain: each of its layers waits for the one before. Networks are independent.

    Args:
        cycles: Of each layer on each sub-accelerator ``[L, S]``; infinite where it cannot run.
        energy: The same, in any unit.
        networks: Number of layers of each network, in the order of the rows; by default one.
        transfer: Cycles that a layer waits longer where the one before ran elsewhere ``[L]``.

    Raises:
        UsageError: For layers that are not those of the networks.

    Example:
        >>> cycles = torch.tensor([[2.0, 5.0], [4.0, 3.0]], dtype=torch.float64)
        >>> best_schedule(Workload(cycles, cycles), "makespan").makespan
        5.0
    """

    cycles: Float[Tensor, "L S"]
    energy: Float[Tensor, "L S"]
    networks: tuple[int, ...] = ()
    transfer: Float[Tensor, " L"] | None = None

    def __post_init__(self) -> None:
        if sum(self.chains) != len(self.cycles) or min(self.chains) < 1:
            raise UsageError(
                f"{len(self.cycles)} layers are not those of networks of {list(self.chains)}.",
                "Give the number of layers of each network.",
            )

    @property
    def chains(self) -> tuple[int, ...]:
        """Number of layers of each network."""
        return self.networks or (len(self.cycles),)

    @property
    def order(self) -> Chains:
        """Which layer waits for which."""
        return Chains(self.chains, self.transfer)

    @property
    def before(self) -> Int[Tensor, " L"]:
        """The layer that each waits for; -1 for none."""
        return self.order.before

    @property
    def bound(self) -> float:
        """A makespan below which no schedule is: the longest chain, or equal shares of all."""
        least = self.cycles.amin(1)
        chains = [float(part.sum()) for part in least.split(list(self.chains))]
        return max(*chains, float(least.sum()) / self.cycles.shape[1])


@dataclass(frozen=True, eq=False)
class Schedule:
    """Where and when every layer runs.

    Args:
        where: Sub-accelerator of each layer.
        start: Cycle at which it begins.
        finish: Cycle at which it ends.
        makespan: Cycle at which all are done.
        energy: Of all layers.
        met: Whether the makespan is within the limit that was given.
    """

    where: Int[Tensor, " L"]
    start: Float[Tensor, " L"]
    finish: Float[Tensor, " L"]
    makespan: float
    energy: float
    met: bool


def best_schedule(
    workload: Workload, objective: Objective = "energy", limit: float = float("inf")
) -> Schedule:
    """Finds a good schedule: the heterogeneous assignment of NASAIC (arXiv 2002.04116).

    1. Every layer goes where it takes least energy (for the makespan, least cycles).
       They run in the order of the longest way that is still ahead (Topcuoglu et al., 2002).
    2. While that is better, one layer is moved elsewhere, two change places, or one runs earlier
       or later. Of all such changes, scored in one batch, the best is made. While the limit is
       missed, that is the largest gain of makespan for the energy it costs; then the lowest
       objective.
    3. The same begins from all layers on each sub-accelerator and, where there is a limit, from
       what is found for the makespan alone. The best end counts.

    Of more than sixteen layers, see `vitruvius.evaluators.hardware.list_scheduling`.

    Args:
        workload: The layers.
        objective: ``energy``, ``makespan`` in cycles, or their product ``edp``.
        limit: Makespan that must not be exceeded, in cycles.
    """
    layers, parts = workload.cycles.shape
    if layers > THOROUGH:
        many = workload.cycles[None], workload.energy[None]
        where, order = list_schedules(*many, workload.order, objective, limit)
        return _told(workload, where[0], order[0], limit)
    possible = workload.cycles.isfinite()
    greedy = torch.where(possible, workload.energy, torch.inf).argmin(1)
    starts = [greedy, workload.cycles.argmin(1)]
    starts += [torch.full((layers,), part) for part in range(parts) if possible[:, part].all()]
    begun = [(start, _order(workload, start[None])[0]) for start in starts]
    if limit < torch.inf:
        begun += [_improved(workload, each, "makespan", torch.inf) for each in begun]
    ends = [_improved(workload, each, objective, limit) for each in begun]
    spans = torch.stack([makespan(workload, w[None], o[None])[0] for w, o in ends])
    energies = _energies(workload, torch.stack([where for where, _ in ends]))
    where, order = ends[int(_rank(spans, energies, objective, limit).argmin())]
    return _told(workload, where, order, limit)


def exact_schedule(
    workload: Workload, objective: Objective = "makespan", limit: float = float("inf")
) -> Schedule:
    """Finds the best schedule of all: every assignment in every order. For a few layers only.

    Args:
        workload: The layers.
        objective: As for `best_schedule`.
        limit: As for `best_schedule`.
    """
    layers, parts = workload.cycles.shape
    every = torch.cartesian_prod(*[torch.arange(parts)] * layers).reshape(-1, layers)
    energies = _energies(workload, every)
    found: tuple[tuple[bool, float], Tensor, Tensor] | None = None
    for order in _orders(workload.chains):
        for some, energy in zip(every.split(BLOCK), energies.split(BLOCK), strict=True):
            spans = makespan(workload, some, order.expand(len(some), -1))
            ranks = _rank(spans, energy, objective, limit)
            at = int(ranks.argmin())
            # Of different batches, ranks compare only where both meet the limit or both miss it.
            rank = (bool(spans[at] > limit), float(ranks[at]))
            if found is None or rank < found[0]:
                found = rank, some[at], order
    assert found is not None
    return _told(workload, found[1], found[2], limit)


def makespan(
    workload: Workload, where: Int[Tensor, "B L"], order: Int[Tensor, "B L"]
) -> Float[Tensor, " B"]:
    """Simulates schedules: each layer begins once its place is free and the one before is done.

    Args:
        workload: The layers.
        where: Sub-accelerator of each layer.
        order: In which layers are taken; one that others wait for comes first.
    """
    return _simulated(workload, where, order)[1].amax(1)


def _simulated(workload: Workload, where: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """Start and finish of every layer."""
    cycles = workload.cycles.expand(len(where), -1, -1)
    return simulated(workload.order, cycles, where, order)


def _order(workload: Workload, where: Tensor) -> Tensor:
    return workload.order.order(workload.cycles.gather(1, where.T).T)


def _energies(workload: Workload, where: Tensor) -> Tensor:
    return workload.energy.gather(1, where.T).sum(0)


def _rank(spans: Tensor, energies: Tensor, objective: Objective, limit: float) -> Tensor:
    """A number that is lower for the better; what misses the limit comes last, by how far."""
    value = {"energy": energies, "makespan": spans, "edp": spans * energies}[objective]
    missed = (spans > limit) | spans.isinf()
    worst = torch.where(missed, 0.0, value).amax()
    return torch.where(missed, worst + spans, value)


def _improved(
    workload: Workload, begun: tuple[Tensor, Tensor], objective: Objective, limit: float
) -> tuple[Tensor, Tensor]:
    """Assignment and order after all changes that are better."""
    where, order = begun
    for _ in range(ROUNDS):
        places, orders = _changes(workload, where, order)
        spans, energies = makespan(workload, places, orders), _energies(workload, places)
        if spans[0] > limit:
            gain, price = spans[0] - spans, (energies - energies[0]).clamp(min=0)
            # What costs nothing comes before all that does.
            scores = torch.where(gain > 0, -gain / (price + 1e-9 * energies[0]), 0.0)
        else:
            ranks = _rank(spans, energies, objective, limit)
            scores = ranks - ranks[0]
        best = int(scores.argmin())
        if not scores[best] < 0:
            break
        where, order = places[best], orders[best]
    return where, order


def _changes(workload: Workload, where: Tensor, order: Tensor) -> tuple[Tensor, Tensor]:
    """What there is, first, and all that differs from it in one change."""
    moved = torch.cat([where[None], _moves(workload, where), _swaps(where)])
    shifted = _shifts(workload, order)
    places = torch.cat([moved, where.expand(len(shifted), -1)])
    return places, torch.cat([order.expand(len(moved), -1), shifted])


def _moves(workload: Workload, where: Tensor) -> Tensor:
    """One layer elsewhere."""
    layers, parts = workload.cycles.shape
    moved = where.repeat(layers * parts, 1)
    rows = torch.arange(layers * parts)
    moved[rows, rows // parts] = rows % parts
    possible = workload.cycles[rows // parts, rows % parts].isfinite()
    return moved[possible & (rows % parts != where[rows // parts])]


def _swaps(where: Tensor) -> Tensor:
    """Two layers with each other's places."""
    pairs = torch.combinations(torch.arange(len(where)))
    pairs = pairs[where[pairs[:, 0]] != where[pairs[:, 1]]]
    swapped = where.repeat(len(pairs), 1)
    rows = torch.arange(len(pairs))
    swapped[rows, pairs[:, 0]], swapped[rows, pairs[:, 1]] = where[pairs[:, 1]], where[pairs[:, 0]]
    return swapped


def _shifts(workload: Workload, order: Tensor) -> Tensor:
    """One layer earlier or later, in orders where none is ahead of what it waits for."""
    layers = len(order)
    if len(workload.chains) == 1:
        return order.new_zeros(0, layers)
    first, to = torch.cartesian_prod(torch.arange(layers), torch.arange(layers)).unbind(1)
    first, to = first[first != to], to[first != to]
    # One takes a place half before or half behind another's; the rest keep their order.
    keys = torch.arange(layers, dtype=torch.float64).repeat(len(first), 1)
    keys[torch.arange(len(first)), first] = to + torch.where(to > first, 0.5, -0.5).double()
    source = keys.argsort(dim=1)
    shifted = order[source]
    rank = shifted.argsort(dim=1)
    waiting = (workload.before >= 0).nonzero()[:, 0]
    fine = (rank[:, waiting] > rank[:, workload.before[waiting]]).all(1)
    return shifted[fine]


def _orders(chains: Sequence[int]) -> Iterator[Tensor]:
    """Every order of all layers that keeps that of each chain."""
    firsts = [0, *itertools.accumulate(chains[:-1])]
    places = [0] * len(chains)

    def rest(taken: list[int]) -> Iterator[list[int]]:
        if len(taken) == sum(chains):
            yield list(taken)
        for chain, length in enumerate(chains):
            if places[chain] < length:
                taken.append(firsts[chain] + places[chain])
                places[chain] += 1
                yield from rest(taken)
                places[chain] -= 1
                taken.pop()

    for order in rest([]):
        yield torch.tensor(order)


def _told(workload: Workload, where: Tensor, order: Tensor, limit: float) -> Schedule:
    start, finish = _simulated(workload, where[None], order[None])
    span = float(finish.max())
    energy = float(_energies(workload, where[None])[0])
    return Schedule(where, start[0], finish[0], span, energy, span <= limit)
