"""Collectives in leaf-spine networks: single ways with a few splits are as good as spraying."""

import itertools
import math

import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators.hardware.interconnect import (
    COLLECTIVES,
    Flows,
    LeafSpine,
    all_reduce,
    congestion,
    shares,
    training_step,
)

SMALL = [
    LeafSpine(leaves, chips, spines, 4.0)
    for leaves, chips, spines in itertools.product((1, 2, 3, 4), (1, 2, 4), (1, 2, 3, 4))
    if leaves * chips > 1
]


def between(count: int, size: float = 6.0) -> Flows:
    """Flows from the first leaf of four chips to the second."""
    sides = torch.arange(count)
    return Flows(sides % 4, 4 + sides % 4, torch.full((count,), size, dtype=torch.float64))


@pytest.mark.parametrize("collective", COLLECTIVES)
def test_no_link_carries_more_than_with_ideal_spraying(collective: str) -> None:
    tried = 0
    for fabric in SMALL:
        if collective == "halving" and fabric.total & (fabric.total - 1):
            continue
        tried += 1
        for _, flows in COLLECTIVES[collective](fabric.total, 60.0):
            ideal, _ = congestion(fabric, flows, "spray")
            split, pieces = congestion(fabric, flows, "split")
            assert split == pytest.approx(ideal, rel=1e-12)
            assert pieces <= congestion(fabric, flows, "spray")[1]
            # All of every flow goes somewhere.
            assert shares(fabric, flows).sum(1).allclose(torch.ones(1, dtype=torch.float64))
    assert tried > 20


@pytest.mark.parametrize("spines", range(1, 7))
@pytest.mark.parametrize("count", range(1, 9))
def test_as_few_pieces_as_can_be(count: int, spines: int) -> None:
    parts = shares(LeafSpine(2, 4, spines), between(count))
    assert int((parts > 0).sum()) == count + spines - math.gcd(count, spines)
    assert parts.sum(0).tolist() == pytest.approx([count / spines] * spines)


@pytest.mark.parametrize(("count", "spines"), [(2, 3), (3, 2), (4, 3), (5, 4), (4, 2), (6, 3)])
def test_without_splitting_the_ideal_is_met_only_where_flows_divide(
    count: int, spines: int
) -> None:
    fullest = min(
        max(ways.count(spine) for spine in range(spines))
        for ways in itertools.product(range(spines), repeat=count)
    )
    assert (fullest == count / spines) == (count % spines == 0)


def test_flows_of_different_sizes_load_all_spines_alike() -> None:
    flows = Flows(torch.arange(3), 4 + torch.arange(3), torch.tensor([1.0, 5.0, 3.0]).double())
    carried = shares(LeafSpine(2, 4, 3), flows) * flows.size[:, None]
    assert carried.sum(0).tolist() == pytest.approx([3.0] * 3)


def test_hashing_is_no_better() -> None:
    fabric = LeafSpine(4, 4, 4)
    split = all_reduce(fabric, 1e6, collective="direct")
    hashed = [
        all_reduce(fabric, 1e6, collective="direct", transport="hash", seed=seed).cycles
        for seed in range(5)
    ]
    assert min(hashed) > split.cycles
    again = all_reduce(fabric, 1e6, collective="direct", transport="hash", seed=3)
    assert again.cycles == hashed[3]


def test_a_ring_in_one_leaf_is_the_closed_form() -> None:
    told = all_reduce(LeafSpine(1, 8, 1, 2.0), 800.0)
    assert told.cycles == 2 * 7 * 100 / 2
    assert (told.pieces, told.flows) == (2 * 7 * 8, 2 * 7 * 8)


def test_more_chips_are_less_efficient_and_wider_links_more() -> None:
    told = [training_step(LeafSpine(n, 4, 4), 1e5, 1e6).efficiency for n in (1, 2, 4)]
    assert told == sorted(told, reverse=True)
    wide = training_step(LeafSpine(4, 4, 4, 64.0), 1e5, 1e6)
    assert told[2] < wide.efficiency < 1
    assert wide.compute_cycles == 3e5


def test_what_makes_no_sense() -> None:
    fabric = LeafSpine(3, 1, 2)
    with pytest.raises(UsageError, match="power of two of chips, got 3"):
        all_reduce(fabric, 1.0, collective="halving")
    with pytest.raises(UnknownNameError, match="collective 'tree'"):
        all_reduce(fabric, 1.0, collective="tree")
    with pytest.raises(UnknownNameError, match="transport 'magic'"):
        all_reduce(fabric, 1.0, transport="magic")
    with pytest.raises(UsageError, match="1 leaves, 1 chips"):
        LeafSpine(1, 1, 1)
    with pytest.raises(UsageError, match="more than 0"):
        LeafSpine(2, 1, 1, 0.0)
