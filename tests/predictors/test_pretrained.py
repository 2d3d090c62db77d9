from collections.abc import Callable

import pytest
import torch
from scipy.stats import kendalltau
from torch import Tensor

from vitruvius.encoders import View
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.predictors import Predictor, Pretrained
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Pretrained(space("nasbench201"), seed=seed, members=1, steps=100)


@pytest.mark.slow
def test_counts_are_known_before_labels() -> None:
    """Of what can be counted ten labels tell more to one that has counted."""
    cells = space("nasbench201")
    x = cells.sample(300, 0)
    y = cells.statistics(x)["macs"].double()
    tau = [
        kendalltau(
            Pretrained(cells, members=1, steps=80, pretrain=pretrain)
            .fit(x[:10], y[:10])
            .predict(x[10:])[0]
            .numpy(),
            y[10:].numpy(),
        ).statistic
        for pretrain in (False, True)
    ]
    assert tau[0] < tau[1]
    assert tau[1] > 0.8


def test_where_nothing_can_be_counted() -> None:
    recipes = space("toy_recipe.yaml")
    x = recipes.sample(20, 0)
    made = Pretrained(recipes, members=1, steps=5).fit(x, x.sum(1).double())
    assert made.predict(x)[0].shape == (20,)


@pytest.mark.slow
def test_what_a_view_tells_is_learned_before_labels() -> None:
    """Ten labels of what is a cheap score with noise."""
    cells = space("nasbench201")
    x = cells.sample(300, 0)
    generator = torch.Generator().manual_seed(0)
    weights = torch.randn(len(cells.variables), 5, generator=generator).double()

    class Cheap(Evaluator):
        batched = True

        def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
            raise NotImplementedError

        def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
            return {"cheap": weights.gather(1, self.space.canonical(x).T).sum(0)}

    view = View(Cheap(cells, {"cheap": Metric("cheap", "", "higher")}))
    truth = view.evaluator.values(x)["cheap"]
    y = truth + 0.3 * torch.randn(300, generator=generator).double()
    tau = []
    for views in ((), (view,)):
        made = Pretrained(cells, members=1, steps=80)
        made.views = views
        guess = made.fit(x[:10], y[:10]).predict(x[10:])[0]
        tau.append(kendalltau(guess.numpy(), truth[10:].numpy()).statistic)
    assert tau[0] < 0.5 < tau[1]
