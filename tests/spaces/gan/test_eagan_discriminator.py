from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, ProductSpace, Space
from vitruvius.spaces.gan.autogan import AutoGAN
from vitruvius.spaces.gan.eagan_discriminator import EAGANDiscriminator
from vitruvius.testing import SpaceContract

NETS = EAGANDiscriminator()
AUTOGAN = NETS.published["AutoGAN"]
PLAIN = "[1, 0, 1, 1, 0, -1, -1]"
SMALL = ImageTask(classes=3, channels=1, resolution=8)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> EAGANDiscriminator:
        return EAGANDiscriminator(width=2)

    @pytest.fixture
    def task(self) -> ImageTask:
        return SMALL


def test_the_published_discriminator() -> None:
    architecture = NETS.architecture(AUTOGAN)
    assert str(architecture) == AUTOGAN
    three, one, linear = 9 * 128**2 + 128, 128**2 + 128, 128
    first = 28 * 128 + three + 4 * 128
    expected = first + 2 * three + one + 2 * 2 * three + linear
    assert NETS.statistics(NETS.rows([AUTOGAN]))["params"].tolist() == [expected]


def test_counts_by_hand() -> None:
    nets = EAGANDiscriminator(width=4)
    text = f"[[3, 0, 2, 0, 4, 2, 0], {PLAIN}, [2, 3, 0, 1, 0, 1, 1]]"
    counts = nets.statistics(nets.rows([text]), ImageTask(channels=2, resolution=9))
    one, three, five = 16, 9 * 16, 25 * 16
    # Sides of 9, then 5 behind the first block, then 3.
    first = 9 * 8 * 81 + three * 81 + 8 * 25
    macs = first + (three + one + five) * 25 + three * 9 + (one + three) * 9 + 4
    params = (72 + 4) + (three + 4) + (8 + 4) + (three + one + five + three + 16)
    params += one + three + 8 + 4
    assert counts["params"].tolist() == [params]
    assert counts["macs"].tolist() == [macs]
    # First block; c0, c2, down0; nothing; c0 or c1 of the third cell; linear.
    assert counts["depth"].tolist() == [2 + 3 + 1 + 1]


def test_cells() -> None:
    cells = NETS.cells
    assert (cells.encoding_count, len(cells.classes)) == (511_488, 493_002)
    assert NETS.architecture_count == 493_002**3
    every = torch.cartesian_prod(*(torch.arange(size) for size in cells.sizes))
    valid = every[~cells.broken(every).any(1)]
    _, c1, c2, c3, c4, down0, down1 = every.unbind(1)
    expected = (c1 + c2 > 0) & (c3 + c4 > 0) & ((down0 > 0) == (down1 > 0))
    assert len(valid) == int(expected.sum()) == 511_488
    assert len(cells.canonical(valid).unique(dim=0)) == 493_002


def test_nodes_change_places() -> None:
    def of(*cells: str) -> list[str]:
        return [f"[{cell}, {PLAIN}, {PLAIN}]" for cell in cells]

    alike = of("[3, 1, 2, 4, 0, 0, 5]", "[3, 0, 4, 2, 1, 5, 0]")
    assert NETS.architecture(alike[0]) == NETS.architecture(alike[1])
    assert all(a == b for a, b in NETS.statistics(NETS.rows(alike)).values())
    # Before the convolution of c4 there is no ReLU.
    other = of("[3, 2, 0, 0, 3, 0, 0]", "[3, 3, 0, 0, 2, 0, 0]")
    assert NETS.architecture(other[0]) != NETS.architecture(other[1])


def test_ways_down_come_and_go_together() -> None:
    row = NETS.rows([AUTOGAN])[0]
    near = NETS.neighbours(row)
    assert NETS.is_valid(near).all()
    # Of the first cell none, and one of the two changed; of the second, each of all pairs.
    first = near[(near[:, 5:7] != row[5:7]).any(1)][:, 5:7]
    assert len(first) == 11
    assert (first == 0).all(1).sum() == 1
    assert len(near[(near[:, 12:14] != row[12:14]).any(1)]) == 36
    for each in near[::20]:
        back = NETS.neighbours(each)
        assert (back == NETS.canonical(row[None])).all(1).any()


def test_children_take_ways_down_from_one_parent() -> None:
    parents = NETS.rows([f"[{PLAIN}, {PLAIN}, {PLAIN}]", AUTOGAN.replace("-1, -1", "3, 2")])
    a, b = (parent.expand(200, -1) for parent in parents)
    children = NETS.crossover(a, b, 0)
    assert NETS.is_valid(children).all()
    halved = (children.unflatten(1, (3, 7))[..., 5] > 0).sum(1)
    assert set(halved.tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("resolution", [8, 5, 1])
def test_scores_of_any_side(resolution: int) -> None:
    task = ImageTask(classes=3, channels=2, resolution=resolution)
    nets = EAGANDiscriminator(width=2)
    for row in nets.sample(6, 0):
        module = nets.build(row, task)
        assert module(torch.randn(2, 2, resolution, resolution)).shape == (2, 1)
        macs = sum(layer.macs for layer in nets.layers(row, task))
        assert nets.statistics(row[None], task)["macs"].tolist() == [macs]


def test_a_conditional_discriminator() -> None:
    task = ImageTask(classes=5, channels=1, resolution=8)
    nets = EAGANDiscriminator(width=4, conditional=True)
    x = nets.rows([AUTOGAN])
    plain = EAGANDiscriminator(width=4).statistics(x, task)["params"]
    params = nets.statistics(x, task)["params"]
    assert (params - plain).tolist() == [5 * 4]
    assert params.tolist() == [sum(layer.params for layer in nets.layers(AUTOGAN, task))]
    torch.manual_seed(0)
    module = nets.build(AUTOGAN, task).eval()
    images = torch.randn(2, 1, 8, 8)
    scores = [module(images, torch.tensor([label] * 2)) for label in (0, 1)]
    assert scores[0].shape == (2, 1)
    assert not torch.allclose(*scores)


def test_both_sides_at_once() -> None:
    both = ProductSpace(
        name="gan",
        parts={"g": AutoGAN(width=2, latent=3), "d": EAGANDiscriminator(width=2)},
    )
    SpaceContract().test_modules_learn(both, SMALL, both.sample(3, 0))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"[{PLAIN}, {PLAIN}, {PLAIN}, {PLAIN}]", "no list of 3 cells"),
        (f"[{PLAIN}, {PLAIN}, [0, 0, 1, 1, 0, 0, 0]]", "c0_3 is 1 to 6, got 0"),
        (f"[{PLAIN}, {PLAIN}, [1, 0, 1, 1, 0, 6, 0]]", "down0_3 is -1 to 5, got 6"),
        (f"[{PLAIN}, {PLAIN}, [1, 0, 0, 1, 0, 0, 0]]", "cell 3, c1 and c2 must not both"),
        (f"[{PLAIN}, [1, 0, 1, 0, 0, 0, 0], {PLAIN}]", "cell 2, c3 and c4 must not both"),
        (f"[{PLAIN}, {PLAIN}, [1, 0, 1, 1, 0, -1, 0]]", "none both or neither"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_a_width_is_needed() -> None:
    with pytest.raises(UsageError, match="width=0"):
        EAGANDiscriminator(width=0)


def test_the_drawing_has_no_ways_down_that_are_not_there() -> None:
    dag = NETS.dag(NETS.architecture(AUTOGAN).indices)
    assert list(dag.edges.values()).count("avg_pool") == 2
    assert (dag.nodes[0], dag.nodes[dag.outputs[0]]) == ("image", "score")
    assert dag.edges[7, 9] == dag.edges[8, 9] == ""


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
def test_many_architectures(
    conditional: bool, many_architectures: Callable[[Space, ImageTask], None]
) -> None:
    nets = EAGANDiscriminator(width=3, conditional=conditional)
    many_architectures(nets, ImageTask(classes=3, channels=2, resolution=9))
