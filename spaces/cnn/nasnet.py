"""The space of NASNet (Zoph et al., CVPR 2018): a normal and a reduction cell of five blocks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch.nn.functional as F
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..operation import Operation
from ..task import ImageTask
from ._paired_cells import INPUTS
from ._paired_space import PairedCellSpace, Place
from .blocks import (
    Pooling,
    ReLUConvolution,
    SeparableConvolution,
    SpatiallySeparableConvolution,
)

__all__ = ["OPERATIONS", "NASNet"]


def _identity(width: int, out: int, stride: int, *, affine: bool = True) -> nn.Module:
    if stride == 1 and width == out:
        return nn.Identity()
    return ReLUConvolution(width, out, stride, affine=affine)


# The thirteen of the paper, called as in DARTS's repository.
OPERATIONS = (
    # On the inputs of a reduction cell, it is a 1x1 convolution of stride two.
    Operation("skip_connect", _identity, "identity"),
    Operation("conv_1x3_3x1", partial(SpatiallySeparableConvolution, kernel=3)),
    Operation("conv_1x7_7x1", partial(SpatiallySeparableConvolution, kernel=7)),
    Operation("dil_conv_3x3", partial(ReLUConvolution, kernel=3, dilation=2)),
    Operation("avg_pool_3x3", partial(Pooling, kind="avg")),
    Operation("max_pool_3x3", partial(Pooling, kind="max")),
    Operation("max_pool_5x5", partial(Pooling, kind="max", kernel=5)),
    Operation("max_pool_7x7", partial(Pooling, kind="max", kernel=7)),
    Operation("conv_1x1", partial(ReLUConvolution, kernel=1)),
    Operation("conv_3x3", partial(ReLUConvolution, kernel=3)),
    Operation("sep_conv_3x3", partial(SeparableConvolution, kernel=3)),
    Operation("sep_conv_5x5", partial(SeparableConvolution, kernel=5)),
    Operation("sep_conv_7x7", partial(SeparableConvolution, kernel=7)),
)
# Channels of the first convolution for small images, times the width; for large ones.
STEM, IMAGENET_STEM = 3, 32


class NASNet(PairedCellSpace):
    """The 1.5e29 pairs of cells of NASNet (arXiv 1707.07012).

    Each of a cell's five blocks adds two of thirteen operations, each on one of the cell's two
    inputs or an earlier block; both may take the same. What no block takes is concatenated. The
    paper lets a block add or concatenate; here blocks add, as in all cells it found. Cells that
    differ by the order of a block's halves or by the numbers of blocks are one architecture.

    A network has three rows of normal cells with a reduction cell between them, which doubles the
    channels; for large images, two more reduction cells come first. Architectures are written as
    genotypes, as those of DARTS. The depth is along the longest path of all cells. Counts leave
    the auxiliary head out.

    The published NASNet-A also concatenates some states that blocks take; the cells of its
    genotype, by the paper's rule, have fewer channels.

    Args:
        operations: What a block can do; the thirteen of the paper and your own (see `operation`).
        cells: Normal cells in each of the three rows, the paper's N.
        width: Channels of the blocks in the first row: a quarter of those in the last, whose
            outputs, as many as a cell concatenates, the paper calls penultimate filters.
        stem: ``cifar``, a convolution; ``imagenet``, a convolution of stride two and two reduction
            cells, which make an eighth of the resolution.
        auxiliary: Whether modules have an auxiliary head, before the last reduction cell. In
            training they then return the pair of logits and auxiliary logits.

    Raises:
        UsageError: Without cells, for a width below eight, or another stem.

    Example:
        >>> mobile = NASNet(cells=4, width=44, stem="imagenet")
        >>> mobile.variables == NASNet().variables, len(mobile.variables)
        (True, 40)
    """

    name = "nasnet"
    task = ImageTask()
    own = OPERATIONS
    blocks, repeats = 5, True
    activated = True

    def __init__(
        self,
        *,
        operations: Sequence[Operation] = OPERATIONS,
        cells: int = 6,
        width: int = 32,
        stem: str = "cifar",
        auxiliary: bool = False,
    ) -> None:
        if cells < 1 or width < 8:
            raise UsageError(
                f"NASNet needs a cell in each row and 8 channels, got cells={cells}, "
                f"width={width}.",
                "For CIFAR-10, the paper has cells=6, width=32.",
            )
        if stem not in ("cifar", "imagenet"):
            raise UsageError(f"There is no stem {stem!r}.", "Use cifar or imagenet.")
        self.cells, self.width, self.large = cells, width, stem == "imagenet"
        super().__init__(operations, auxiliary)

    def concatenated(self, states: Int[Tensor, "B 2 N 2"]) -> Bool[Tensor, "B 2 S"]:
        taken = F.one_hot(states.flatten(2), INPUTS + self.blocks)
        return taken.sum(2) == 0

    def stack(self) -> list[Place]:
        places = [Place(True, self.width // 4), Place(True, self.width // 2)] if self.large else []
        for row in range(3):
            width = self.width * 2**row
            places += [Place(True, width)] if row else []
            places += [Place(False, width)] * self.cells
        return places

    @property
    def stem_size(self) -> tuple[int, int]:
        return (IMAGENET_STEM, 2) if self.large else (STEM * self.width, 1)

    @property
    def auxiliary_at(self) -> int:
        return 2 * self.large + 2 * self.cells
