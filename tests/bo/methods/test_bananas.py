from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import Bananas
from vitruvius.bo.problem import Problem
from vitruvius.bo.trial import History, Trial
from vitruvius.evaluators import Evaluation, Metric
from vitruvius.spaces import space
from vitruvius.testing import MethodContract

CELLS = space("nasbench201")
PROBLEM = Problem(CELLS, {"a": Metric("a", "", "higher")}, maximize="a")


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return Bananas


def measured(values: list[float]) -> History:
    """Far from each other, so that no two share a neighbour by chance alone."""
    rows = CELLS.enumerate()[:: 6466 // len(values)][: len(values)].tolist()
    found = [
        Evaluation(CELLS.architecture(row), {"a": value})
        for row, value in zip(rows, values, strict=True)
    ]
    return History(PROBLEM, [Trial.of(i, each) for i, each in enumerate(found)])


def near(history: History, row: tuple[int, ...]) -> set[int]:
    """Numbers of the trials that an architecture is one change away from."""
    mine = CELLS.hashes(torch.tensor([row]))
    return {
        i
        for i, each in enumerate(history.x)
        if bool(torch.isin(mine, CELLS.hashes(CELLS.neighbours(each))))
    }


def test_neighbours_of_the_best_are_the_candidates() -> None:
    history = measured([3.0, 1.0, 9.0, 2.0, 5.0])
    for seed in range(3):
        found = Bananas(parents=2, steps=5).propose(history, seed)
        assert found is not None
        assert near(history, found.row) & {2, 4}


def test_the_ensemble_learns_and_its_members_differ() -> None:
    x = torch.eye(6)
    z = torch.linspace(-1, 1, 6)
    mean, std = Bananas(members=4)._ensemble(x, z, x, 0)
    assert float((mean - z).abs().max()) < 0.2
    far = Bananas(members=4)._ensemble(x, z, 3 * torch.ones(1, 6), 0)[1]
    assert float(far) > float(std.max())


def test_each_candidate_is_drawn_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ensemble knows nothing, any may win; where it is certain, the best does."""
    history = measured([3.0, 1.0, 9.0, 2.0, 5.0])

    def told(deviation: float) -> set[tuple[int, ...]]:
        def ensemble(self, known, z, new, seed):  # type: ignore[no-untyped-def]
            return torch.arange(len(new)).float(), torch.full((len(new),), deviation)

        monkeypatch.setattr(Bananas, "_ensemble", ensemble)
        found = [Bananas().propose(history, seed) for seed in range(8)]
        return {each.row for each in found if each is not None}

    assert len(told(1e-3)) == 1
    assert len(told(1e3)) > 3
