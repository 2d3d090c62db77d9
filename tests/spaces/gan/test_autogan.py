from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.gan.autogan import AutoGAN
from vitruvius.testing import SpaceContract

NETS = AutoGAN()
BEST = NETS.published["AutoGAN (CIFAR-10 A)"]
SMALL = ImageTask(classes=3, channels=1, resolution=8)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> AutoGAN:
        return AutoGAN(width=2, latent=3)

    @pytest.fixture
    def task(self) -> ImageTask:
        return SMALL


def test_the_published_generator() -> None:
    architecture = NETS.architecture(BEST)
    assert str(architecture) == BEST
    for number, up, shortcut in (
        (1, "nearest", True),
        (2, "bilinear", True),
        (3, "nearest", False),
    ):
        assert architecture[f"conv_{number}"] == "pre"
        assert architecture[f"norm_{number}"] == "none"
        assert architecture[f"up_{number}"] == up
        assert architecture[f"shortcut_{number}"] is shortcut
    assert all(architecture[f"skip_{edge}"] for edge in ("1_2", "1_3", "2_3"))
    # The papers print 4.4 million: linear, convolutions, shortcuts, skips, the last two layers.
    parts = 528_384, 6 * 590_080, 2 * 65_792, 3 * 65_792, 512, 6_915
    assert NETS.statistics(NETS.rows([BEST]))["params"].tolist() == [sum(parts)] == [4_405_251]


def test_counts_by_hand() -> None:
    nets = AutoGAN(width=4, latent=3)
    # Post, deconv; a shortcut in the first cell; batch normalisation and both skips in the third.
    x = nets.rows(["0 0 2 1 0 0 2 0 0 0 1 2 0 3"])
    counts = nets.statistics(x, ImageTask(channels=2, resolution=8))
    three, one, raised = 9 * 16, 16, 4 * 16
    params = 3 * 4 + 4 + 6 * (three + 4) + 3 * (raised + 4)
    params += raised + 4 + one + 4  # the shortcut
    params += 16 + (2 + 1) * (raised + 4) + 2 * (one + 4)  # of the third cell
    params += 8 + 9 * 8 + 2
    macs = 3 * 4 + 2 * three * (4 + 16 + 64) + raised * (1 + 4 + 16)
    macs += raised + 4 * one
    macs += raised * ((4 + 16) + 16) + 2 * 64 * one
    macs += 9 * 8 * 64
    assert counts["params"].tolist() == [params]
    assert counts["macs"].tolist() == [macs]
    assert counts["depth"].tolist() == [1 + 3 * 3 + 1]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_conditional_generator(channels: int) -> None:
    task = ImageTask(classes=5, channels=channels, resolution=16)
    nets = AutoGAN(width=8, latent=3, conditional=True)
    x = nets.rows([BEST])
    plain = AutoGAN(width=8, latent=3).statistics(x, task)["params"]
    assert (nets.statistics(x, task)["params"] - plain).tolist() == [5 * 3]
    torch.manual_seed(0)
    module = nets.build(BEST, task).eval()
    assert sum(layer.params for layer in nets.layers(BEST, task)) == plain + 15
    z, labels = torch.randn(2, 3), torch.tensor([1, 1])
    images = module(z, labels)
    assert images.shape == (2, channels, 16, 16)
    assert images.abs().max() <= 1
    assert not torch.allclose(images, module(z, labels + 1))


def test_lists_are_read() -> None:
    numbers = [int(number) for number in BEST.split()]
    for text in (
        str(numbers),
        str(tuple(numbers)),
        f"[{BEST}]",
        BEST.replace(" ", ","),
        f" {BEST}\n",
    ):
        assert NETS.architecture(text) == NETS.architecture(BEST)


def test_the_bits_of_the_last_number() -> None:
    drawn = {n: NETS.architecture(f"1 0 1 1 1 0 0 1 1 1 0 1 0 {n}") for n in range(4)}
    assert [(a["skip_1_3"], a["skip_2_3"]) for a in drawn.values()] == [
        (False, False), (False, True), (True, False), (True, True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("1 0 1 1 1 0 0 1 1 1 0 1 0", "13 numbers, expected 14"),
        ("1 0 1 1 1 0 0 1 1 1 0 1 0 4", "third cell are 0 to 3, got 4"),
        ("1 3 1 1 1 0 0 1 1 1 0 1 0 3", "norm_1 is 0 to 2, got 3"),
        ("1 0 1 1 1 0 0 1 -1 1 0 1 0 3", "skip_1_2 is 0 to 1, got -1"),
        ("1 0 1.5 1 1 0 0 1 1 1 0 1 0 3", "whole numbers, got 1.5"),
        ("a generator", "no numbers"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_what_cannot_be_built() -> None:
    for wrong in ({"width": 0}, {"latent": 0}):
        with pytest.raises(UsageError, match="channels and noise"):
            AutoGAN(**wrong)
    with pytest.raises(UsageError, match="multiple of 8"):
        NETS.build(BEST, ImageTask(resolution=28))


def test_the_drawing_tells_ways_from_skips() -> None:
    dag = NETS.dag(NETS.architecture(BEST).indices)
    assert sorted(dag.edges.values()) == [
        *[""] * 4, *["shortcut"] * 2, *["skip"] * 3, "up bilinear", *["up nearest"] * 2
    ]  # fmt: skip
    assert (dag.inputs, dag.outputs) == ((0,), (7,))


def test_a_single_pixel_is_not_normalised() -> None:
    nets = AutoGAN(width=4, latent=3)
    torch.manual_seed(0)
    module = nets.build("1 2 1 0 1 2 0 0 0 1 2 1 0 0", SMALL)
    images = module(torch.randn(4, 3))
    assert images.std(0).mean() > 0


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
def test_many_architectures(
    conditional: bool, many_architectures: Callable[[Space, ImageTask], None]
) -> None:
    nets = AutoGAN(width=3, latent=4, conditional=conditional)
    many_architectures(nets, ImageTask(classes=3, channels=2, resolution=16))
