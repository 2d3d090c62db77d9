import pytest
import torch

from vitruvius.encoders.feature_sets import FeatureSets
from vitruvius.encoders.tasks.task_description import TaskDescription
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import AVERAGE, SourceTasks, TaskFeatures, _left_out
from vitruvius.spaces import space

CELLS = space("nasbench201")
X = CELLS.sample(60, 0)


def described(size: float) -> TaskDescription:
    return TaskDescription("graph", {"log nodes": size})


def task(name: str, values: torch.Tensor, size: float | None = None) -> SourceTask:
    said = None if size is None else described(size)
    return SourceTask(name, CELLS, X, {"acc": values.double()}, description=said)


def test_what_is_expected_is_nearer_to_the_task_that_is_alike() -> None:
    """Small tasks want parameters, large ones the opposite; a new one is told by its size."""
    params = CELLS.statistics(X)["params"]
    tasks = [task(f"small {i}", params, 7.0 + i / 10) for i in range(3)]
    tasks += [task(f"large {i}", -params, 11.0 + i / 10) for i in range(3)]
    new = CELLS.sample(200, 1)
    truth = CELLS.statistics(CELLS.canonical(new))["params"]
    for size, sign in ((7.15, 1), (11.15, -1)):
        mean, _ = SourceTasks(tasks, described(size)).prior("acc", new)
        assert sign * float(torch.corrcoef(torch.stack([mean, truth]))[0, 1]) > 0.8


def test_doubt_grows_with_the_distance_to_the_earlier_tasks() -> None:
    params = CELLS.statistics(X)["params"]
    tasks = [task(str(size), params, size) for size in (7.0, 7.5, 8.0, 8.5)]
    doubt = [
        float(SourceTasks(tasks, described(size)).prior("acc", X)[1]) for size in (7.7, 9.5, 14.0)
    ]
    assert doubt == sorted(doubt)
    assert doubt[-1] > 1.5 * doubt[0]


def test_without_a_description_all_tasks_count_alike() -> None:
    params = CELLS.statistics(X)["params"]
    tasks = SourceTasks([task(str(size), params + size, size) for size in (7.0, 8.0, 20.0)])
    weight = tasks._likeness("acc")[0]
    torch.testing.assert_close(weight, weight[:1].expand(3))


def test_the_columns_are_the_tasks_that_have_the_metric_and_their_average() -> None:
    params = CELLS.statistics(X)["params"]
    other = SourceTask("other", CELLS, X, {"latency": params})
    tasks = SourceTasks([task("a", params), task("b", -params), other])
    assert tasks.names("acc") == ("a", "b", AVERAGE)
    assert tasks.names("latency") == ("other",)
    assert tasks.names("unknown") == ()
    told = tasks.told("acc", X)
    torch.testing.assert_close(told[:, 2], tasks.prior("acc", X)[0])
    encode = TaskFeatures(FeatureSets(CELLS, ("one-hot",)), tasks, ["acc", "unknown"])
    assert encode.names == {"acc": tasks.names("acc")}
    assert torch.equal(encode(X[:7]).told["acc"], tasks.told("acc", X[:7]))


def test_left_out_tasks_are_valued_by_their_density() -> None:
    """Two tasks, checked by hand: each is expected at half the other, with variance 3/4."""
    covariance = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    expected = -(torch.tensor(0.75).log() + 0.75 / 0.75) / 2
    assert _left_out(covariance, covariance) == pytest.approx(float(expected))
