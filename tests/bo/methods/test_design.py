import pytest
import torch

from vitruvius.bo import initial_design
from vitruvius.core.errors import UsageError
from vitruvius.spaces import Space, space

CELLS = space("nasbench201")


@pytest.mark.parametrize("name", ["nasbench201", "mobilenetv3"])
def test_rows_are_valid_distinct_and_seeded(name: str) -> None:
    kind = space(name)
    rows = initial_design(kind, 50, 0)
    assert len(rows.unique(dim=0)) == 50
    assert kind.is_valid(rows).all()
    assert torch.equal(rows, initial_design(kind, 50, 0))
    assert not torch.equal(rows, initial_design(kind, 50, 1))


@pytest.mark.parametrize("candidates", [CELLS, CELLS.enumerate()], ids=["space", "rows"])
def test_excluded_rows_do_not_come(candidates: Space | torch.Tensor) -> None:
    every = CELLS.enumerate()
    rows = initial_design(candidates, 10_000, 0, exclude=every[:6000])
    assert len(rows) == 466
    assert torch.equal(rows.unique(dim=0), every[6000:].unique(dim=0))


def test_excluded_rows_of_a_large_space() -> None:
    large = space("mobilenetv3")
    first = initial_design(large, 20, 0)
    again = initial_design(large, 20, 0, exclude=first)
    assert len(torch.cat([first, again]).unique(dim=0)) == 40


def test_an_exhausted_large_space(monkeypatch: pytest.MonkeyPatch) -> None:
    large = space("mobilenetv3")
    few = large.sample(3, 0)
    monkeypatch.setattr(type(large), "sample", lambda self, n, seed: few.repeat(n, 1)[:n])
    assert len(initial_design(large, 9, 0, exclude=few[:1])) == 2


def test_repeated_candidates_come_once() -> None:
    rows = CELLS.enumerate()[:4].repeat(3, 1)
    assert len(initial_design(rows, 12, 0)) == 4


def test_every_candidate_is_as_likely() -> None:
    rows = CELLS.enumerate()[:10]
    generator = torch.Generator().manual_seed(0)
    first = torch.cat([initial_design(rows, 1, generator) for _ in range(2000)])
    counts = (first[:, None] == rows).all(2).sum(0)
    # Chi-square with 9 degrees of freedom exceeds 30 once in 2,000 times.
    assert ((counts - 200.0) ** 2 / 200).sum() < 30


def test_none_and_fewer_than_none() -> None:
    assert initial_design(CELLS, 0, 0).shape == (0, 6)
    assert initial_design(space("mobilenetv3"), 0, 0).shape[0] == 0
    with pytest.raises(UsageError, match="at least 0"):
        initial_design(CELLS, -1)
