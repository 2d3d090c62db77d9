import json
import math

import pytest
import torch
from hypothesis import given, settings, strategies as st

from vitruvius.core.errors import UsageError
from vitruvius.encoders.tasks.task_description import TaskDescription, distances

NAMES = ("a", "b", "c", "d")
numbers = st.floats(-1e6, 1e6)
descriptions = st.lists(
    st.builds(
        TaskDescription,
        st.sampled_from(["graph", "image"]),
        st.dictionaries(st.sampled_from(NAMES), numbers),
    ),
    min_size=1,
    max_size=6,
)


def of(*rows: dict[str, float]) -> list[TaskDescription]:
    return [TaskDescription("graph", row) for row in rows]


@settings(max_examples=50, deadline=None)
@given(tasks=descriptions)
def test_what_every_distance_obeys(tasks: list[TaskDescription]) -> None:
    apart = distances(tasks)
    assert torch.equal(apart, apart.T)
    assert bool((apart.diagonal() == 0).all())
    assert bool((apart >= 0).all())
    for i, a in enumerate(tasks):
        for j, b in enumerate(tasks):
            if i != j and (a.kind != b.kind or not a.values.keys() & b.values.keys()):
                assert apart[i, j] == 2
            if a.kind == b.kind and a.values == b.values and a.values:
                assert apart[i, j] == 0


def test_two_tasks_are_at_distance_2_in_the_mean() -> None:
    draws = torch.randn(9, 4, generator=torch.Generator().manual_seed(0)) * torch.tensor(
        [1, 5, 0.1, 9]
    )
    apart = distances(of(*(dict(zip(NAMES, row, strict=True)) for row in draws.tolist())))
    assert float(apart.sum() / (9 * 8)) == pytest.approx(2)


def test_units_do_not_count() -> None:
    rows = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)).tolist()
    one = distances(of(*(dict(zip(NAMES, row, strict=True)) for row in rows)))
    other = [[1000 * a - 3, b / 7, c + 100, -d] for a, b, c, d in rows]
    torch.testing.assert_close(
        distances(of(*(dict(zip(NAMES, row, strict=True)) for row in other))), one
    )


def test_what_one_of_two_lacks_does_not_count() -> None:
    """Against the definition, value by value."""
    tasks = of({"a": 0.0, "b": 1.0}, {"a": 1.0}, {"a": 3.0, "b": 5.0}, {"b": 2.0})
    a, b = torch.tensor([0.0, 1, 3]).std().item(), torch.tensor([1.0, 5, 2]).std().item()
    apart = distances(tasks)
    assert apart[0, 1].item() == pytest.approx((1 / a) ** 2)
    assert apart[0, 2].item() == pytest.approx(((3 / a) ** 2 + (4 / b) ** 2) / 2)
    assert apart[2, 3].item() == pytest.approx((3 / b) ** 2)
    assert apart[1, 3].item() == 2


def test_rounding_is_no_difference() -> None:
    apart = distances(of({"a": 1.0, "b": 1.0}, {"a": 1.0 + 1e-9, "b": 2.0}))
    assert apart[0, 1].item() == pytest.approx(1)


def test_through_json() -> None:
    one = TaskDescription("probes", {"probe 0": 0.1 + 0.2})
    assert TaskDescription.from_json(json.loads(json.dumps(one.to_json()))) == one
    for broken in ({}, {"kind": "graph", "values": [1]}, {"kind": "graph", "values": {"a": None}}):
        with pytest.raises(UsageError, match="no description"):
            TaskDescription.from_json(broken)


def test_values_are_finite_and_kinds_known() -> None:
    with pytest.raises(UsageError, match="'a' is nan"):
        TaskDescription("graph", {"a": math.nan})
    with pytest.raises(UsageError, match="graph, image, probes"):
        TaskDescription.from_json({"kind": "text", "values": {}})
