from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import GraphTask, ImageTask, SeriesTask, Space, Task
from vitruvius.spaces.cnn.resnet_size import ResNetSize
from vitruvius.testing import SpaceContract

NETS = ResNetSize(width=4)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> ResNetSize:
        return NETS

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=9)


def test_series() -> None:
    task = SeriesTask(classes=3, channels=2, length=19)
    nets = NETS.for_task(task)
    x = nets.sample(6, 0)
    counts = nets.statistics(x)
    layers = [nets.layers(row) for row in x]
    for name in ("params", "macs"):
        assert [sum(getattr(one, name) for one in each) for each in layers] == counts[name].tolist()
    network = nets.build(x[0])
    logits = network(*task.inputs())
    assert logits.shape == (2, 3)
    logits.square().sum().backward()
    assert all(parameter.grad is not None for parameter in network.parameters())


def test_counts_by_hand() -> None:
    x = NETS.rows(["d1w1k3-d1w0.5k5-d2w1k3"])
    counts = NETS.statistics(x, SeriesTask(classes=2, channels=1, length=8))
    first = 3 * 4 + 8 + 2 * (3 * 16 + 8)
    second = 5 * 16 + 8 + 5 * 16 + 8 + 16 + 8
    third = 3 * 64 + 32 + 3 * 256 + 32 + 64 + 32 + 2 * (3 * 256 + 32)
    assert counts["params"].tolist() == [first + second + third + 16 * 2 + 2]
    assert counts["depth"].tolist() == [1 + 2 * 4 + 1]


def test_the_number_of_stages_is_drawn_by_how_many_there_are() -> None:
    share = NETS.sample(20_000, 0)[:, 0].double().mean().item()
    assert abs(share - 36 / 37) < 4 * (36 / 37**2 / 20_000) ** 0.5


def test_a_stage_that_is_not_there_does_not_count() -> None:
    x = NETS.rows(["d1w1k3-d1w0.5k5-d2w1k3"])
    other = NETS.shuffle(x.expand(8, -1), 0)
    assert len(other.unique(dim=0)) > 1
    assert len(set(NETS.architectures(other))) == 1
    assert len(NETS.statistics(other)["params"].unique()) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("d1w1k3-d1w1k3", "3 or 4 stages, got 2"),
        ("d1w1k3-d4w1k3-d1w1k3", "'d4w1k3' is no stage"),
        ("d1w1k3-d1w2k3-d1w1k3", "'d1w2k3' is no stage"),
        ("d1w1k3-d1w1k4-d1w1k3", "'d1w1k4' is no stage"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_images_or_series_alone() -> None:
    for ask in (NETS.for_task, lambda task: NETS.build(NETS.example, task)):
        with pytest.raises(UsageError, match="an ImageTask or a SeriesTask, got GraphTask"):
            ask(GraphTask())
    for width in (0, 6):
        with pytest.raises(UsageError, match="multiple of four"):
            ResNetSize(width=width)


def test_every_width_is_another_network() -> None:
    texts = [f"d1w{scale}k3-d1w1k3-d1w1k3" for scale in ("0.5", "0.75", "1", "1.5")]
    for nets in (NETS, ResNetSize()):
        assert len(nets.statistics(nets.rows(texts))["params"].unique()) == 4
    assert torch.equal(ResNetSize(width=32).sample(4, 0), NETS.sample(4, 0))


@pytest.mark.slow
@pytest.mark.parametrize(
    "task",
    [ImageTask(classes=3, channels=2, resolution=17), SeriesTask(classes=3, length=33)],
)
def test_many_architectures(many_architectures: Callable[[Space, Task], None], task: Task) -> None:
    many_architectures(NETS, task)
