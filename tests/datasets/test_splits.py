from collections import Counter

import pytest
import torch
from hypothesis import given, strategies as st

from vitruvius.core.errors import UsageError
from vitruvius.datasets import RawGraph, RawImages, Splits, split


def images(labels: list[int] | torch.Tensor, splits: Splits | None = None) -> RawImages:
    labels = torch.as_tensor(labels)
    return RawImages(torch.zeros(len(labels), 1, 2, 2, dtype=torch.uint8), labels, splits=splits)


def graph(labels: list[float], splits: Splits | None = None) -> RawGraph:
    features = torch.ones(len(labels), 1)
    no_edges = torch.zeros(2, 0).long()
    return RawGraph.of_arrays(no_edges, features, torch.tensor(labels), splits=splits)


@given(
    labels=st.lists(st.integers(0, 4), min_size=5, max_size=60),
    seed=st.integers(0, 100),
    val=st.floats(0.05, 0.4),
    test=st.sampled_from([0.0, 0.1, 0.3]),
)
def test_parts_are_disjoint_whole_and_of_equal_shares(
    labels: list[int], seed: int, val: float, test: float
) -> None:
    raw = images(labels)
    parts = split(raw, seed, val, test)
    joined = torch.cat([parts.train, parts.val, parts.test])
    assert joined.sort().values.tolist() == list(range(len(labels)))
    assert set(raw.labels[parts.train].tolist()) == set(labels)  # the last of a class stays
    for share, part in ((val, parts.val), (test, parts.test)):
        found = Counter(raw.labels[part].tolist())
        for label, count in Counter(labels).items():
            assert found[label] - share * count <= 2
    again = split(raw, seed, val, test)
    for name, part in parts.parts().items():
        assert torch.equal(part, again.parts()[name])


def test_what_cannot_be_spared_is_not_drawn() -> None:
    parts = split(images([0, 1, 2, 2]), val=0.4, test=0.4)
    assert [len(part) for part in parts.parts().values()] == [3, 1, 0]
    assert len(split(images([0, 1])).val) == 0


def test_another_seed_draws_other_parts() -> None:
    raw = images([0, 1] * 20)
    assert not torch.equal(split(raw, 0).val, split(raw, 1).val)


def test_shares_are_kept_exactly_where_they_can_be() -> None:
    raw = images([0] * 80 + [1] * 20)
    parts = split(raw, val=0.2, test=0.1)
    assert [int(raw.labels[part].sum()) for part in parts.parts().values()] == [14, 4, 2]
    assert [len(part) for part in parts.parts().values()] == [70, 20, 10]


def test_given_parts_are_taken() -> None:
    train, val, test = torch.arange(10), torch.arange(10, 14), torch.arange(14, 20)
    labels = [0, 1] * 10
    parts = split(images(labels, Splits(train, val, test)), test=0.3)
    assert (parts.train.tolist(), parts.val.tolist(), parts.test.tolist()) == (
        train.tolist(),
        val.tolist(),
        test.tolist(),
    )
    drawn = split(images(labels, Splits(train, test=test)))
    assert drawn.test.tolist() == test.tolist()
    assert len(drawn.val) == 2
    assert sorted([*drawn.train.tolist(), *drawn.val.tolist()]) == train.tolist()
    alone = split(images(labels, Splits(train)), test=0.2)
    assert [len(part) for part in alone.parts().values()] == [6, 2, 2]
    assert set(torch.cat([alone.train, alone.val, alone.test]).tolist()) == set(train.tolist())
    rest = split(images(labels, Splits(torch.empty(0).long(), val, test)))
    assert rest.train.tolist() == train.tolist()


def test_nodes_without_a_label_are_in_no_part() -> None:
    parts = split(graph([0, -1, 1, 0, 1, -1, 0, 1]))
    assert not {1, 5} & set(torch.cat([parts.train, parts.val]).tolist())
    given = split(graph([0, -1, 1, 0], Splits(torch.tensor([0, 1, 2]), torch.tensor([3]))))
    assert given.train.tolist() == [0, 2]
    numbers = split(graph([0.5, torch.nan, 1.5, 2.5, 3.5]))
    assert 1 not in torch.cat([numbers.train, numbers.val]).tolist()


def test_targets_of_a_regression_are_drawn_uniformly() -> None:
    raw = images(torch.linspace(0, 1, 50))
    parts = split(raw, val=0.3)
    assert (len(parts.train), len(parts.val)) == (35, 15)


@pytest.mark.parametrize("shares", [(0.0, 0.0), (1.0, 0.0), (0.6, 0.4), (0.2, -0.1)])
def test_shares_out_of_range(shares: tuple[float, float]) -> None:
    with pytest.raises(UsageError, match="shares of val and test"):
        split(images([0, 1] * 5), 0, *shares)
