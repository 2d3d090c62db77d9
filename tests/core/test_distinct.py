import torch
from hypothesis import given, strategies as st

from vitruvius.core.distinct import distinct_rows, first_of_each

tables = st.integers(1, 70).flatmap(
    lambda width: st.lists(
        st.lists(st.integers(0, 9), min_size=width, max_size=width), min_size=1, max_size=12
    )
)


@given(tables)
def test_distinct_rows_are_those_of_torch(rows: list[list[int]]) -> None:
    x = torch.tensor(rows + rows[:3])
    found, inverse = distinct_rows(x)
    expected, theirs = x.unique(dim=0, return_inverse=True)
    assert torch.equal(found, expected)
    assert torch.equal(inverse, theirs)
    assert torch.equal(found[inverse], x)


def test_no_rows_and_large_numbers() -> None:
    found, inverse = distinct_rows(torch.zeros(0, 3, dtype=torch.long))
    assert (found.shape, inverse.shape) == ((0, 3), (0,))
    x = torch.tensor([[2**40, 2**40, 1], [2**40, 2**40, 0], [2**40, 0, 5]])
    assert torch.equal(distinct_rows(x)[0], x.unique(dim=0))


def test_where_each_occurs_first() -> None:
    kinds, first = first_of_each(torch.tensor([5, 5, 2, 9, 2]))
    assert (kinds.tolist(), first.tolist()) == ([2, 5, 9], [2, 0, 3])
