from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from vitruvius.core.errors import UsageError
from vitruvius.encoders import View
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.predictors import Mixer, Predictor, new_predictor
from vitruvius.spaces import Space, space
from vitruvius.testing import PredictorContract

CELLS = space("nasbench201")


class Edges(Evaluator):
    """The parameters of each operation, one after the other."""

    batched = True

    def __init__(self, space: Space) -> None:
        names = [f"edge.{edge}" for edge in range(6)]
        super().__init__(space, {name: Metric(name, "", "higher") for name in names})

    def evaluate(self, architecture, fidelity=None, seed=0, context=None) -> Evaluation:
        raise NotImplementedError

    def values(self, x: Tensor, fidelity: int | None = None) -> dict[str, Tensor]:
        size = torch.tensor([0.0, 0.0, 1.0, 9.0, 0.0]).double()[self.space.canonical(x)]
        return {f"edge.{edge}": size[:, edge] for edge in range(6)}


VIEW = View(Edges(CELLS))


@pytest.mark.slow
class TestContract(PredictorContract):
    @pytest.fixture(scope="class")
    @classmethod
    def make(cls) -> Callable[[int], Predictor]:
        def made(seed: int) -> Predictor:
            mixer = Mixer(CELLS, seed=seed, members=1)
            mixer.views = (VIEW,)
            return mixer

        return made


def test_it_needs_views() -> None:
    with pytest.raises(UsageError, match="there are none"):
        new_predictor("mixer", CELLS)
