from functools import partial

import pytest
import torch
from torch import nn

from vitruvius.spaces.cnn import blocks

BLOCKS = (
    partial(blocks.ReLUConvolution, kernel=3, dilation=2),
    partial(blocks.SeparableConvolution, kernel=5),
    partial(blocks.DilatedConvolution, kernel=5),
    partial(blocks.SpatiallySeparableConvolution, kernel=7),
    blocks.FactorizedReduction,
    partial(blocks.Pooling, kind="avg"),
    partial(blocks.Pooling, kind="max", kernel=7, normalised=True),
    blocks.Zero,
    blocks.skip,
)


@pytest.mark.parametrize("build", BLOCKS)
@pytest.mark.parametrize(("side", "stride"), [(8, 1), (8, 2), (7, 2), (1, 2)])
@pytest.mark.parametrize("out", [4, 5])
def test_sides_are_halved_by_rounding_up(
    build: partial[nn.Module], side: int, stride: int, out: int
) -> None:
    image = torch.zeros(2, 4, side, side)
    assert build(4, out, stride)(image).shape == (2, out, -(-side // stride), -(-side // stride))


@pytest.mark.parametrize("build", BLOCKS[:7])
def test_normalisations_without_weights(build: partial[nn.Module]) -> None:
    plain = build(4, 4, 2, affine=False)
    assert all(parameter.dim() == 4 for parameter in plain.parameters())


def test_a_reduction_passes_over_no_pixel_with_even_sides() -> None:
    reduction = blocks.FactorizedReduction(1, 2).eval()
    image = torch.rand(1, 1, 4, 4, requires_grad=True)
    reduction(image).abs().sum().backward()
    assert image.grad is not None
    # Every second pixel of every second row, and those one on from them.
    assert (image.grad[0, 0] != 0).sum() == 8
    assert (image.grad[0, 0].diagonal() != 0).all()


def test_averages_are_of_what_lies_inside() -> None:
    ones = torch.ones(1, 1, 5, 5)
    assert torch.equal(blocks.Pooling(1, 1, 1, kind="avg")(ones), ones)


def test_a_residual_where_the_shape_allows() -> None:
    for arguments, residual in (((4, 8, 4, 3, 1), True), ((4, 8, 4, 3, 2), False)):
        assert blocks.InvertedResidual(*arguments).residual is residual
    assert not blocks.InvertedResidual(4, 8, 4, 3, 1, residual=False).residual
