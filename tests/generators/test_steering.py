"""From a goal and a choice of forms to guidance."""

from __future__ import annotations

import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.generators import Uniform, load
from vitruvius.generators.steering import reference_set, steer
from vitruvius.predictors import GaussianProcess, Goal
from vitruvius.spaces import space

CELLS = space("nasbench201")


def goal_of(text: str, learnt: tuple[str, ...] = ()) -> Goal:
    x = CELLS.sample(30, 0)
    counts = CELLS.statistics(x)
    predictors = {name: GaussianProcess(CELLS).fit(x, counts[name]) for name in learnt}
    targets = parse_targets(text, exact_metrics(CELLS))
    return Goal(CELLS, targets, CELLS.statistics, predictors)


@pytest.mark.parametrize(
    ("goal", "expected"),
    [
        (goal_of(""), "none"),
        (goal_of("params<=0.2M"), "classifier-free"),
        (goal_of("params<=0.2M, macs<=50M", ("macs",)), "classifier-free+resampling"),
    ],
)
def test_auto_takes_conditions_where_it_can_and_resampling_where_it_must(
    goal: Goal, expected: str
) -> None:
    assert steer(goal, load("nasbench201")).name == expected
    assert steer(goal, Uniform()).name == "none"


def test_gradients_go_no_further_than_bayes_rule() -> None:
    guidance = steer(goal_of("params<=0.2M"), load("nasbench201"), "gradient")
    assert guidance.gradient is not None
    assert (guidance.gradient.scale, guidance.gradient.best) == (1.0, 0.0)


def test_conditions_lie_in_the_target_and_spread_over_the_rest() -> None:
    guidance = steer(goal_of("params=0.2M±5%, depth>=36"), load("nasbench201"))
    assert guidance.classifier_free is not None
    values = guidance.classifier_free.conditions(200, torch.Generator().manual_seed(0))
    assert set(values) == {"params", "depth"}
    assert bool(((values["params"] >= 1.9e5) & (values["params"] <= 2.1e5)).all())
    assert bool((values["depth"] >= 36).all())
    assert len(values["depth"].unique()) > 1


def test_mistakes_are_named() -> None:
    source = load("nasbench201")
    with pytest.raises(UnknownNameError, match="gradient"):
        steer(goal_of("params<=0.2M"), source, "gradiant")
    with pytest.raises(UsageError, match="needs a target"):
        steer(goal_of(""), source, "gradient")
    with pytest.raises(UsageError, match="conditions"):
        steer(goal_of("params<=0.2M"), Uniform(), "classifier-free")


def test_reference_is_the_space_where_it_is_small() -> None:
    assert len(reference_set(CELLS, 0)) == CELLS.architecture_count
    large = reference_set(space("mobilenetv3"), 0)
    assert torch.equal(large, reference_set(space("mobilenetv3"), 0))
    assert len(large) == 20_000
