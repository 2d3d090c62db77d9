from collections.abc import Callable

import pytest
import torch

from vitruvius.predictors import Boosting, Predictor
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Boosting(space("nasbench201"), seed=seed)


def test_seeds_differ() -> None:
    cells = space("nasbench201")
    x = cells.sample(60, 0)
    y = cells.statistics(x)["params"]
    a, b = (Boosting(cells, seed=seed, members=2).fit(x, y).predict_scores(x)[0] for seed in (0, 1))
    assert not torch.equal(a, b)


def test_noise_shows_in_the_deviation() -> None:
    cells = space("nasbench201")
    x = cells.sample(200, 0)
    y = cells.statistics(x)["params"].log()
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
    _, clean = Boosting(cells).fit(x, y).predict_scores(x)
    _, noisy = Boosting(cells).fit(x, y + 3 * noise).predict_scores(x)
    assert noisy.mean() > 2 * clean.mean()
