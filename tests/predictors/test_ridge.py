from collections.abc import Callable

import numpy as np
import pytest
import torch
from sklearn.linear_model import BayesianRidge

from vitruvius.predictors import Predictor, Ridge
from vitruvius.predictors.ridge import _matrix
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Ridge(space("nasbench201"), seed=seed)


def test_agrees_with_another_implementation() -> None:
    """scikit-learn maximises the same marginal likelihood by iteration; its constant is free of
    the prior."""
    cells = space("nasbench201")
    x = cells.sample(200, 0).unique(dim=0)
    noise = torch.randn(len(x), generator=torch.Generator().manual_seed(0))
    y = cells.statistics(x)["depth"] + noise
    held, train = x[:50], x[50:]
    ours = Ridge(cells, features=("one-hot",)).fit(train, y[50:])
    mean, std = ours.predict_scores(held)
    features = _matrix(ours._encode(torch.cat([train, held])))[:, :-1].numpy()
    theirs = BayesianRidge(tol=1e-8, max_iter=3000).fit(
        features[: len(train)], ours.scores(y[50:]).numpy()
    )
    expected, deviation = theirs.predict(features[len(train) :], return_std=True)
    np.testing.assert_allclose(mean.numpy(), expected, atol=0.06)
    np.testing.assert_allclose(std.numpy(), deviation, rtol=0.05)


def test_a_sum_of_parts_is_learnt_from_as_many_labels_as_parts() -> None:
    nets = space("mobilenetv3")
    x = nets.canonical(nets.sample(400, 0))
    y = (x * torch.arange(x.shape[1])).sum(1).double()
    mean, _ = Ridge(nets, features=("one-hot",)).fit(x[:300], y[:300]).predict(x[300:])
    assert float(torch.corrcoef(torch.stack([mean, y[300:]]))[0, 1]) > 0.97
