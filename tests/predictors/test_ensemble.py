from collections.abc import Callable

import pytest

from vitruvius.predictors import Boosting, Ensemble, GraphNetwork, Predictor
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract

CELLS = space("nasbench201")


# Its members hold it one by one.
@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Ensemble(CELLS, seed=seed)


def test_it_is_of_trees_and_networks() -> None:
    x = CELLS.sample(20, 0)
    model = Ensemble(CELLS).fit(x, CELLS.statistics(x)["params"])
    trees, networks = model.members
    assert isinstance(trees, Boosting)
    assert isinstance(networks, GraphNetwork)
