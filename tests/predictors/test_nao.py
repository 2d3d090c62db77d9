from collections.abc import Callable

import pytest
import torch

from vitruvius.predictors import NAO, Predictor, SemiNAS
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: NAO(space("nasbench201"), seed=seed, members=2, steps=80)


@pytest.mark.slow
class TestSemiSupervisedContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: SemiNAS(space("nasbench201"), seed=seed, members=2, steps=80)


@pytest.mark.slow
def test_guesses_change_what_is_learnt_and_bring_members_together() -> None:
    cells = space("nasbench201")
    x = cells.sample(60, 0)
    y = cells.statistics(x)["params"]
    plain = NAO(cells, members=2, steps=40).fit(x, y)
    semi = SemiNAS(cells, members=2, steps=40).fit(x, y)
    new = cells.sample(200, 1)
    truth = cells.statistics(new)["params"]

    def error(model: Predictor) -> float:
        return float((model.predict_scores(new)[0] - model.scores(truth)).square().mean())

    assert error(semi) < 1.2 * error(plain)
    assert float(semi._votes(new).std(0).mean()) < float(plain._votes(new).std(0).mean())


def test_the_decoder_is_kept() -> None:
    """Its networks reconstruct, so that they can be optimised in the embedding."""
    cells = space("nasbench201")
    x = cells.sample(40, 0)
    model = NAO(cells, members=1, steps=120)
    model.fit(x, cells.statistics(x)["params"])
    rows = cells.sample(200, 1)
    with torch.no_grad():
        decoded = model.networks[0].logits(model.networks[0].encode(rows)).argmax(-1)
    assert float((decoded == rows).double().mean()) > 0.9
