"""The average of predictors."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from vitruvius.predictors import Average, Boosting, GraphNetwork, Predictor
from vitruvius.predictors.average import SPLIT
from vitruvius.spaces import space
from vitruvius.testing import PredictorContract

CELLS = space("nasbench201")


# Its members hold it one by one.
@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        return lambda seed: Average(CELLS, seed=seed)


def test_members_answer_in_the_unit_of_the_labels() -> None:
    x = CELLS.sample(60, 0)
    params = CELLS.statistics(x)["params"]
    average = Average(CELLS).fit(x, params)
    assert any(isinstance(member, GraphNetwork) for member in average.members)
    for member in average.members:
        mean, _ = member.predict(x)
        assert 0.3 < float(mean.median() / params.median()) < 3


@pytest.mark.slow
def test_trees_have_a_say_where_there_are_labels_to_split() -> None:
    x = CELLS.sample(SPLIT, 0)
    average = Average(CELLS)
    for count, votes in ((SPLIT - 1, (2, 1)), (SPLIT, (1, 1, 1))):
        average.fit(x[:count], CELLS.statistics(x)["params"][:count])
        said = any(isinstance(member, Boosting) for member in average.members)
        assert (average.votes, said) == (votes, len(votes) == 3)
