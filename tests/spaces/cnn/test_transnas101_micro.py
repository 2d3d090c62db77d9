from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.cnn.transnas101_micro import OPERATIONS, TransNAS101Micro
from vitruvius.spaces.operation import operation
from vitruvius.testing import SpaceContract

Table = dict[str, np.ndarray]
CELLS = TransNAS101Micro()


@operation()
def conv_5x5(width: int, out: int, stride: int) -> nn.Module:
    return nn.Conv2d(width, out, 5, stride, 2, bias=False)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> TransNAS101Micro:
        return TransNAS101Micro(width=2, modules="4123")

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=17)


def test_another_operation() -> None:
    cells = TransNAS101Micro(operations=(*OPERATIONS, conv_5x5), width=2, modules=4)
    assert cells.name == "transnas101-micro+conv_5x5"
    task = ImageTask(classes=3, channels=1, resolution=9)
    x = cells.rows(["4_04_344", *(cells.to_string(row) for row in cells.sample(3, 0).tolist())])
    counts = cells.statistics(x, task)
    layers = [cells.layers(row, task) for row in x]
    for name in ("params", "macs"):
        assert [sum(getattr(one, name) for one in each) for each in layers] == counts[name].tolist()
    assert len(cells.enumerate()) == cells.architecture_count == 4 * 5**5 + 5 * 325


def test_counts_by_hand() -> None:
    cells = TransNAS101Micro(width=4, modules="4")
    counts = cells.statistics(cells.rows(["0_00_300"]), ImageTask(classes=2, resolution=16))
    stem = 27 * 2 + 4 + 9 * 2 * 4 + 8
    first, second = 9 * 4 * 8 + 16, 9 * 8 * 8 + 16
    assert counts["params"].tolist() == [stem + first + second + 8 * 2 + 2]
    # Sides 8 and 4 behind the stem, 2 in the cells.
    macs = 27 * 2 * 64 + 9 * 8 * 16 + (9 * 32 + 9 * 64) * 4 + 16
    assert counts["macs"].tolist() == [macs]
    assert counts["depth"].tolist() == [2 + 2 + 1]


def test_inner_nodes_without_an_edge_change_places() -> None:
    assert CELLS.architecture("1_20_303") == CELLS.architecture("2_10_330")
    assert CELLS.architecture("1_21_303") != CELLS.architecture("2_11_330")


def test_other_widths_are_read() -> None:
    small = TransNAS101Micro(width=8, modules="24")
    assert small.to_string(small.from_string("64-41414-1_02_333")) == "8-24-1_02_333"
    assert CELLS.architecture("8-24-1_02_333") == small.architecture("1_02_333")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("64-41414-1_02_33", "no width-modules-cell"),
        ("64-41514-1_02_333", "no width-modules-cell"),
        ("64-41414-1_02_334", "operations are 0 to 3, got 4"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        CELLS.architecture(text)


def test_sizes_are_checked() -> None:
    for wrong in ({"width": 3}, {"modules": "415"}, {"modules": ""}):
        with pytest.raises(UsageError, match="even width and modules"):
            TransNAS101Micro(**wrong)
    many = tuple(operation(f"op{i}")(conv_5x5.build) for i in range(36))
    with pytest.raises(UsageError, match="36 operations at most, got 40"):
        TransNAS101Micro(operations=(*OPERATIONS, *many))


def test_published_cells(load_table: Callable[[str], Table]) -> None:
    table = load_table("transnas101_micro")
    x = CELLS.rows(table["arch_str"].tolist())
    columns = [table[f"op_{i}_{j}"] for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
    assert torch.equal(x, torch.from_numpy(np.stack(columns, 1)).long())
    assert [CELLS.to_string(row) for row in x.tolist()] == table["arch_str"].tolist()
    # Cells that change places differ by the noise of training alone: 12.2 points overall.
    canonical = torch.from_numpy(CELLS.codes(CELLS.canonical(x)))
    scene = torch.from_numpy(table["class_scene"]).double()
    both = canonical != torch.from_numpy(CELLS.codes(x))
    assert both.sum() == 4096 - 3616
    order = torch.from_numpy(CELLS.codes(x)).argsort()
    partner = order[canonical[both]]
    assert (scene[both] - scene[partner]).abs().mean() < 0.05 * scene.std()


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, ImageTask], None]) -> None:
    space = TransNAS101Micro(width=4, modules="4132")
    many_architectures(space, ImageTask(classes=3, channels=2, resolution=33))
