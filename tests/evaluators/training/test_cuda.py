"""What differs on a GPU: these tests need one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from vitruvius.datasets import RawGraph, RawImages
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.hardware import LatencyEvaluator, PeakMemoryEvaluator
from vitruvius.evaluators.training import Callback, Recipe, TrainingEvaluator
from vitruvius.evaluators.training.loop import Training
from vitruvius.evaluators.training.memory import free_memory, training_memory
from vitruvius.spaces import Space, space
from vitruvius.verbs.search import search

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
CUDA = Context(device="cuda")
CELL = (3, 3, 3, 3, 3, 3)


@pytest.fixture
def large() -> RawImages:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.randint(256, (512, 3, 32, 32), generator=generator, dtype=torch.uint8)
    return RawImages(pixels, torch.arange(512) % 4)


@pytest.fixture
def emptied() -> Iterator[None]:
    torch.cuda.empty_cache()
    yield
    torch.cuda.set_per_process_memory_fraction(1.0)
    torch.cuda.empty_cache()


def peak(made: TrainingEvaluator) -> int:
    torch.cuda.reset_peak_memory_stats()
    assert made.evaluate(CELL, context=CUDA).status == "ok"
    return torch.cuda.max_memory_allocated()


@pytest.mark.parametrize("more", [{}, {"ema": 0.9, "mixup": 0.2}, {"precision": "full"}])
def test_images_are_learned(cells: Space, images: RawImages, more: dict[str, object]) -> None:
    made = TrainingEvaluator(cells, images, epochs=12, batch=16, lr=0.2, **more)
    told = made.train(CELL, context=CUDA)
    assert next(told.network.parameters()).is_cuda
    assert told.metrics["accuracy"] > 0.6


def test_nodes_are_learned(graph: RawGraph) -> None:
    made = TrainingEvaluator(space("nas-bench-graph"), graph, epochs=20)
    told = made.evaluate("[0,0,1,2]|gcn|gat|arma|sage", context=CUDA)
    assert told.metrics["accuracy"] > 0.7


def test_a_training_goes_on(cells: Space, images: RawImages, tmp_path: Path) -> None:
    class Stop(Callback):
        def epoch_ended(self, training: Training) -> None:
            if training.epoch == 3 and not stopped:
                stopped.append(True)
                raise KeyboardInterrupt

    stopped: list[bool] = []
    made = TrainingEvaluator(cells, images, epochs=5, ema=0.5, callbacks=[Stop()])
    context = Context(device="cuda", folder=tmp_path)
    with pytest.raises(KeyboardInterrupt):
        made.evaluate(CELL, context=context)
    assert made.evaluate(CELL, context=context).status == "ok"


def test_memory_is_estimated(large: RawImages, emptied: None) -> None:
    cells = space("nasbench201:width=32,cells=1")
    made = TrainingEvaluator(cells, large, epochs=1, batch=256, precision="full")
    layers = cells.layers(CELL, made.task)
    estimate = training_memory(layers, made.task, Recipe(batch=256))
    assert 0.5 < estimate / peak(made) < 2
    assert free_memory(torch.device("cuda")) > estimate


def test_out_of_memory_is_answered_by_half_the_batch(large: RawImages, emptied: None) -> None:
    cells = space("nasbench201:width=64,cells=1")
    made = TrainingEvaluator(cells, large, epochs=1, batch=256, precision="full")
    needed = peak(made)
    torch.cuda.empty_cache()
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(0.8 * needed / total)
    told = made.evaluate(CELL, context=CUDA)
    assert told.status == "ok"
    assert "half the batch, 128" in told.reason
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(0.1 * needed / total)
    told = made.evaluate(CELL, context=CUDA)
    assert told.status == "failed"
    assert told.reason.startswith("out of memory; the network has")


def test_networks_are_measured(cells: Space) -> None:
    told = LatencyEvaluator(cells).evaluate(CELL, context=CUDA).metrics
    assert 0 < told["latency"] < 1000
    told = PeakMemoryEvaluator(cells).evaluate(CELL, context=CUDA).metrics
    assert 0 < told["peak_memory"] < 1000


def test_two_workers_share_the_device(cells: Space, images: RawImages) -> None:
    told = search(
        cells,
        evaluator=TrainingEvaluator(cells, images, epochs=1),
        maximize="accuracy",
        method="random",
        budget=4,
        workers=2,
    )
    assert told.summary["failed"] == 0
    assert len(told.trials) == 4
