"""What may be proposed is found where it is a small part of a huge space."""

import pytest
import torch

from vitruvius.bo.draws import draw_possible, draw_rare, possible_neighbours
from vitruvius.bo.problem import Problem
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import space

NETS = space("mobilenetv3")
QUALITY = Metric("quality", "%", "higher")
NOTHING = torch.zeros(0, dtype=torch.long)


def table(rows: int) -> Table:
    x = NETS.sample(rows, 0)
    return Table(NETS, x, {"quality": torch.arange(len(x)).double()}, {"quality": QUALITY})


@pytest.fixture
def sparse(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """A table of 40 networks among 10^20 that counts as too large to score."""
    monkeypatch.setattr("vitruvius.bo.problem.WHOLE", 10)
    return Problem.of(table(40), maximize="quality")


def test_rows_of_a_table_are_drawn_whatever_part_of_the_space_they_are(sparse: Problem) -> None:
    rows = draw_possible(sparse, 15, 0)
    assert len(NETS.hashes(rows).unique()) == 15
    assert bool(sparse.possible(rows).all())
    assert len(draw_possible(sparse, 100, 0)) == 40


def test_what_is_excluded_is_not_drawn_and_nothing_is_left_in_the_end(sparse: Problem) -> None:
    listed = sparse.listed()
    assert listed is not None
    left = draw_rare(sparse, 40, 0, NETS.hashes(listed[:38]))
    assert sorted(NETS.hashes(left).tolist()) == sorted(NETS.hashes(listed[38:]).tolist())
    assert len(draw_rare(sparse, 1, 0, NETS.hashes(listed))) == 0


def test_near_a_row_of_a_sparse_table_are_the_rows_most_like_it(sparse: Problem) -> None:
    listed = sparse.listed()
    assert listed is not None
    near = possible_neighbours(sparse, listed[0])
    changed = (near != listed[0]).sum(1)
    assert len(near) == 39
    assert changed.tolist() == sorted(changed.tolist())
    assert changed[0] > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    "where",
    ["params<=4.0M", "macs<=63M", "params<=4.1M, macs>=180M", "params=5M±0.001%", "depth<=50"],
)
def test_counted_constraints_that_draws_miss_are_met(where: str) -> None:
    problem = Problem(NETS, {"quality": QUALITY}, maximize="quality", where=where)
    drawn = NETS.sample(1000, 0)
    assert int(problem.possible(drawn).sum()) < 5
    rows = draw_possible(problem, 3, 0)
    assert len(NETS.hashes(rows).unique()) == 3
    assert bool(problem.possible(rows).all())
