import copy
from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from vitruvius.datasets import RawGraph, RawGraphs, RawImages, RawSeries, split
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.training import Callback, Recipe, Trained, TrainingError, loop
from vitruvius.evaluators.training.examples import Examples, examples_of
from vitruvius.evaluators.training.loop import Training
from vitruvius.evaluators.training.supervised import measure, train
from vitruvius.spaces import Space

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=4, batch=16, augment=("crop",), warmup=0.1)


@pytest.fixture(scope="module")
def examples(images: RawImages) -> Examples:
    return examples_of(images, split(images, test=0.2), images.task, CPU)


@pytest.fixture
def network(cells: Space, images: RawImages) -> nn.Module:
    torch.manual_seed(0)
    return cells.build((3, 1, 2, 3, 1, 4), images.task)


def weights(told: Trained) -> Tensor:
    return torch.cat([value.flatten().double() for value in told.network.state_dict().values()])


def test_a_network_learns(network: nn.Module, examples: Examples) -> None:
    told = train(network, examples, RECIPE.model_copy(update={"epochs": 12, "lr": 0.2}))
    assert told.metrics["accuracy"] > 0.8
    assert told.curve[-1]["train_loss"] < told.curve[0]["train_loss"]
    assert told.metrics == measure(told.network, examples, "val", RECIPE)
    assert not told.network.training


def test_the_same_seed_gives_the_same_network(network: nn.Module, examples: Examples) -> None:
    other, third = copy.deepcopy(network), copy.deepcopy(network)
    before = torch.get_rng_state()
    first = train(network, examples, RECIPE, seed=1)
    torch.rand(3)
    assert torch.equal(weights(first), weights(train(other, examples, RECIPE, seed=1)))
    assert not torch.equal(weights(first), weights(train(third, examples, RECIPE, seed=2)))
    torch.set_rng_state(before)


def test_global_draws_are_left_alone(network: nn.Module, examples: Examples) -> None:
    before = torch.get_rng_state()
    train(network, examples, Recipe(epochs=1))
    assert torch.equal(before, torch.get_rng_state())


class Stop(Callback):
    """Ends a training in the midst, as a kill does."""

    def __init__(self, at: int) -> None:
        self.left = at

    def step_ended(self, training: Training) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


@pytest.mark.parametrize("at", [3, 4, 9])
@pytest.mark.parametrize(
    "more",
    [
        {},
        {"ema": 0.9, "keep": "best", "optimizer": "adam", "lr": 0.01},
        {"mixup": 0.4, "momentum": 0.0},
    ],
)
def test_going_on_equals_never_having_stopped(
    network: nn.Module,
    examples: Examples,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    at: int,
    more: dict[str, object],
) -> None:
    monkeypatch.setattr(loop, "WITHIN", 0.0)
    monkeypatch.setattr(loop, "BETWEEN", 0.0)
    recipe, other = Recipe.of({**RECIPE.model_dump(), **more}), copy.deepcopy(network)
    straight = train(copy.deepcopy(network), examples, recipe, seed=1)
    with pytest.raises(KeyboardInterrupt):
        train(
            network,
            examples,
            recipe,
            seed=1,
            context=Context(folder=tmp_path),
            callbacks=[Stop(at)],
        )
    steps = []

    class Count(Callback):
        def step_ended(self, training: Training) -> None:
            steps.append(training.step)

    told = train(
        other, examples, recipe, seed=1, context=Context(folder=tmp_path), callbacks=[Count()]
    )
    assert len(steps) == 4 * loop_steps(examples) - (at - 1)
    assert torch.equal(weights(told), weights(straight))
    assert told.curve == straight.curve
    assert not (tmp_path / "checkpoint").exists()


def loop_steps(examples: Examples) -> int:
    return len(examples.order(torch.Generator(), RECIPE.batch))


def test_a_checkpoint_of_another_training_is_not_gone_on_from(
    network: nn.Module, examples: Examples, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "BETWEEN", 0.0)
    context, other = Context(folder=tmp_path), copy.deepcopy(network)
    with pytest.raises(KeyboardInterrupt):
        train(network, examples, RECIPE, context=context, callbacks=[Stop(6)])
    straight = train(copy.deepcopy(other), examples, RECIPE, seed=1)
    assert torch.equal(
        weights(train(other, examples, RECIPE, seed=1, context=context)), weights(straight)
    )


def test_what_falls_behind_is_told_to_stop(network: nn.Module, examples: Examples) -> None:
    told: list[int] = []

    def reporter(step: int, metrics: Mapping[str, float]) -> bool:
        told.append(step)
        return step < 2

    context = Context(reporter=reporter)
    assert len(train(network, examples, RECIPE, context=context).curve) == 2
    assert told == [1, 2]
    assert context.stopped == 2


def test_the_best_epoch_is_kept(network: nn.Module, examples: Examples) -> None:
    told = train(network, examples, Recipe(epochs=6, batch=16, keep="best", lr=0.5))
    best = max(entry["accuracy"] for entry in told.curve)
    assert told.metrics["accuracy"] == best == told.curve[told.epoch]["accuracy"]
    assert measure(told.network, examples, "val", RECIPE)["accuracy"] == best


def test_patience_ends_a_training(network: nn.Module, examples: Examples) -> None:
    frozen = Recipe(epochs=9, lr=1e-12, patience=2, momentum=0, weight_decay=0)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.0
    assert len(train(network, examples, frozen).curve) == 3


def test_divergence_is_an_error(network: nn.Module, examples: Examples) -> None:
    with pytest.raises(TrainingError, match=r"loss was (nan|inf) in epoch 2"):
        train(network, examples, Recipe(epochs=2, lr=1e30, clip=0, warmup=0))


def test_time_is_limited(network: nn.Module, examples: Examples) -> None:
    with pytest.raises(TrainingError, match="longer than 1e-09 s"):
        train(network, examples, Recipe(epochs=1, seconds=1e-9))


class TwoHeads(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(81, 8), nn.Dropout(0.1))
        self.main, self.auxiliary = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.body(x)
        return (self.main(x), self.auxiliary(x)) if self.training else self.main(x)


def test_an_auxiliary_head_learns_with_its_weight(examples: Examples) -> None:
    for weight, moved in ((0.4, True), (0.0, False)):
        network = TwoHeads()
        before = network.auxiliary.weight.detach().clone()
        recipe = Recipe(epochs=1, auxiliary=weight, weight_decay=0, dropout=0.25)
        train(network, examples, recipe)
        assert bool((network.auxiliary.weight != before).any()) is moved
        assert network.body[2].p == 0.25


def test_values_are_learned_in_their_own_unit(images: RawImages) -> None:
    bright = images.images.float().mean((1, 2, 3)) * 100
    raw = RawImages(images.images, bright)
    examples = examples_of(raw, split(raw), raw.task, CPU)
    network = nn.Sequential(nn.Flatten(), nn.Linear(81, 1))
    told = train(network, examples, Recipe(epochs=60, lr=0.05, weight_decay=0, augment=()))
    assert set(told.metrics) == {"mae", "rmse", "r2"}
    assert told.metrics["r2"] > 0.2
    assert told.metrics["mae"] > 10


def test_series_are_learned(images: RawImages) -> None:
    raw = RawSeries(images.images.flatten(2).float(), images.labels)
    examples = examples_of(raw, split(raw), raw.task, CPU)
    network = nn.Sequential(nn.Conv1d(1, 4, 27, 27), nn.ReLU(), nn.Flatten(), nn.Linear(12, 3))
    told = train(network, examples, Recipe(epochs=20, augment=(), mixup=0.2))
    assert told.metrics["accuracy"] > 0.8


def test_nodes_of_a_graph_are_learned(graph: RawGraph) -> None:
    from vitruvius.spaces import space

    graphs = space("nas-bench-graph")
    examples = examples_of(graph, split(graph), graph.task, CPU)
    recipe = Recipe.of({"epochs": 20}, graph.task)
    network = graphs.build("[0,0,1,2]|gcn|sage|fc|skip", graph.task)
    told = train(network, examples, recipe)
    assert told.metrics["accuracy"] > 0.8
    assert told.metrics["accuracy"] == max(entry["accuracy"] for entry in told.curve)


def test_many_graphs_are_learned() -> None:
    from vitruvius.spaces import space

    generator = torch.Generator().manual_seed(0)
    count, size = 24, 5
    labels = torch.arange(count) % 2
    features = torch.randn(count * size, 3, generator=generator)
    features[:, 0] += 3 * labels.repeat_interleave(size)
    first = torch.arange(count * size - 1)
    edges = torch.stack([first, first + 1])[:, first % size != size - 1]
    raw = RawGraphs.of_arrays(edges, features, torch.arange(count).repeat_interleave(size), labels)
    examples = examples_of(raw, split(raw), raw.task, CPU)
    network = space("nas-bench-graph").build("[0,0,0,0]|gcn|sage|fc|fc", raw.task)
    told = train(network, examples, Recipe(epochs=5, batch=8, augment=()))
    assert told.metrics["accuracy"] > 0.7
