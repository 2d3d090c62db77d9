import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from vitruvius.core.errors import TableError, UnknownNameError, UsageError
from vitruvius.datasets import RawGraph, RawImages
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import Trained, TrainingEvaluator
from vitruvius.spaces import Space, space
from vitruvius.spaces.cnn.nasbench201 import NASBench201

CELL = (3, 1, 2, 3, 1, 4)


@pytest.fixture
def file(images: RawImages, tmp_path: Path) -> Path:
    path = tmp_path / "thirds.npz"
    np.savez(path, images=images.images.numpy(), labels=images.labels.numpy())
    return path


def test_a_file_of_images_is_trained_on(cells: Space, file: Path) -> None:
    made = evaluator(cells, f"{file}:epochs=2,batch=32,augment=crop")
    assert isinstance(made, TrainingEvaluator)
    assert (made.recipe.epochs, made.recipe.batch, made.task.classes) == (2, 32, 3)
    told = made.evaluate(CELL, seed=3)
    assert told.status == "ok"
    assert set(told.metrics) == set(made.metrics)
    assert made.evaluate(CELL, seed=3).metrics == told.metrics


def test_a_worker_reads_the_data_for_itself(file: Path) -> None:
    # Not the shared one, whose tables of isomorphic cells travel along once they are there.
    made = TrainingEvaluator(NASBench201(width=4, cells=1), file, epochs=1)
    sent = pickle.dumps(made)
    assert len(sent) < 10_000
    assert pickle.loads(sent).evaluate(CELL).metrics == made.evaluate(CELL).metrics


def test_results_do_not_depend_on_threads_around(cells: Space, images: RawImages) -> None:
    made, before = TrainingEvaluator(cells, images, epochs=1), torch.get_num_threads()
    told = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            told.append(made.evaluate(CELL).metrics)
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(before)
    assert told[0] == told[1]


@pytest.mark.parametrize(
    ("axis", "fidelities"), [("epochs", (1, 2)), ("data", (30, 60)), ("resolution", (5, 7))]
)
def test_lower_fidelities(
    cells: Space, images: RawImages, axis: Any, fidelities: tuple[int, ...]
) -> None:
    made = TrainingEvaluator(cells, images, epochs=3, fidelity=axis, fidelities=fidelities)
    assert made.fidelities == fidelities
    low = made.evaluate(CELL, fidelities[0])
    assert low.status == "ok"
    assert low.metrics != made.evaluate(CELL).metrics
    with pytest.raises(UsageError, match="no fidelity 99"):
        made.evaluate(CELL, 99)


def test_a_share_of_the_data_keeps_the_classes(cells: Space, images: RawImages) -> None:
    made = TrainingEvaluator(cells, images, fidelity="data", fidelities=[50])
    examples = made.examples(made.task, 50, torch.device("cpu"))
    assert examples.sizes == {"train": 36, "val": 18, "test": 0}
    [chosen] = examples.order(torch.Generator(), 100)
    assert images.labels[chosen].bincount().tolist() == [12, 12, 12]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"fidelities": [5, 2]}, "ascending"),
        ({"fidelities": [20]}, "from 1 to 19"),
        ({"fidelity": "width"}, "epochs, data, resolution"),
        ({"epochs": -1}, "epochs"),
    ],
)
def test_mistaken_options_are_told_at_once(
    cells: Space, images: RawImages, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        TrainingEvaluator(cells, images, **options)


def test_unknown_options_are_named(cells: Space, file: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"'epoch'.*Did you mean 'epochs'"):
        evaluator(cells, f"{file}:epoch=2")


def test_data_of_another_kind_than_the_space(images: RawImages, graph: RawGraph) -> None:
    with pytest.raises(UsageError, match="is for a GraphTask, not a ImageTask"):
        TrainingEvaluator(space("nas-bench-graph"), images)
    with pytest.raises(UsageError, match="is for a ImageTask, not a GraphTask"):
        TrainingEvaluator(space("nasbench201"), graph)


def test_data_that_cannot_be_trained_on(cells: Space, tmp_path: Path) -> None:
    path = tmp_path / "one.npz"
    np.savez(path, images=np.zeros((4, 8, 8), np.uint8), labels=[0, 0, 0, 0])
    with pytest.raises(UsageError, match="class"):
        evaluator(cells, path)
    with pytest.raises(TableError, match=r"holds no images|no file"):
        evaluator(cells, f"{tmp_path}/")


def test_widths_of_graph_networks_stay_those_of_the_space(graph: RawGraph) -> None:
    from dataclasses import replace

    graphs = space("nas-bench-graph")
    narrow = graphs.for_task(replace(graphs.task, hidden=16, head_layers=0))
    made = TrainingEvaluator(narrow, graph, epochs=1)
    assert (made.task.hidden, made.task.features, made.task.classes) == (16, 5, 2)


# -- failures -----------------------------------------------------------------------------------


def test_a_failure_says_why_and_how_large(cells: Space, images: RawImages) -> None:
    told = TrainingEvaluator(cells, images, lr=1e30, clip=0, warmup=0, epochs=3).evaluate(CELL)
    assert told.status == "failed"
    assert "loss was" in told.reason
    assert "parameters" in told.reason


def test_memory_is_told_before_training(cells: Space, images: RawImages) -> None:
    made = TrainingEvaluator(cells, images, memory=1e-6)
    told = made.evaluate(CELL)
    assert told.status == "failed"
    assert "GB of memory at a batch of 64, the limit is 1e-06 GB" in told.reason


@pytest.mark.parametrize("error", [torch.OutOfMemoryError("CUDA out of memory"), MemoryError()])
def test_out_of_memory_is_tried_at_half_the_batch(
    cells: Space, images: RawImages, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    made = TrainingEvaluator(cells, images, epochs=1)
    whole, tried = made.train, []

    def train(*given: Any, batch: int | None = None) -> Trained:
        tried.append(batch)
        if batch is None or len(tried) > 2:
            raise error
        return whole(*given, batch=batch)

    monkeypatch.setattr(made, "train", train)
    told = made.evaluate(CELL)
    assert (told.status, tried) == ("ok", [None, 32])
    assert "half the batch, 32" in told.reason
    assert made.evaluate(CELL).reason.startswith("out of memory; the network has")


def test_a_mistake_in_the_network_is_no_failure_of_memory(
    cells: Space, images: RawImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = TrainingEvaluator(cells, images, epochs=1)
    monkeypatch.setattr(made.space, "build", lambda *_: torch.nn.Linear(3, 3), raising=False)
    with pytest.raises(RuntimeError, match="shapes"):
        made.evaluate(CELL)


# -- what stays ---------------------------------------------------------------------------------


def test_curve_and_weights_are_kept(cells: Space, images: RawImages, tmp_path: Path) -> None:
    made = TrainingEvaluator(cells, images, epochs=2)
    told = made.evaluate(CELL, context=Context(folder=tmp_path))
    kept = json.loads((tmp_path / "curve.json").read_text())
    assert len(kept["curve"]) == 2
    assert kept["curve"][1]["accuracy"] == told.metrics["accuracy"]
    network = made.space.build(CELL, made.task)
    network.load_state_dict(load_file(tmp_path / "weights.safetensors"))
    assert {entry.name for entry in tmp_path.iterdir()} == {"curve.json", "weights.safetensors"}


def test_the_test_part_is_for_reports(cells: Space, images: RawImages) -> None:
    from dataclasses import replace

    from vitruvius.datasets import split

    with_test = replace(images, splits=split(images, test=0.2))
    made = TrainingEvaluator(cells, with_test, epochs=1)
    assert set(made.test(made.train(CELL))) == set(made.metrics)
    with pytest.raises(UsageError, match="no test part"):
        TrainingEvaluator(cells, images).test(made.train(CELL))


def test_a_network_is_tested_at_the_resolution_it_learnt_at(
    cells: Space, images: RawImages
) -> None:
    from dataclasses import replace

    from vitruvius.datasets import split

    with_test = replace(images, splits=split(images, test=0.2))
    made = TrainingEvaluator(cells, with_test, epochs=1, fidelity="resolution", fidelities=[5])
    told = made.train(CELL, 5)
    seen: list[int] = []
    told.network.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape[-1]))
    made.test(told)
    assert set(seen) == {5}


def test_in_a_product_each_is_trained_by_its_own_recipe(images: RawImages) -> None:
    pair = space("nasbench201:width=4,cells=1 x recipe:lr=[0.01,0.1],batch=[16],epochs=[1,2]")
    made = TrainingEvaluator(pair, images, momentum=0.5)
    rows = pair.sample(20, 0)
    recipes = [made.recipe_of(pair.architecture(row)) for row in rows]
    assert {(recipe.lr, recipe.epochs) for recipe in recipes} == {
        (lr, epochs) for lr in (0.01, 0.1) for epochs in (1, 2)
    }
    assert {(recipe.batch, recipe.momentum) for recipe in recipes} == {(16, 0.5)}
    first = pair.architecture(rows[0])
    plain = TrainingEvaluator(
        pair.parts["nasbench201"], images, **made.recipe_of(first).model_dump()
    )
    assert made.evaluate(first).metrics == plain.evaluate(pair.network(first)[1]).metrics
    # What a retraining says counts for all.
    again = made.retraining(epochs=3)
    assert {again.recipe_of(pair.architecture(row)).epochs for row in rows} == {3}
