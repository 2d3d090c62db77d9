from collections.abc import Callable

import pytest
from scipy.stats import kendalltau

from vitruvius.predictors import Predictor, Pretrained
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Pretrained(space("nasbench201"), seed=seed, members=2, steps=100)


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
