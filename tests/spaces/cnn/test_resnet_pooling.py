from collections.abc import Callable

import numpy as np
import pytest

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.cnn.resnet_pooling import ResNetPooling
from vitruvius.testing import SpaceContract

Table = dict[str, np.ndarray]
NETS = ResNetPooling()


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> ResNetPooling:
        return ResNetPooling(width=2)

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=7)


def test_the_usual_network() -> None:
    # ResNet-20 (He et al., 2016, table 6) has 0.27 M parameters, and 41 M multiply-adds.
    counts = NETS.statistics(NETS.rows(["4-3-3"]))
    assert counts["depth"].tolist() == [20]
    assert round(counts["params"].item() / 1e6, 2) == 0.27
    assert round(counts["macs"].item() / 1e6) == 41


def test_the_later_the_pooling_the_more_is_computed() -> None:
    first, second = NETS.statistics(NETS.rows(["3-4-3", "4-3-3"]))["macs"].tolist()
    assert first < second
    assert len(NETS.statistics(NETS.enumerate())["params"].unique()) == 1


@pytest.mark.parametrize("text", ["4-3-3", "[4, 3, 3]", "(4, 3, 3)", "array([4, 3, 3])", "[4 3 3]"])
def test_notations(text: str) -> None:
    assert NETS.to_string(NETS.from_string(text)) == "4-3-3"


@pytest.mark.parametrize(
    ("text", "why"),
    [("4-3", "share 10 blocks"), ("9-0-1", "share 10 blocks"), ("4-3-4", "share"), ("4", "share")],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_a_width_is_needed() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        ResNetPooling(width=0)


def test_the_chain_is_drawn() -> None:
    dag = NETS.dag(NETS.from_string("1-8-1"))
    assert dag.nodes[:4] == ("input", "conv 16", "max pool", "block 16")
    assert dag.nodes.count("max pool") == 2
    assert len(dag.nodes) == 14


def test_published_configurations(load_table: Callable[[str], Table]) -> None:
    table = load_table("pooling_resnet20")
    x = NETS.rows([str(blocks.tolist()) for blocks in table["blocks_per_resolution"]])
    assert len(x) == NETS.architecture_count == len(x.unique(dim=0)) == 36


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, ImageTask], None]) -> None:
    many_architectures(ResNetPooling(width=3), ImageTask(classes=3, channels=2, resolution=17))
