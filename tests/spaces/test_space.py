import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.spaces import DAG, ImageTask, Variable, from_json, names, space


def test_every_name_is_a_space() -> None:
    assert {"nasbench101", "nasbench201", "nas-bench-graph", "mobilenetv3"} <= set(names())
    for name in names():
        assert space(name).name == name
        assert space(name) is space(name)


def test_unknown_names_suggest_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'nasbench201'"):
        space("nasbench-201")
    with pytest.raises(UnknownNameError, match="space"):
        from_json({"space": "nowhere", "architecture": ""})


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("op", (), "op"), "distinct choices"),
        (("op", ("a", "a"), "op"), "distinct choices"),
        (("op", ("a",), "op", (2, 1)), "no place"),
        (("op", ("0", "1"), "edge", (1,)), "cannot sit"),
        (("op", ("0",), "parent", (0, 1)), "cannot sit"),
    ],
)
def test_variables_that_cannot_be(arguments: tuple[str, tuple[str, ...], str], why: str) -> None:
    with pytest.raises(UsageError, match=why):
        Variable(*arguments)  # type: ignore[arg-type]


def test_kinds_that_are_not_known(pytestconfig: pytest.Config) -> None:
    if pytestconfig.getoption("shapes"):
        pytest.skip("beartype refuses the kind before the variable does")
    with pytest.raises(UsageError, match="unknown kind"):
        Variable("op", ("a",), "colour")  # type: ignore[arg-type]


def test_dag_layers_follow_the_longest_path() -> None:
    edges = dict.fromkeys([(0, 1), (1, 2), (0, 2), (2, 3)], "")
    assert DAG(("a", "b", "c", "d"), edges).layers() == [[0], [1], [2], [3]]
    assert DAG((), {}).layers() == []


def test_statistics_follow_the_task() -> None:
    cells = space("nasbench201")
    x = cells.sample(4, 0)
    small, large = (cells.statistics(x, ImageTask(classes=n))["params"] for n in (10, 11))
    assert torch.equal(large - small, torch.full((4,), 65.0, dtype=torch.float64))


def test_a_space_shows_its_name() -> None:
    assert repr(space("nasbench201")) == "NASBench201('nasbench201')"
