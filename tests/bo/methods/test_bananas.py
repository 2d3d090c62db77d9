from collections.abc import Callable

import pytest
import torch

from vitruvius.bo.method import Method
from vitruvius.bo.methods import Bananas
from vitruvius.bo.trial import History
from vitruvius.testing import MethodContract

Near = Callable[[History, tuple[int, ...]], set[int]]


@pytest.mark.slow
class TestContract(MethodContract):
    @pytest.fixture
    def make(self) -> Callable[[], Method]:
        return Bananas


def test_neighbours_of_the_best_are_the_candidates(five: History, near: Near) -> None:
    for seed in range(3):
        found = Bananas(parents=2, steps=5).propose(five, seed)
        assert found is not None
        assert near(five, found.row) & {2, 4}


def test_the_ensemble_learns_and_its_members_differ() -> None:
    x = torch.eye(6)
    z = torch.linspace(-1, 1, 6)
    mean, std = Bananas(members=4)._ensemble(x, z, x, 0)
    assert float((mean - z).abs().max()) < 0.2
    far = Bananas(members=4)._ensemble(x, z, 3 * torch.ones(1, 6), 0)[1]
    assert float(far) > float(std.max())


def test_each_candidate_is_drawn_by_itself(five: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the ensemble knows nothing, any may win; where it is certain, the best does."""

    def told(deviation: float) -> set[tuple[int, ...]]:
        def ensemble(self, known, z, new, seed):  # type: ignore[no-untyped-def]
            return torch.arange(len(new)).float(), torch.full((len(new),), deviation)

        monkeypatch.setattr(Bananas, "_ensemble", ensemble)
        found = [Bananas().propose(five, seed) for seed in range(8)]
        return {each.row for each in found if each is not None}

    assert len(told(1e-3)) == 1
    assert len(told(1e3)) > 3
