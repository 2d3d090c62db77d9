"""The goal: exact and predicted targets as one value."""

from __future__ import annotations

import math

import pytest
import torch

from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.predictors import GaussianProcess, Goal, GraphNetwork
from vitruvius.spaces import space

CELLS = space("nasbench201")


def goal_of(text: str, learnt: tuple[str, ...] = ()) -> Goal:
    x = CELLS.sample(60, 0)
    counts = CELLS.statistics(x)
    predictors = {name: GaussianProcess(CELLS).fit(x, counts[name]) for name in learnt}
    targets = parse_targets(text, exact_metrics(CELLS))
    return Goal(CELLS, targets, CELLS.statistics, predictors)


def test_exact_targets_decide_feasibility_and_slope_towards_the_target() -> None:
    goal = goal_of("params<=0.2M")
    x = CELLS.sample(200, 1)
    params = CELLS.statistics(x)["params"]
    assert torch.equal(goal.feasible(x), params <= 2e5)
    value = goal.log_value(x)
    assert bool((value[params <= 2e5] == 0).all())
    outside = params > 2e5
    order = params[outside].argsort()
    assert bool((value[outside][order].diff() <= 0).all())


def test_predicted_targets_add_their_log_probabilities() -> None:
    goal = goal_of("params<=0.2M, depth>=36, macs<=50M", learnt=("params", "depth"))
    assert goal.exact_targets.names == ("macs",)
    x = CELLS.sample(50, 2)
    chances = goal.log_probabilities(x)
    assert set(chances) == {"params", "depth"}
    met = goal.feasible(x)
    total = chances["params"] + chances["depth"]
    assert torch.allclose(goal.log_value(x)[met], total[met])
    assert torch.equal(met, CELLS.statistics(x)["macs"] <= 50e6)


def test_rows_that_are_no_architectures_have_no_value() -> None:
    cells = space("nasbench101")
    targets = parse_targets("params<=10M", exact_metrics(cells))
    goal = Goal(cells, targets, cells.statistics, {})
    x = torch.cat([torch.zeros(1, len(cells.variables), dtype=torch.long), cells.sample(1, 0)])
    value = goal.log_value(x)
    assert value[0] == -math.inf
    assert value[1].isfinite()


def test_without_targets_everything_is_feasible() -> None:
    goal = Goal(CELLS, parse_targets("", exact_metrics(CELLS)), CELLS.statistics, {})
    x = CELLS.sample(3, 0)
    assert bool(goal.feasible(x).all())
    assert goal.log_value(x).tolist() == [0.0] * 3


@pytest.mark.slow
def test_relaxed_value_agrees_with_the_exact_one_in_rank_and_costs_no_label() -> None:
    goal = goal_of("params<=0.2M")
    x = CELLS.sample(300, 3)
    network = GraphNetwork(CELLS)
    relaxed = goal.relaxed_log_value(network.graph.one_hot(CELLS.canonical(x))).detach()
    met = goal.feasible(x)
    assert float(relaxed[met].mean()) > float(relaxed[~met].mean()) + 1
