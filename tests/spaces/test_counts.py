import pytest
import torch
from torch import nn

from vitruvius.core.errors import UsageError
from vitruvius.spaces.counts import count, count_module, depth_of
from vitruvius.spaces.operation import Operation


def conv(width: int, out: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, out, 3, stride, 1), nn.ReLU(), nn.BatchNorm2d(out))


def test_counts_of_a_block() -> None:
    # 2 x 5 kernels of 9 and 5 biases, 10 of the normalisation; 4 x 4 positions.
    assert count(conv, 2, 5, 2, (7, 7)) == (90 + 5 + 10, 90 * 16, 1, (5, 4, 4))


def test_counting_leaves_the_random_state_alone() -> None:
    before = torch.get_rng_state()
    count(conv, 3, 5, 1, (7, 7))
    assert torch.equal(torch.get_rng_state(), before)


def test_blocks_side_by_side_say_their_depth() -> None:
    both = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    assert depth_of(both) == 2
    both.depth = 1  # type: ignore[assignment]
    assert depth_of(both) == 1


def test_series_are_counted() -> None:
    assert count_module(nn.Conv1d(1, 4, 3, 2, 1, bias=False), (1, 9))[:2] == (12, 60)


def test_an_operation_of_another_shape() -> None:
    narrow = Operation("narrow", lambda width, out, stride: nn.Conv2d(width, out, 3, stride))
    with pytest.raises(UsageError, match=r"'narrow' makes \[4, 2, 2\] of \[2, 5, 5\]"):
        count(narrow, 2, 4, 2, (5, 5))
