import torch

from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.targets import exact_metrics, parse_targets
from vitruvius.generators.guidance import Guidance
from vitruvius.generators.pool import gather
from vitruvius.generators.refining import refined
from vitruvius.generators.uniform import Uniform
from vitruvius.predictors.goal import Goal
from vitruvius.predictors.posterior import Posterior
from vitruvius.predictors.predictor import Predictor
from vitruvius.spaces import Space, space


class Counted(Predictor):
    """Knows how many 3x3 convolutions there are in the first cell, and is sure of it."""

    def _fit(self, *_: object) -> None:
        raise NotImplementedError

    def _posterior(self, *_: object) -> Posterior:
        raise NotImplementedError

    def log_probability(
        self, x: torch.Tensor, low: float, high: float, **_: object
    ) -> torch.Tensor:
        count = (x[:, :6] == 3).sum(1).double()
        return -((low - count).clamp(min=0) ** 2)


def goal_of(found: Space, text: str) -> Goal:
    name = "convolutions"
    targets = parse_targets(text, {**exact_metrics(found), name: Metric(name, "", "higher")})
    return Goal(found, targets, found.statistics, {name: Counted(found)})


def test_what_is_at_odds_is_met_at_once() -> None:
    nets = space("nasbench201:width=4,cells=1 x nasbench201:width=4,cells=1")
    # Four 3x3 convolutions in the first, and hardly anything in the second: few draws.
    goal = goal_of(nets, "params<=22.2k, convolutions>=4")
    generator = torch.Generator().manual_seed(0)
    drawn = nets.sample(2000, 0)
    met = goal.feasible(drawn) & ((drawn[:, :6] == 3).sum(1) >= 4)
    found = refined(goal, drawn, 20, generator)
    assert goal.feasible(found[:20]).all()
    assert ((found[:20, :6] == 3).sum(1) >= 4).all()
    assert int(met.sum()) < 20
    assert len(nets.hashes(found).unique()) == len(found)
    assert nets.is_valid(found).all()


def test_values_fall_and_seeds_repeat() -> None:
    nets = space("mobilenetv3")
    goal = goal_of(nets, "params<=4.2M, convolutions>=1")
    x = nets.sample(64, 0)
    once, again = (refined(goal, x, 8, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(once, again)
    value = goal.log_value(once)
    assert (value[1:] <= value[:-1]).all()
    assert value[0] >= goal.log_value(x).max()


def test_scarce_proposals_are_improved() -> None:
    nets = space("nasbench201:width=4,cells=1 x nasbench201:width=4,cells=1")
    goal = goal_of(nets, "params<=22.2k, convolutions>=4")
    pool = gather(goal, Uniform(), Guidance(), 10, exclude=nets.sample(0, 0))
    assert ((pool.x[:10, :6] == 3).sum(1) >= 4).all()
    assert goal.feasible(pool.x[:10]).all()
