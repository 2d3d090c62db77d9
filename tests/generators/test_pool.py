"""Gathering distinct proposals until enough meet a goal."""

from __future__ import annotations

import pytest
import torch

from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.generators import Guidance, Proposals, Uniform, load
from vitruvius.generators.pool import gather
from vitruvius.predictors import Goal
from vitruvius.spaces import space

CELLS = space("nasbench201")


def goal_of(text: str) -> Goal:
    return Goal(CELLS, parse_targets(text, exact_metrics(CELLS)), CELLS.statistics, {})


def test_pool_is_distinct_and_leaves_out_the_excluded() -> None:
    excluded = CELLS.enumerate()[:3000]
    pool = gather(goal_of(""), Uniform(), Guidance(), 500, exclude=excluded, seed=0)
    hashes = CELLS.hashes(pool.x)
    assert len(hashes.unique()) == len(hashes) >= 500
    assert not bool(torch.isin(hashes, CELLS.hashes(excluded)).any())


def test_counts_are_of_the_raw_proposals() -> None:
    pool = gather(
        goal_of("params<=0.2M"), Uniform(), Guidance(), 300, exclude=CELLS.enumerate()[:0]
    )
    assert pool.valid == pool.proposals
    assert pool.unique <= pool.valid
    share = float((CELLS.statistics(CELLS.enumerate())["params"] <= 2e5).double().mean())
    assert abs(pool.feasible / pool.proposals - share) < 0.1
    assert int((CELLS.statistics(pool.x)["params"] <= 2e5).sum()) >= 300


def test_what_meets_the_targets_comes_first_and_the_closest_next() -> None:
    pool = gather(
        goal_of("params<=0.08M"), Uniform(), Guidance(), 50, exclude=CELLS.enumerate()[:0]
    )
    params = CELLS.statistics(pool.x)["params"]
    met = params <= 8e4
    assert bool((met.int().diff() <= 0).all())
    assert bool((params[~met].diff() >= 0).all())


def test_invalid_proposals_are_counted_and_dropped() -> None:
    cells = space("nasbench101")

    class Half(Uniform):
        def propose(self, space: object, n: int, **options: object) -> Proposals:
            x = cells.sample(n, 0)
            x[::2] = 0
            return Proposals(x, cells.is_valid(x))

    goal = Goal(cells, parse_targets("", exact_metrics(cells)), cells.statistics, {})
    pool = gather(goal, Half(), Guidance(), 10, exclude=cells.enumerate()[:0])
    assert pool.valid == pool.proposals // 2
    assert bool(cells.is_valid(pool.x).all())


def test_same_seed_same_pool() -> None:
    source = load("nasbench201")
    none = CELLS.enumerate()[:0]
    a, b, c = (gather(goal_of(""), source, Guidance(), 20, exclude=none, seed=s) for s in (1, 1, 2))
    assert torch.equal(a.x, b.x)
    assert not torch.equal(a.x[:20], c.x[:20])


@pytest.mark.slow
def test_counted_targets_are_met_where_a_generator_proposes_nothing_that_does() -> None:
    nets = space("mobilenetv3")
    targets = parse_targets("params<=3.5M", exact_metrics(nets))
    goal = Goal(nets, targets, nets.statistics, {})
    pool = gather(goal, Uniform(), Guidance(), 3, exclude=nets.sample(0, 0))
    assert pool.feasible == 0
    assert bool(targets.satisfied(nets.statistics(pool.x[:3])).all())
