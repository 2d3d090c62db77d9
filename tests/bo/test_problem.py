"""Problems: what is asked, and what may be proposed."""

import pytest
import torch

from vitruvius.bo.problem import Problem
from vitruvius.core.errors import TargetError, UnknownNameError, UsageError
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import space

CELLS, NETS = space("nasbench201"), space("mobilenetv3")
QUALITY = Metric("quality", "%", "higher")


def table(rows: int) -> Table:
    x = NETS.sample(rows, 0)
    return Table(NETS, x, {"quality": torch.arange(len(x)).double()}, {"quality": QUALITY})


@pytest.fixture
def sparse(monkeypatch: pytest.MonkeyPatch) -> Problem:
    """A table that counts as too large to score."""
    monkeypatch.setattr("vitruvius.bo.problem.WHOLE", 10)
    return Problem.of(table(40), maximize="quality")


@pytest.mark.parametrize(
    ("wanted", "error", "message"),
    [
        ({}, UsageError, "Nothing to search for"),
        ({"maximize": "quality, quality"}, UsageError, "named twice"),
        ({"maximize": "quality", "minimize": "quality"}, UsageError, "named twice"),
        ({"maximize": "qualty"}, UnknownNameError, "quality"),
        ({"maximize": "quality", "where": "parms<=1"}, UnknownNameError, "params"),
    ],
)
def test_mistakes_are_told(wanted: dict[str, str], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as told:
        Problem(CELLS, {"quality": QUALITY}, **wanted)
    assert message in f"{told.value} {getattr(told.value, 'hint', '')}"


def test_what_is_counted_has_not_to_be_learned() -> None:
    problem = Problem(
        CELLS, {"quality": QUALITY}, maximize="quality", minimize="params", where="macs<=50M"
    )
    assert problem.multiple
    assert problem.learned == ("quality",)
    assert problem.exact_constraints.names == ("macs",)
    values = {"quality": torch.tensor([1.0, 2.0]), "params": torch.tensor([3.0, 4.0])}
    assert problem.scores(values).tolist() == [[1.0, -3.0], [2.0, -4.0]]
    assert problem.feasible({"macs": torch.tensor([4e7, 6e7]).double()}).tolist() == [True, False]
    assert problem.complete({"quality": 3.0})
    assert not problem.complete({"quality": float("inf")})


def test_a_pool_bounds_what_may_be_proposed() -> None:
    problem = Problem(CELLS, {"quality": QUALITY}, maximize="quality", where="params<=300k")
    assert not problem.bounded
    before = problem.listed()
    pool = CELLS.sample(50, 0)
    within = problem.within(pool)
    assert within.bounded
    listed = within.listed()
    assert before is not None
    assert listed is not None
    assert len(listed) < len(pool) < len(before)
    assert bool((CELLS.statistics(listed)["params"] <= 3e5).all())
    assert bool(torch.isin(CELLS.hashes(listed), CELLS.hashes(pool)).all())
    assert problem.listed() is before, "the problem itself is as it was"


def test_huge_spaces_cannot_be_listed_and_large_tables_can(sparse: Problem) -> None:
    assert Problem(NETS, {"quality": QUALITY}, maximize="quality").listed() is None
    listed = sparse.listed()
    assert listed is not None
    assert (len(listed), sparse.whole()) == (40, None)


def test_constraints_beyond_reach_are_refused_with_their_bound() -> None:
    problem = Problem(NETS, {"quality": QUALITY}, maximize="quality", where="params<=1M")
    with pytest.raises(TargetError, match=r"the smallest params in mobilenetv3 is 3\.41"):
        problem.check_reachable()
    problem = Problem.of(table(40), maximize="quality", where="params<=4.0M")
    with pytest.raises(TargetError, match="in the 40 rows there are is"):
        problem.check_reachable()


def test_what_a_limit_leaves_of_a_space_and_of_a_table(sparse: Problem) -> None:
    limited = Problem(NETS, {"quality": QUALITY}, maximize="quality", where="params<=5M")
    drawn = NETS.statistics(NETS.sample(2000, 1))["params"] <= 5e6
    assert limited.share_possible() == pytest.approx(float(drawn.double().mean()), abs=0.05)
    assert sparse.share_possible() == 1


def test_constraints_that_only_together_are_beyond_reach_are_refused() -> None:
    cells = space("nasbench201")
    problem = Problem(
        cells, {"quality": QUALITY}, maximize="quality", where="params<=80k, macs>=150M"
    )
    with pytest.raises(TargetError, match="No architecture meets all of"):
        problem.check_reachable()
