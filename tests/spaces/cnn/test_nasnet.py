from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.cnn.nasnet import OPERATIONS, NASNet
from vitruvius.spaces.drop_path import DropPath
from vitruvius.spaces.operation import operation
from vitruvius.testing import SpaceContract

# `NASNet` in cnn/genotypes.py of https://github.com/quark0/darts.
A = (
    "Genotype(normal=[('sep_conv_5x5', 1), ('sep_conv_3x3', 0), ('sep_conv_5x5', 0), "
    "('sep_conv_3x3', 0), ('avg_pool_3x3', 1), ('skip_connect', 0), ('avg_pool_3x3', 0), "
    "('avg_pool_3x3', 0), ('sep_conv_3x3', 1), ('skip_connect', 1)], "
    "normal_concat=range(2, 7), reduce=[('sep_conv_5x5', 1), ('sep_conv_7x7', 0), "
    "('max_pool_3x3', 1), ('sep_conv_7x7', 0), ('avg_pool_3x3', 1), ('sep_conv_5x5', 0), "
    "('skip_connect', 3), ('avg_pool_3x3', 2), ('sep_conv_3x3', 2), ('max_pool_3x3', 1)], "
    "reduce_concat=range(4, 7))"
)
# Both cells take the second input alone, and block 3 takes block 2 twice.
NARROW = (
    "Genotype(normal=[('conv_1x1', 1), ('conv_1x1', 1), ('conv_3x3', 2), ('conv_3x3', 2), "
    "('conv_1x1', 3), ('conv_1x1', 1), ('conv_1x1', 4), ('conv_1x1', 1), ('conv_1x1', 5), "
    "('conv_1x1', 1)], normal_concat=[0, 6], reduce=[('conv_1x1', 1), ('conv_1x1', 1), "
    "('conv_3x3', 2), ('conv_3x3', 2), ('conv_1x1', 3), ('conv_1x1', 1), ('conv_1x1', 4), "
    "('conv_1x1', 1), ('conv_1x1', 5), ('conv_1x1', 1)], reduce_concat=[0, 6])"
)
SMALL = NASNet(cells=1, width=8)


@operation()
def conv_5x5(width: int, out: int, stride: int) -> nn.Module:
    return nn.Conv2d(width, out, 5, stride, 2, bias=False)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASNet:
        return SMALL

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=9)


class _Published(NASNet):
    """Puts out what the published code of NASNet-A lists by hand."""

    def concatenated(self, states: Tensor) -> Tensor:
        kept = torch.tensor([[1, 0, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1, 1]]).bool()
        return kept.expand(len(states), -1, -1)


@pytest.mark.parametrize(
    ("options", "resolution", "classes", "published"),
    [
        # "4 @ 1056" and "6 @ 4032" on ImageNet, "6 @ 768" on CIFAR-10. The first is 5,289,978 in
        # Keras, the second 88.75 M in timm: first cells have an input of their own there.
        ({"cells": 4, "width": 44, "stem": "imagenet"}, 224, 1000, 5_289_978),
        ({"cells": 6, "width": 168, "stem": "imagenet"}, 331, 1000, 88_750_000),
        ({"cells": 6, "width": 32}, 32, 10, 3_300_000),
    ],
)
def test_published_networks(
    options: dict[str, int], resolution: int, classes: int, published: int
) -> None:
    nets = _Published(**options)  # type: ignore[arg-type]
    row = torch.tensor([NASNet().architecture(A).indices])
    counts = nets.statistics(row, ImageTask(classes=classes, resolution=resolution))
    assert abs(counts["params"].item() / published - 1) < 0.01


def test_what_no_block_takes_is_put_out() -> None:
    assert SMALL.to_string(SMALL.architecture(A).indices) == A
    assert SMALL.to_string(SMALL.architecture(NARROW).indices) == NARROW
    with pytest.raises(ArchitectureError, match=r"normal_concat is \[0, 6\], got \[6\]"):
        SMALL.architecture(NARROW.replace("normal_concat=[0, 6]", "normal_concat=[6]"))


def test_an_input_that_no_block_takes_is_halved() -> None:
    task = ImageTask(classes=3, channels=1, resolution=9)
    counts = SMALL.statistics(SMALL.rows([NARROW]), task)
    network = SMALL.build(NARROW, task)
    assert sum(p.numel() for p in network.parameters()) == counts["params"].item()
    assert sum(layer.macs for layer in SMALL.layers(NARROW, task)) == counts["macs"].item()
    assert network(*task.inputs()).shape == (2, 3)


def test_the_resolution_behind_the_stems() -> None:
    for options, side in (({}, 8), ({"stem": "imagenet"}, 1)):
        nets = NASNet(cells=1, width=8, **options)  # type: ignore[arg-type]
        pooled = [one for one in nets.layers(A, ImageTask()) if one.kind == "pooling"][-1]
        assert pooled.inputs[1:] == (side, side)


def test_other_operations_and_large_images() -> None:
    operations = (*OPERATIONS[:3], OPERATIONS[5], conv_5x5)
    nets = NASNet(operations=operations, cells=1, width=8, stem="imagenet")
    assert nets.name.startswith("nasnet+conv_5x5-dil_conv_3x3-avg_pool_3x3-max_pool_5x5")
    task = ImageTask(classes=3, channels=1, resolution=33)
    x = nets.sample(4, 0)
    counts = nets.statistics(x, task)
    layers = [nets.layers(row, task) for row in x]
    for name in ("params", "macs"):
        assert [sum(getattr(one, name) for one in each) for each in layers] == counts[name].tolist()
    assert nets.build(x[0], task)(*task.inputs()).shape == (2, 3)


def test_the_auxiliary_head_reads_before_the_last_reduction() -> None:
    nets = NASNet(cells=2, width=8, stem="imagenet", auxiliary=True)
    assert nets.stack()[nets.auxiliary_at + 1].reduction
    network = nets.build(nets.example)
    (images,) = nets.task.inputs()
    logits, middle = network(images)
    assert logits.shape == middle.shape == (2, 10)
    assert any(isinstance(each, DropPath) for each in network.modules())


def test_halves_may_take_one_state_twice() -> None:
    other = A.replace(
        "('avg_pool_3x3', 0), ('avg_pool_3x3', 0)", "('avg_pool_3x3', 0), ('conv_1x1', 0)"
    )
    crossed = A.replace(
        "('avg_pool_3x3', 0), ('avg_pool_3x3', 0)", "('conv_1x1', 0), ('avg_pool_3x3', 0)"
    )
    assert SMALL.architecture(other) == SMALL.architecture(crossed) != SMALL.architecture(A)


def test_sizes_are_checked() -> None:
    for wrong in ({"cells": 0}, {"width": 7}):
        with pytest.raises(UsageError, match="8 channels"):
            NASNet(**wrong)
    with pytest.raises(UsageError, match="no stem 'large'"):
        NASNet(stem="large")


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, ImageTask], None]) -> None:
    task = ImageTask(classes=3, channels=2, resolution=33)
    many_architectures(NASNet(cells=1, width=8, stem="imagenet"), task)
