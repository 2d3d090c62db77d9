from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.hardware import LatencyEvaluator, PeakMemoryEvaluator
from vitruvius.evaluators.joined import JoinedEvaluator
from vitruvius.evaluators.training import TrainingEvaluator
from vitruvius.spaces import Space, space

LARGE, SMALL = (3,) * 6, (1,) * 6


@pytest.fixture(scope="module")
def cells() -> Space:
    return space("nasbench201:width=8,cells=1")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "images.npz"
    pixels = np.random.default_rng(0).integers(0, 255, (40, 12, 12, 3), dtype=np.uint8)
    np.savez(path, images=pixels, labels=np.arange(40) % 4)
    return path


def test_larger_networks_take_longer(cells: Space) -> None:
    made = LatencyEvaluator(cells)
    large, small = (made.evaluate(row).metrics for row in (LARGE, SMALL))
    assert large["latency"] > small["latency"] > 0
    assert large["latency_deviation"] >= 0
    assert made.noisy == ("latency",)


def test_a_batch_takes_longer(cells: Space) -> None:
    one, many = (LatencyEvaluator(cells, batch=b).evaluate(SMALL) for b in (1, 32))
    assert many.metrics["latency"] > one.metrics["latency"]


@pytest.mark.slow
def test_onnx_runtime_computes_the_same_and_is_timed(cells: Space) -> None:
    from vitruvius.evaluators.hardware.onnx_runtime import onnx_call

    network = cells.build(LARGE).eval()
    inputs = cells.task.inputs(2)
    [told] = onnx_call(network, inputs)()
    with torch.no_grad():
        assert np.allclose(told, network(*inputs).numpy(), atol=1e-4)
    assert LatencyEvaluator(cells, runtime="onnx").evaluate(SMALL).metrics["latency"] > 0


def test_peak_memory_grows_with_the_batch(cells: Space) -> None:
    one, many = (
        PeakMemoryEvaluator(cells, batch=b).evaluate(LARGE).metrics["peak_memory"] for b in (1, 8)
    )
    weights = 4e-6 * float(cells.statistics(torch.tensor([LARGE]))["params"])
    assert weights < one < many


def test_graphs_are_measured_by_their_nodes() -> None:
    graphs = space("autognn")
    told = LatencyEvaluator(graphs, batch=20).evaluate(graphs.example)
    assert told.metrics["latency"] > 0


@pytest.mark.parametrize(
    "options",
    [{"runtime": "tvm"}, {"runtime": "onnx", "device": "cuda"}, {"threads": 0}, {"batch": 0}],
)
def test_mistaken_options(cells: Space, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        LatencyEvaluator(cells, **options)
    with pytest.raises(UsageError, match="no networks"):
        LatencyEvaluator(space("toy_recipe.yaml"))


def test_measures_as_text(cells: Space) -> None:
    made = evaluator(cells, "latency:batch=4,threads=2")
    assert isinstance(made, LatencyEvaluator)
    assert (made.batch, made.threads) == (4, 2)
    with pytest.raises(UnknownNameError, match=r"option of latency 'batches'.*'batch'"):
        evaluator(cells, "latency:batches=4")


def test_what_is_asked_of_a_training_is_measured_too(cells: Space, file: Path) -> None:
    made = evaluator(cells, f"{file}:epochs=1", named="accuracy, latency<=5, peak_memory")
    assert isinstance(made, JoinedEvaluator)
    assert [type(each) for each in made.evaluators] == [
        TrainingEvaluator, LatencyEvaluator, PeakMemoryEvaluator,
    ]  # fmt: skip
    assert made.task.resolution == 12
    assert {each.task for each in made.evaluators} == {made.task}
    told = made.evaluate(SMALL)
    assert {"accuracy", "latency", "peak_memory"} <= set(told.metrics)
    assert set(made.measure_again(SMALL)) == {"latency", "latency_deviation"}
    assert isinstance(evaluator(cells, f"{file}:epochs=1", named="accuracy"), TrainingEvaluator)


def test_measures_that_are_given_are_not_added(cells: Space, file: Path) -> None:
    made = evaluator(cells, [f"{file}:epochs=1", "latency:batch=8"], named="accuracy, latency")
    assert isinstance(made, JoinedEvaluator)
    [_, latency] = made.evaluators
    assert isinstance(latency, LatencyEvaluator)
    assert latency.batch == 8
    assert latency.task == made.task


def test_a_table_is_not_measured(tmp_path: Path, cells: Space) -> None:
    table = tmp_path / "t.csv"
    table.write_text(f"arch_str,accuracy\n{cells.to_string(SMALL)},0.5\n")
    made = evaluator(cells, table, named="accuracy, latency")
    assert set(made.metrics) == {"accuracy"}
