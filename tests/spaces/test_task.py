from __future__ import annotations

import pytest
from hypothesis import given, strategies as st

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import GraphTask, ImageTask, ProductSpace, space
from vitruvius.spaces.task import parse_task


@given(st.tuples(*[st.integers(1, 10**6)] * 3), st.tuples(*[st.integers(0, 9)] * 4))
def test_what_is_written_is_read(some: tuple[int, ...], more: tuple[int, ...]) -> None:
    classes, features, hidden = some
    head, stem, nodes, edges = more
    task = GraphTask(classes, features, hidden, max(1, head), stem, nodes, edges)
    assert parse_task(str(task), GraphTask()) == task


@pytest.mark.parametrize(
    "text", ["classes", "classes=0", "classes=-1", "classes=ten", "classes=1.5"]
)
def test_values_out_of_range(text: str) -> None:
    with pytest.raises(UsageError, match="whole number of at least 1"):
        parse_task(text, ImageTask())


def test_fields_of_other_tasks() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'features'"):
        parse_task("feature=3", GraphTask())


def test_a_space_for_a_task_counts_and_builds_for_it() -> None:
    graphs = space("nas-bench-graph")
    task = GraphTask(classes=6, features=3703)
    mine = graphs.for_task(task)
    a = mine.architecture(mine.example)
    counted = int(mine.statistics(graphs.sample(0, 0).new_tensor([a.indices]))["params"])
    assert counted == sum(p.numel() for p in mine.build(a).parameters())
    assert counted != int(graphs.statistics(graphs.sample(0, 0).new_tensor([a.indices]))["params"])
    assert mine.architecture(mine.example) == graphs.architecture(graphs.example)
    assert (graphs.task.features, mine.task.features) == (1433, 3703)
    with pytest.raises(UsageError, match="for a GraphTask, not a ImageTask"):
        graphs.for_task(ImageTask())


def test_a_product_hands_a_task_to_the_parts_of_its_kind() -> None:
    parts = {"graph": space("nas-bench-graph"), "recipe": space("toy_recipe.yaml")}
    pair = ProductSpace(name="pair", parts=parts)
    mine = pair.for_task(GraphTask(features=50))
    assert mine.parts["graph"].task == GraphTask(features=50)
    assert pair.parts["graph"].task == space("nas-bench-graph").task
    x = pair.sample(4, 0)
    assert bool((mine.statistics(x)["params"] < pair.statistics(x)["params"]).all())
