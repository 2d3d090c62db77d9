from collections.abc import Callable

import pytest
import torch
from torch import nn

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.cnn.darts import DARTS, OPERATIONS
from vitruvius.spaces.drop_path import DropPath
from vitruvius.spaces.operation import operation
from vitruvius.testing import SpaceContract

Check = Callable[[Space, ImageTask], None]
# `DARTS_V2` in cnn/genotypes.py of https://github.com/quark0/darts.
V2 = (
    "Genotype(normal=[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), "
    "('dil_conv_3x3', 2)], normal_concat=[2, 3, 4, 5], reduce=[('max_pool_3x3', 0), "
    "('max_pool_3x3', 1), ('skip_connect', 2), ('max_pool_3x3', 1), ('max_pool_3x3', 0), "
    "('skip_connect', 2), ('skip_connect', 2), ('max_pool_3x3', 1)], reduce_concat=[2, 3, 4, 5])"
)
# `GDAS_V1`, as those lists have it.
GDAS = (
    "Genotype(normal=[('skip_connect', 0), ('skip_connect', 1), ('skip_connect', 0), "
    "('sep_conv_5x5', 2), ('sep_conv_3x3', 3), ('skip_connect', 0), ('sep_conv_5x5', 4), "
    "('sep_conv_3x3', 3)], normal_concat=range(2, 6), reduce=[('sep_conv_5x5', 0), "
    "('sep_conv_3x3', 1), ('sep_conv_5x5', 2), ('sep_conv_5x5', 1), ('dil_conv_5x5', 2), "
    "('sep_conv_3x3', 1), ('sep_conv_5x5', 0), ('sep_conv_5x5', 2)], reduce_concat=range(2, 6))"
)
SMALL = DARTS(cells=3, width=2)


@operation()
def conv_1x1(width: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.ReLU(), nn.Conv2d(width, out, 1, stride, bias=False))


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> DARTS:
        return SMALL

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=9)


class TestContractWithAnotherOperation(SpaceContract):
    @pytest.fixture
    def space(self) -> DARTS:
        return DARTS(operations=(*OPERATIONS, conv_1x1), cells=3, width=2)

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=9)


@pytest.mark.parametrize(
    ("genotype", "params", "macs"),
    # The paper and public lists of genotypes give 3.3 M and 528 M, and 3.36 M and 519 M.
    [(V2, 3_349_342, 528), (GDAS, 3_368_782, 519)],
)
def test_published_networks(genotype: str, params: int, macs: int) -> None:
    cells = DARTS()
    counts = cells.statistics(cells.rows([genotype]))
    assert counts["params"].tolist() == [params]
    assert round(counts["macs"].item() / 1e6) == macs


def test_genotypes_come_back() -> None:
    text = SMALL.to_string(SMALL.architecture(V2).indices)
    assert text == V2.replace("[2, 3, 4, 5]", "range(2, 6)")
    pairs = text.replace("range(2, 6)", "[5, 4, 3, 2]")
    assert SMALL.architecture(pairs) == SMALL.architecture(V2)


def test_order_of_halves_and_numbers_of_nodes_do_not_count() -> None:
    # Nodes 2 and 3 of the normal cell change places, and so do the halves of node 2.
    other = V2.replace(
        "[('sep_conv_3x3', 0), ('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 2)]",
        "[('sep_conv_3x3', 1), ('sep_conv_3x3', 0), ('sep_conv_3x3', 0), ('sep_conv_3x3', 1), "
        "('sep_conv_3x3', 1), ('skip_connect', 0), ('skip_connect', 0), ('dil_conv_3x3', 3)]",
    )
    assert other != V2
    assert SMALL.architecture(other) == SMALL.architecture(V2)
    assert SMALL.architecture(other.replace("'dil_conv_3x3', 3", "'dil_conv_3x3', 4")) != (
        SMALL.architecture(V2)
    )


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("('sep_conv_3x3', 0), ", "", "lists 8 operations, got 6"),
        ("'dil_conv_3x3', 2", "'none', 2", "no operation 'none'"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', 5", "block 5 takes states 0 to 4, got 5"),
        ("'dil_conv_3x3', 2", "'dil_conv_3x3', 0.5", "no pair"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=range(-1000000000, 6)", "no range"),
        ("normal_concat=[2, 3, 4, 5]", "normal_concat=[3, 4, 5]", r"normal_concat is \[2, 3"),
        ("('dil_conv_3x3', 2)", "'dil_conv_3x3'", "no pair"),
        ("reduce=", "other=", "names its normal"),
    ],
)
def test_unreadable_strings(old: str, new: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        SMALL.architecture(V2.replace(old, new))


def test_one_state_twice_is_no_node() -> None:
    with pytest.raises(ArchitectureError, match="breaks a constraint"):
        SMALL.architecture(V2.replace("('dil_conv_3x3', 2)", "('dil_conv_3x3', 0)"))


def test_the_auxiliary_head_speaks_in_training_alone() -> None:
    cells = DARTS(cells=3, width=2, auxiliary=True)
    network = cells.build(cells.example)
    (images,) = cells.task.inputs()
    logits, middle = network(images)
    assert logits.shape == middle.shape == (2, 10)
    middle.sum().backward()
    assert network.eval()(images).shape == (2, 10)
    plain = SMALL.build(cells.example)
    assert (
        sum(p.numel() for p in plain.parameters())
        == SMALL.statistics(torch.tensor([cells.example]))["params"]
    )


def test_paths_are_dropped_but_not_identities() -> None:
    network = SMALL.build(V2)
    paths = [each for each in network.modules() if isinstance(each, DropPath)]
    # A normal cell has two identities, each reduction cell three.
    assert len(paths) == 6 + 5 + 5
    assert all(each.p == 0.0 for each in paths)
    for each in paths:
        each.p = 0.5
    (images,) = SMALL.task.inputs()
    torch.manual_seed(0)
    assert not torch.equal(network(images), network(images))
    network.eval()
    assert torch.equal(network(images), network(images))


def test_sizes_are_checked() -> None:
    for wrong in ({"cells": 2}, {"width": 1}):
        with pytest.raises(UsageError, match="3 cells of 2 channels"):
            DARTS(**wrong)


def test_variables_are_the_same_at_every_size() -> None:
    assert SMALL.variables == DARTS().variables
    assert SMALL.name == DARTS().name == "darts"


@pytest.mark.slow
def test_many_architectures(many_architectures: Check) -> None:
    many_architectures(DARTS(cells=4, width=5), ImageTask(classes=3, channels=2, resolution=17))
