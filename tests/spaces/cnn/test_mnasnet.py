from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.cnn.mnasnet import MnasNet
from vitruvius.testing import SpaceContract

NETS = MnasNet()
A1 = (
    "sepconv_k3_se0_none_f1_n1|mbconv6_k3_se0_identity_f1_n2|mbconv3_k5_se0.25_identity_f1.25_n3|"
    "mbconv6_k3_se0_identity_f1.25_n4|mbconv6_k3_se0.25_identity_f1.25_n2|"
    "mbconv6_k5_se0.25_identity_f1_n3|mbconv6_k3_se0_identity_f1_n1"
)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> MnasNet:
        return MnasNet(width=0.25, stem_stride=1)

    @pytest.fixture
    def task(self) -> ImageTask:
        return ImageTask(classes=3, channels=1, resolution=9)


class _Published(MnasNet):
    """With 112 filters in the fifth block, as MnasNet-A1 has in its published code."""

    filters = (16, 24, 32, 64, 89.6, 160, 320)


def test_the_published_network() -> None:
    # 3.9 M parameters and 312 M multiply-adds (table 1 of the paper); 3,887,038 where
    # https://github.com/osmr/imgclsmob counts it.
    nets = _Published()
    counts = nets.statistics(nets.rows([A1]))
    assert counts["params"].tolist() == [3_887_038]
    assert abs(counts["macs"].item() / 312e6 - 1) < 0.01
    (nearest,) = NETS.statistics(NETS.rows([A1]))["params"].tolist()
    assert round(nearest / 1e6, 1) == 3.9


def test_each_block_has_the_papers_choices() -> None:
    sizes = torch.tensor([variable.size for variable in NETS.variables]).reshape(7, 6)
    # All but the first and last, for which there cannot be no layer.
    assert sizes.prod(1).tolist() == [288, 432, 432, 432, 432, 432, 288]
    assert NETS.architecture_count == 192 * 336 * 432**4 * 192


def test_depths_are_drawn_by_their_number_of_fillings() -> None:
    layers = NETS.sample(8000, 0)[:, 5::6]
    for column, expected in ((0, [1 / 4, 3 / 4]), (1, [1 / 7, 3 / 7, 3 / 7]), (3, [1 / 3] * 3)):
        share = torch.bincount(layers[:, column]) / len(layers)
        torch.testing.assert_close(share, torch.tensor(expected), atol=0.025, rtol=0)


def test_the_skip_of_a_single_layer_does_not_count() -> None:
    other = A1.replace("se0_identity_f1_n1", "se0_pool_f1_n1")
    assert other != A1
    assert NETS.architecture(other) == NETS.architecture(A1)
    assert NETS.architecture(A1.replace("identity_f1_n2", "pool_f1_n2")) != NETS.architecture(A1)


def test_skips_are_built() -> None:
    (image,) = ImageTask(resolution=32).inputs()
    for skip in ("pool", "identity", "none"):
        network = NETS.build(A1.replace("identity", skip), ImageTask())
        skipped = [type(each).__name__ for each in network].count("_Skipped")
        assert skipped == (0 if skip == "none" else 1 + 2 + 3 + 1 + 2)
        assert network.eval()(image).isfinite().all()


def test_every_choice_is_another_network() -> None:
    small = MnasNet(width=0.25)
    texts = [A1.replace("none_f1_n1", f"none_f{scale}_n1") for scale in ("0.75", "1", "1.25")]
    for nets in (NETS, small):
        assert len(nets.statistics(nets.rows(texts))["params"].unique()) == 3


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("sepconv", "dwconv", "op_1 is one of conv, sepconv"),
        ("_n4", "_n6", "layers_4 is one of 3, 4, 5, got '6'"),
        ("|mbconv6_k5", "|k5", "is no block"),
        ("none_f1_n1|", "none_f1_n1", "7 blocks, got 6"),
    ],
)
def test_unreadable_strings(old: str, new: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(A1.replace(old, new))


def test_sizes_are_checked() -> None:
    for wrong in ({"width": 0.1}, {"stem_stride": 3}):
        with pytest.raises(UsageError, match="stem of stride 1 or 2"):
            MnasNet(**wrong)


@pytest.mark.slow
def test_many_architectures(many_architectures: Callable[[Space, ImageTask], None]) -> None:
    many_architectures(MnasNet(width=0.5), ImageTask(classes=3, channels=2, resolution=33))
