from collections.abc import Callable

import pytest
import torch
from torch import nn

from vitruvius.core.errors import UnknownNameError
from vitruvius.spaces.gan._blocks import (
    DOWNS,
    OPERATIONS,
    UPS,
    counts_of,
    down,
    operation,
    table_of,
    up,
    upsample,
)


def test_choices_can_be_added_up() -> None:
    x = torch.randn(2, 4, 5, 5)
    with torch.no_grad():
        assert sum(operation(name, 4)(x) for name in OPERATIONS).shape == (2, 4, 5, 5)
        assert sum(up(name, 4)(x) for name in UPS).shape == (2, 4, 10, 10)
        assert sum(down(name, 4)(x) for name in DOWNS[1:]).shape == (2, 4, 3, 3)
        assert sum(upsample(name, 4, 4)(x) for name in UPS).shape == (2, 4, 20, 20)


def test_what_is_none() -> None:
    x = torch.randn(1, 2, 3, 3)
    assert not operation("none", 2)(x).any()
    assert torch.equal(down("none", 2)(x), x)


def test_a_relu_may_be_left_out() -> None:
    assert [type(each) for each in operation("conv_3x3", 2)] == [nn.ReLU, nn.Conv2d]
    assert isinstance(operation("conv_3x3", 2, relu=False), nn.Conv2d)


def test_counts_are_those_of_the_block() -> None:
    table = table_of(down, DOWNS, 4, 7)
    assert table[0].tolist() == table[1].tolist() == [0, 0, 0]
    assert table[DOWNS.index("conv_5x5")].tolist() == [25 * 16 + 4, 25 * 16 * 16, 1]
    assert counts_of(up, "deconv", 4, 3)[:3] == (36 + 16, 36 * 9 + 16 * 36, 2)


@pytest.mark.parametrize("make", [operation, up, down, upsample])
def test_unknown_names(make: Callable[[str, int], nn.Module]) -> None:
    with pytest.raises(UnknownNameError, match="conv_7x7"):
        make("conv_7x7", 4)
