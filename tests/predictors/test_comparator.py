from collections.abc import Callable

import pytest
import torch

from vitruvius.predictors import Comparator, Predictor
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Comparator(space("nasbench201"), seed=seed, members=1, steps=100)


@pytest.mark.slow
def test_chances() -> None:
    cells = space("nasbench201")
    x = cells.sample(80, 0)
    y = cells.statistics(x)["params"].double()
    made = Comparator(cells, members=1).fit(x, y)
    chance = made.beats(x, x)
    torch.testing.assert_close(chance + chance.T, torch.ones(len(x), len(x)))
    apart = (y[:, None] - y).abs() > y.std()
    assert ((chance > 0.5) == (y[:, None] > y))[apart].double().mean() > 0.9
