from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from vitruvius import search
from vitruvius.bo.method import Method
from vitruvius.bo.methods import RoBoT
from vitruvius.bo.problem import Problem
from vitruvius.core.errors import UsageError
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.spaces import Space, space
from vitruvius.testing import MethodContract
from vitruvius.testing.methods import quality_and_cost, search as searched

DATA = Path(__file__).parents[4] / "shared" / "data"


class Choices(Evaluator):
    """The first and the last choices, and one that says nothing."""

    batched = True

    def __init__(self, space: Space) -> None:
        names = ("first", "last", "nothing")
        super().__init__(space, {name: Metric(name, "", "higher") for name in names})

    def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
        made = self.space.architecture(architecture)
        told = self.values(torch.tensor([made.canonical]))
        return Evaluation(made, {name: float(column) for name, column in told.items()})

    def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
        x = self.space.canonical(x).double()
        noise = (self.space.hashes(x.long()) % 97).double()
        half = x.shape[1] // 2
        return {"first": x[:, :half].sum(1), "last": x[:, half:].sum(1), "nothing": noise}


make_robot = partial(RoBoT, views=[f"{__file__}:Choices"], rounds=8, pool=40)


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return make_robot


def test_weights_are_searched_for_then_believed() -> None:
    problem = Problem(space("toy_recipe.yaml"), quality_and_cost(), maximize="quality")
    history = searched(make_robot(), problem, 14)
    sources = [trial.source for trial in history.trials[4:]]
    assert sources == sorted(sources, reverse=True)
    assert set(sources) == {"weights", "greedy"}
    best = problem.scores(history.values)[:, 0].max()
    everything = searched(RoBoT(views=[f"{__file__}:Choices"], rounds=0), problem, 14)
    assert {trial.source for trial in everything.trials[4:]} == {"uniform"}
    assert best >= problem.scores(everything.values)[:, 0].max()


def test_without_proxies() -> None:
    with pytest.raises(UsageError, match="needs proxies"):
        RoBoT(views=[])


@pytest.mark.slow
@pytest.mark.skipif(not (DATA / "nb201.npz").is_file(), reason="the tables are not there")
def test_twenty_queries_on_a_published_table() -> None:
    """As the paper has it: above what the best single proxy finds, far above random search."""
    best = []
    for seed in range(5):
        told = search(
            "nasbench201",
            evaluator=DATA / "nb201.npz",
            metrics="accuracy=c10_valid_e12",
            maximize="accuracy",
            method=f"robot:views=[{DATA / 'nb201_proxies.npz'}]",
            budget=20,
            seed=seed,
        )
        best.append(told.best[0].metrics["accuracy"])
    random = search(
        "nasbench201",
        evaluator=DATA / "nb201.npz",
        metrics="accuracy=c10_valid_e12",
        maximize="accuracy",
        method="random",
        budget=20,
    )
    assert np.mean(best) > random.best[0].metrics["accuracy"]
