from collections.abc import Callable

import pytest
import torch

from vitruvius.core.errors import ArchitectureError, UsageError
from vitruvius.spaces import ImageTask, Space
from vitruvius.spaces.gan.eagan_generator import EAGANGenerator
from vitruvius.testing import SpaceContract

NETS = EAGANGenerator()
BEST = NETS.published["EAGAN (CIFAR-10)"]
PLAIN = "[0, 0, 1, 0, 0, 0, 1]"
SMALL = ImageTask(classes=3, channels=1, resolution=8)


class TestContract(SpaceContract):
    @pytest.fixture
    def space(self) -> EAGANGenerator:
        return EAGANGenerator(width=2, latent=3)

    @pytest.fixture
    def task(self) -> ImageTask:
        return SMALL


def test_the_published_generator() -> None:
    assert str(NETS.architecture(BEST)) == BEST
    counts = NETS.statistics(NETS.rows([BEST]))
    convolution, bias = 256**2, 256
    linear = 41 * 256 * (16 + 64 + 256)
    # In tens of thousands of weights: six ways up, three skips, the operations of each cell.
    operations = [1 + 9, 9 + 9, 9 + 9]
    weights = (6 + 3 + sum(operations)) * convolution
    biases = (6 + 3 + 2 + 2 + 2) * bias
    assert counts["params"].tolist() == [linear + weights + biases + 512 + 6_915]


def test_counts_by_hand() -> None:
    nets = EAGANGenerator(width=4, latent=6)
    text = f"[[2, 0, 0, 1, 3, 0, 1], {PLAIN}, [0, 0, 1, 0, 0, 0, 4]]"
    counts = nets.statistics(nets.rows([text]), ImageTask(channels=2, resolution=8))
    deconv, one, three, five = 9 * 4 + 16, 16, 9 * 16, 25 * 16
    params = 3 * 4 * (1 + 4 + 16) + deconv + 5 * (one + 4) + 3 * (one + 4)
    params += three + 4 + five + 4 + 8 + 9 * 8 + 2
    macs = 2 * 4 * (1 + 4 + 16) + 36 + 16 * 4
    macs += one * (4 + 2 * 16 + 2 * 64) + one * (16 + 2 * 64)
    macs += 4 * three + 64 * five + 9 * 8 * 64
    assert counts["params"].tolist() == [params]
    assert counts["macs"].tolist() == [macs]
    # Linear; deconv, 1x1, 3x3 of the first cell; up; up, 5x5; the last convolution.
    assert counts["depth"].tolist() == [1 + 3 + 1 + 2 + 1]


def test_the_longest_path_may_lead_through_skips() -> None:
    nets = EAGANGenerator(width=2, latent=3)
    # The middles, each one convolution behind the one before, are used by the last cell alone.
    cell = "[0, 0, 4, 0, 1, 0, 0]"
    texts = [f"[{cell}, {cell}, [0, 0, 4, 0, {last}]]" for last in ("1, 0, 0", "0, 0, 4")]
    depth = nets.statistics(nets.rows(texts))["depth"]
    assert depth.tolist() == [1 + 3 + 1, 1 + 2 + 1 + 1 + 1 + 1]


@pytest.mark.parametrize("resolution", [8, 24])
def test_a_conditional_generator(resolution: int) -> None:
    task = ImageTask(classes=5, channels=2, resolution=resolution)
    nets = EAGANGenerator(width=8, latent=6, conditional=True)
    counts = nets.statistics(nets.rows([BEST]), task)
    layers = nets.layers(BEST, task)
    assert counts["params"].tolist() == [sum(layer.params for layer in layers)]
    assert counts["macs"].tolist() == [sum(layer.macs for layer in layers)]
    plain = EAGANGenerator(width=8, latent=6)
    assert counts["params"] - plain.statistics(nets.rows([BEST]), task)["params"] == 5 * 6
    torch.manual_seed(0)
    module = nets.build(BEST, task).eval()
    z, labels = torch.randn(2, 6), torch.tensor([1, 1])
    images = module(z, labels)
    assert images.shape == (2, 2, resolution, resolution)
    assert not torch.allclose(images, module(z, labels + 1))


def test_cells() -> None:
    cells = NETS.cells
    assert (cells.encoding_count, len(cells.classes)) == (147_744, 74_304)
    assert NETS.architecture_count == 74_304**3
    every = torch.cartesian_prod(*(torch.arange(size) for size in cells.sizes))
    valid = every[~cells.broken(every).any(1)]
    # Said anew: no sum of nothing.
    expected = (every[:, 2:4].sum(1) > 0) & (every[:, 4:].sum(1) > 0)
    assert len(valid) == int(expected.sum()) == 147_744
    assert len(cells.canonical(valid).unique(dim=0)) == 74_304


def test_ways_change_places() -> None:
    rows = [
        f"[{cell}, {PLAIN}, {PLAIN}]" for cell in ("[2, 0, 1, 3, 0, 5, 6]", "[0, 2, 3, 1, 5, 0, 6]")
    ]
    first, second = (NETS.architecture(row) for row in rows)
    assert first == second
    assert str(first) != str(second)
    counts = NETS.statistics(NETS.rows(rows))
    assert all(a == b for a, b in counts.values())


def test_printed_arrays_are_read() -> None:
    printed = BEST.replace("], [", "]\n [").replace(",", "")
    for text in (printed, f"array({BEST})", BEST.replace("[", "(").replace("]", ")")):
        assert NETS.architecture(text) == NETS.architecture(BEST)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"[{PLAIN}, {PLAIN}]", "no list of 3 cells"),
        (f"[{PLAIN}, {PLAIN}, [0, 0, 1]]", "a cell has 7 genes, cell 3 has 3"),
        (f"[{PLAIN}, [3, 0, 1, 0, 0, 0, 1], {PLAIN}]", "up0_2 is 0 to 2, got 3"),
        (f"[{PLAIN}, {PLAIN}, [0, 0, 0, 0, 0, 0, 1]]", "cell 3, c0 and c1 must not both be none"),
        (f"[[0, 0, 1, 1, 0, 0, 0], {PLAIN}, {PLAIN}]", "cell 1, c2, c3 and c4 must not all"),
        (f"[{PLAIN}, {PLAIN}, ['a']]", "genes are whole numbers, got 'a'"),
    ],
)
def test_unreadable_strings(text: str, why: str) -> None:
    with pytest.raises(ArchitectureError, match=why):
        NETS.architecture(text)


def test_what_cannot_be_built() -> None:
    for wrong in ({"width": 0}, {"latent": 0}, {"latent": 128}):
        with pytest.raises(UsageError, match="three equal parts"):
            EAGANGenerator(**wrong)
    with pytest.raises(UsageError, match="multiple of 8"):
        NETS.build(BEST, ImageTask(resolution=28))


def test_the_drawing_tells_ways_from_skips() -> None:
    dag = NETS.dag(NETS.architecture(BEST).indices)
    labels = list(dag.edges.values())
    assert labels.count("skip") == labels.count("linear") == 3
    assert dag.nodes[2:6] == ("up bilinear", "up bilinear", "sum", "sum")
    assert (dag.nodes[0], dag.nodes[dag.outputs[0]]) == ("noise", "image")


@pytest.mark.slow
@pytest.mark.parametrize("conditional", [False, True])
def test_many_architectures(
    conditional: bool, many_architectures: Callable[[Space, ImageTask], None]
) -> None:
    nets = EAGANGenerator(width=3, latent=6, conditional=conditional)
    many_architectures(nets, ImageTask(classes=3, channels=2, resolution=16))
