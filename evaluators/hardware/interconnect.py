"""Several chips: how long collectives take in a leaf-spine network, and a step of training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import UnknownNameError, UsageError
from ...core.seeding import Seed, make_generator

__all__ = [
    "COLLECTIVES",
    "TRANSPORTS",
    "Collective",
    "Flows",
    "LeafSpine",
    "TrainingStep",
    "all_reduce",
    "congestion",
    "shares",
    "training_step",
]

# Work of the two gradients, of inputs and of weights, beside that of the pass forward.
BACKWARD = 2.0


@dataclass(frozen=True)
class LeafSpine:
    """A leaf-spine network: chips at leaves, and a link of every leaf with every spine.

    Args:
        leaves: Switches that chips are connected with.
        chips: Chips at each.
        spines: Switches that connect the leaves.
        bytes_per_cycle: Of every link, in each direction, a cycle of the chips' clock.

    Raises:
        UsageError: For less than one of anything, or a single chip.

    Example:
        >>> fabric = LeafSpine(leaves=4, chips=4, spines=3)
        >>> [round(all_reduce(fabric, 1e6, transport=name).cycles) for name in ("spray", "split")]
        [234375, 234375]
    """

    leaves: int
    chips: int
    spines: int
    bytes_per_cycle: float = 8.0

    def __post_init__(self) -> None:
        if min(self.leaves, self.chips, self.spines) < 1 or self.total < 2:
            raise UsageError(
                f"Got a network of {self.leaves} leaves, {self.chips} chips at each and "
                f"{self.spines} spines.",
                "Give at least one of each, and two chips.",
            )
        if not 0 < self.bytes_per_cycle < float("inf"):
            raise UsageError(
                f"Links carry {self.bytes_per_cycle} bytes a cycle.", "Give more than 0."
            )

    @property
    def total(self) -> int:
        """Chips in all."""
        return self.leaves * self.chips

    def leaf(self, chip: Int[Tensor, "..."]) -> Int[Tensor, "..."]:
        """Returns the leaves of chips.

        Args:
            chip: Numbers of chips; those of a leaf follow on one another.
        """
        return chip // self.chips


class Flows(NamedTuple):
    """What is sent at the same time.

    Args:
        source: Chip that sends.
        target: Chip that receives.
        size: Bytes.
    """

    source: Int[Tensor, " F"]
    target: Int[Tensor, " F"]
    size: Float[Tensor, " F"]


# -- which way flows go ---------------------------------------------------------------------------


def _spray(fabric: LeafSpine, flows: Flows, seed: Seed) -> Float[Tensor, "F P"]:
    """Every flow in equal parts over all spines, packet by packet: the ideal."""
    return torch.full((len(flows.size), fabric.spines), 1 / fabric.spines, dtype=torch.float64)


def _split(fabric: LeafSpine, flows: Flows, seed: Seed) -> Float[Tensor, "F P"]:
    """One way a flow, and as few flows as possible in two or more parts.

    The flows of two leaves are laid end to end and cut into equal lengths, one for each spine. So
    every link carries what it does with the ideal, and of ``n`` flows of equal size over ``s``
    spines ``s - gcd(n, s)`` cuts are made. No fewer would do.
    """
    ends = torch.zeros(len(flows.size), 2, dtype=torch.float64)
    whole = torch.zeros(len(flows.size), dtype=torch.float64)
    pair = fabric.leaf(flows.source) * fabric.leaves + fabric.leaf(flows.target)
    for each in pair.unique().tolist():
        own = pair == each
        after = flows.size[own].cumsum(0)
        ends[own] = torch.stack([after - flows.size[own], after], 1)
        whole[own] = after[-1]
    cuts = torch.arange(fabric.spines + 1, dtype=torch.float64) / fabric.spines
    marks = cuts * whole[:, None]
    start, end = ends[:, :1], ends[:, 1:]
    inside = torch.minimum(end, marks[:, 1:]) - torch.maximum(start, marks[:, :-1])
    # Lengths that are but the rounding of a cut that falls between two flows are none.
    inside = torch.where(inside > 1e-9 * flows.size[:, None], inside, 0.0)
    return inside / inside.sum(1, keepdim=True)


def _hashed(fabric: LeafSpine, flows: Flows, seed: Seed) -> Float[Tensor, "F P"]:
    """One way a flow, chosen at random, as hashing does (ECMP)."""
    spine = torch.randint(fabric.spines, (len(flows.size),), generator=make_generator(seed))
    return torch.nn.functional.one_hot(spine, fabric.spines).double()


TRANSPORTS: Mapping[str, Callable[[LeafSpine, Flows, Seed], Tensor]] = {
    "spray": _spray,
    "split": _split,
    "hash": _hashed,
}
"""Ways of flows over spines: ideal spraying, single ways with minimal splitting, and hashing."""


def shares(
    fabric: LeafSpine, flows: Flows, transport: str = "split", seed: Seed = 0
) -> Float[Tensor, "F P"]:
    """Returns the part of every flow that goes over each spine.

    Of flows of equal size that begin together, single ways load no link more than packets that are
    sprayed, if a few flows are split when they begin (Addanki et al., "Challenging the need for
    packet spraying in large-scale distributed training", arXiv 2407.00550).

    Args:
        fabric: The network.
        flows: The flows; of those within a leaf, the parts mean nothing.
        transport: One of `TRANSPORTS`.
        seed: For ``hash``.

    Raises:
        UnknownNameError: For another transport.
    """
    if transport not in TRANSPORTS:
        raise UnknownNameError.of("transport", transport, TRANSPORTS)
    return TRANSPORTS[transport](fabric, flows, seed)


def congestion(
    fabric: LeafSpine, flows: Flows, transport: str = "split", seed: Seed = 0
) -> tuple[float, int]:
    """Computes the bytes of the link that carries most, and the parts that flows are sent in.

    Args:
        fabric: The network.
        flows: What is sent at the same time.
        transport: One of `TRANSPORTS`.
        seed: For ``hash``.
    """
    parts = shares(fabric, flows, transport, seed)
    left, right = fabric.leaf(flows.source), fabric.leaf(flows.target)
    outside = left != right
    carried = torch.where(outside[:, None], parts * flows.size[:, None], 0.0)
    most = []
    for leaf in (left, right):
        links = carried.new_zeros(fabric.leaves, fabric.spines)
        most.append(links.index_add_(0, leaf, carried).max())
    for chip in (flows.source, flows.target):
        links = flows.size.new_zeros(fabric.total)
        most.append(links.index_add_(0, chip, flows.size).max())
    pieces = torch.where(outside, (parts > 0).sum(1), 1).sum()
    return float(torch.stack(most).max()), int(pieces)


# -- collectives ----------------------------------------------------------------------------------


def _ring(chips: int, size: float) -> Iterator[tuple[int, Flows]]:
    """Each sends to the next: a part of the sum, then of the result, round and round."""
    every = torch.arange(chips)
    part = torch.full((chips,), size / chips, dtype=torch.float64)
    yield 2 * (chips - 1), Flows(every, every.roll(-1), part)


def _halving(chips: int, size: float) -> Iterator[tuple[int, Flows]]:
    """Pairs exchange a half, then a quarter, and so on; and all of it back (Rabenseifner)."""
    if chips & (chips - 1):
        raise UsageError(
            f"Halving is for a power of two of chips, got {chips}.", "Use collective=ring."
        )
    every, distance = torch.arange(chips), 1
    while distance < chips:
        part = torch.full((chips,), size / (2 * distance), dtype=torch.float64)
        yield 2, Flows(every, every ^ distance, part)
        distance *= 2


def _direct(chips: int, size: float) -> Iterator[tuple[int, Flows]]:
    """Each sends its part to every other one, and the sum of its own."""
    pairs = torch.cartesian_prod(torch.arange(chips), torch.arange(chips))
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    part = torch.full((len(pairs),), size / chips, dtype=torch.float64)
    yield 2, Flows(pairs[:, 0], pairs[:, 1], part)


COLLECTIVES: Mapping[str, Callable[[int, float], Iterator[tuple[int, Flows]]]] = {
    "ring": _ring,
    "halving": _halving,
    "direct": _direct,
}
"""Ways to sum over all chips: steps, each so many times, of flows that begin together."""


class Collective(NamedTuple):
    """What a collective takes.

    Args:
        cycles: Until all is everywhere.
        pieces: Parts that flows were sent in, where one alone is one.
        flows: Flows.
    """

    cycles: float
    pieces: int
    flows: int


def all_reduce(
    fabric: LeafSpine,
    size: float,
    *,
    collective: str = "ring",
    transport: str = "split",
    seed: Seed = 0,
) -> Collective:
    """Computes how long all chips of a network take to sum what each of them has.

    Steps follow on one another, and each lasts as long as the link that carries most of it. What
    latency switches add is left out.

    Args:
        fabric: The network.
        size: Bytes of every chip.
        collective: One of `COLLECTIVES`.
        transport: One of `TRANSPORTS`.
        seed: For the transport ``hash``.

    Raises:
        UnknownNameError: For another collective or transport.
        UsageError: For a number of chips that the collective is not for.
    """
    if collective not in COLLECTIVES:
        raise UnknownNameError.of("collective", collective, COLLECTIVES)
    chance = make_generator(seed)
    cycles, pieces, many = 0.0, 0, 0
    for times, flows in COLLECTIVES[collective](fabric.total, size):
        # Steps that repeat have the same flows, which hashing sends the same ways.
        most, parts = congestion(fabric, flows, transport, chance)
        cycles += times * most / fabric.bytes_per_cycle
        pieces += times * parts
        many += times * len(flows.size)
    return Collective(cycles, pieces, many)


@dataclass(frozen=True)
class TrainingStep:
    """A step of data-parallel training.

    Args:
        compute_cycles: Forward and backward, on each chip.
        communication_cycles: Of summing the gradients.
        chips: Chips.
    """

    compute_cycles: float
    communication_cycles: float
    chips: int

    @property
    def cycles(self) -> float:
        """Of the step, where the one follows on the other."""
        return self.compute_cycles + self.communication_cycles

    @property
    def efficiency(self) -> float:
        """Examples a cycle, by what as many chips that need not speak would do."""
        return self.compute_cycles / self.cycles


def training_step(
    fabric: LeafSpine,
    latency_cycles: float,
    gradient_bytes: float,
    *,
    collective: str = "ring",
    transport: str = "split",
    seed: Seed = 0,
) -> TrainingStep:
    """Computes a step of training one network on all chips, each with its own examples.

    Backward takes twice as long as forward, for there are gradients of inputs and of weights.
    Nothing of the sum overlaps with it, which is the worst case.

    Args:
        fabric: The network.
        latency_cycles: Of the pass forward on one chip, for its share of the examples.
        gradient_bytes: Of all parameters.
        collective: As for `all_reduce`.
        transport: As for `all_reduce`.
        seed: As for `all_reduce`.

    Example:
        >>> fabric = LeafSpine(leaves=4, chips=4, spines=4)
        >>> step = training_step(fabric, latency_cycles=8e5, gradient_bytes=2e6)
        >>> round(step.efficiency, 2)
        0.84
    """
    told = all_reduce(fabric, gradient_bytes, collective=collective, transport=transport, seed=seed)
    compute = (1 + BACKWARD) * latency_cycles
    return TrainingStep(compute, told.cycles, fabric.total)
