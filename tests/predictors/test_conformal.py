from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import UnknownNameError
from vitruvius.predictors import Conformal, Predictor, new_predictor
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract

CELLS = space("nasbench201")


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Conformal(CELLS, seed=seed, predictor="ridge")


@pytest.mark.parametrize(
    "name",
    [
        "ridge",
        "lightgbm:members=2",
        *(pytest.param(each, marks=pytest.mark.slow) for each in ("gp", "gnn", "average")),
    ],
)
def test_nine_of_ten_intervals_hold(name: str) -> None:
    x = CELLS.sample(600, 0)
    noise = torch.randn(600, generator=torch.Generator().manual_seed(1)).double()
    y = CELLS.statistics(x)["macs"].log() + 0.3 * noise
    made = new_predictor(f"conformal:predictor={name}", CELLS).fit(x[:100], y[:100])
    mean, std = made.predict_scores(x[100:])
    held = ((made.scores(y[100:]) - mean).abs() <= 1.6449 * std).double().mean()
    assert 0.84 < float(held) < 0.96


def test_few_labels_are_left_alone() -> None:
    x = CELLS.sample(10, 0)
    y = CELLS.statistics(x)["params"].double()
    made = Conformal(CELLS, predictor="ridge").fit(x, y)
    assert made.factor == 1
    plain = new_predictor("ridge", CELLS).fit(x, y)
    for ours, theirs in zip(made.predict(x), plain.predict(x), strict=True):
        torch.testing.assert_close(ours, theirs)
    with pytest.raises(UnknownNameError, match="predictor 'nope'"):
        Conformal(CELLS, predictor="nope")
