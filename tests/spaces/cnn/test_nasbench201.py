from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import GraphTask, ImageTask
from vitruvius.spaces.cnn.nasbench201 import OPERATIONS, NASBench201
from vitruvius.spaces.operation import operation
from vitruvius.testing import SpaceContract

CELLS = NASBench201()


@operation()
def conv_5x5(width: int, out: int, stride: int) -> nn.Module:
    return nn.Conv2d(width, out, 5, stride, 2, bias=False)


WIDER = NASBench201(operations=(*OPERATIONS[:2], OPERATIONS[3], conv_5x5))
rows = st.tuples(*[st.integers(0, 4)] * 6)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> NASBench201:
        return CELLS

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=8)


def test_other_operations() -> None:
    assert WIDER.name == "nasbench201+conv_5x5-nor_conv_1x1-avg_pool_3x3"
    text = "|conv_5x5~0|+|none~0|skip_connect~1|+|none~0|none~1|nor_conv_3x3~2|"
    assert WIDER.to_string(WIDER.from_string(text)) == text
    # Of the 4,096 cells, those that compute the same expression are one.
    assert WIDER.architecture_count == len(WIDER.enumerate()) < 4096
    with pytest.raises(ArchitectureError, match="no operation 'avg_pool_3x3'"):
        WIDER.architecture("(4, 3, 3, 0, 1, 2)")
    assert str(WIDER.architecture("(1, 2, 2, 0, 1, 2)")).startswith("|none~0|")
    task = ImageTask(classes=3, channels=1, resolution=9)
    x = WIDER.sample(3, 0)
    counts = WIDER.statistics(x, task)
    layers = [WIDER.layers(row, task) for row in x]
    for name in ("params", "macs"):
        assert [sum(getattr(one, name) for one in each) for each in layers] == counts[name].tolist()


@given(rows)
def test_strings_come_back(row: tuple[int, ...]) -> None:
    assert CELLS.from_string(CELLS.to_string(row)) == row


@given(rows)
def test_canonical_form_is_the_smallest_of_its_class(row: tuple[int, ...]) -> None:
    x = torch.tensor([row])
    canonical = CELLS.canonical(x)
    assert torch.equal(CELLS.canonical(canonical), canonical)
    assert CELLS.codes(canonical)[0] <= CELLS.codes(x)[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("|none~0|", "three groups"),
        ("|none~0|+|none~0|+|none~0|none~1|none~2|", "node 2 takes 2 edges, got 1"),
        ("|conv~0|+|none~0|none~1|+|none~0|none~1|none~2|", "no operation 'conv'"),
        ("|none~1|+|none~0|none~1|+|none~0|none~1|none~2|", "must come from node 0"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        CELLS.architecture(text)


def test_a_graph_task_is_refused() -> None:
    with pytest.raises(UsageError, match="ImageTask, got GraphTask"):
        CELLS.build(CELLS.example, GraphTask())


def test_multiply_adds_of_running_modules(
    multiply_adds: Callable[[nn.Module, Tensor], float],
) -> None:
    task = ImageTask(classes=7, channels=2, resolution=18)
    x = CELLS.sample(6, 1)
    ran = [multiply_adds(CELLS.build(row, task), torch.randn(1, 2, 18, 18)) for row in x]
    assert ran == CELLS.statistics(x, task)["macs"].tolist()


def test_published_classes_and_counts(
    load_table: Callable[[str], dict[str, np.ndarray]],
) -> None:
    table = load_table("nb201")
    x = CELLS.rows(table["arch_str"].tolist())
    columns = [table[f"op_{i}_{j}"] for i, j in ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))]
    assert torch.equal(x, torch.from_numpy(np.stack(columns, 1)).long())
    ours = CELLS.codes(CELLS.canonical(x))
    theirs = table["iso_rep"]
    assert len(set(ours)) == len(set(theirs)) == len(set(zip(ours, theirs, strict=True))) == 6466
    counts = CELLS.statistics(x)
    np.testing.assert_allclose(counts["params"].numpy() / 1e6, table["params_m"], rtol=1e-6)
    # The table leaves the classifier's 64 x 10 multiply-adds out.
    macs = counts["macs"].numpy() - 640
    np.testing.assert_allclose(macs / 1e6, table["flops_m"], rtol=1e-6)


def test_smaller_networks_of_the_same_cells() -> None:
    small, task = NASBench201(width=4, cells=1), ImageTask(classes=3, resolution=9)
    for row in small.sample(3, 0):
        layers, counts = small.layers(row, task), small.statistics(row[None], task)
        assert sum(layer.params for layer in layers) == int(counts["params"])
        assert sum(layer.macs for layer in layers) == int(counts["macs"])
    assert small.variables == CELLS.variables
    with pytest.raises(UsageError, match="at least 1"):
        NASBench201(cells=0)
