"""The space of DARTS (Liu et al., ICLR 2019): a normal and a reduction cell of four nodes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..operation import Operation
from ..task import ImageTask
from ._paired_cells import INPUTS
from ._paired_space import PairedCellSpace, Place
from .blocks import DilatedConvolution, Pooling, SeparableConvolution, skip

__all__ = ["DARTS", "OPERATIONS"]

# Those of the paper without `none`, which no derived cell has.
OPERATIONS = (
    Operation("max_pool_3x3", partial(Pooling, kind="max")),
    Operation("avg_pool_3x3", partial(Pooling, kind="avg")),
    # On the inputs of a reduction cell, it halves the resolution by two convolutions.
    Operation("skip_connect", skip, "identity"),
    Operation("sep_conv_3x3", partial(SeparableConvolution, kernel=3)),
    Operation("sep_conv_5x5", partial(SeparableConvolution, kernel=5)),
    Operation("dil_conv_3x3", partial(DilatedConvolution, kernel=3)),
    Operation("dil_conv_5x5", partial(DilatedConvolution, kernel=5)),
)
# The stem has three times the channels of the first cells.
STEM = 3


class DARTS(PairedCellSpace):
    """The 1.5e17 pairs of cells of DARTS (arXiv 1806.09055).

    Each of a cell's four nodes adds two operations on different ones of its two inputs and the
    earlier nodes; the four nodes are concatenated. A third and two thirds of the way through the
    network stands a reduction cell, the others are normal. Cells that differ by the order of a
    node's halves or by the numbers of nodes are one architecture.

    Architectures are written as genotypes, which the public repositories print and read. The
    depth is along the longest path of all cells. Counts leave the auxiliary head out.

    Args:
        operations: What a node can do; the seven of the paper and your own (see `operation`).
        cells: Number of cells, of which two are reduction cells.
        width: Channels of the first cells' nodes.
        auxiliary: Whether modules have an auxiliary head, behind the second reduction cell. In
            training they then return the pair of logits and auxiliary logits.

    Raises:
        UsageError: For fewer than three cells, or no width.

    Example:
        >>> cells = DARTS(cells=8, width=16)
        >>> cells.architecture_count == DARTS().architecture_count == 382128166**2
        True
        >>> cells.to_string(cells.example)[:35]
        "Genotype(normal=[('skip_connect', 0"
    """

    name = "darts"
    task = ImageTask()
    own = OPERATIONS
    blocks, repeats = 4, False

    def __init__(
        self,
        *,
        operations: Sequence[Operation] = OPERATIONS,
        cells: int = 20,
        width: int = 36,
        auxiliary: bool = False,
    ) -> None:
        if cells < 3 or width < 2:
            raise UsageError(
                f"DARTS needs 3 cells of 2 channels at least, got cells={cells}, width={width}.",
                "The paper has cells=20, width=36.",
            )
        self.cells, self.width = cells, width
        super().__init__(operations, auxiliary)

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        halves = self._split(x)
        different = (halves[..., 0, 0] != halves[..., 1, 0]).flatten(1).all(1)
        return self.in_range(x) & different

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        mask = super().allowed(x, known).clone()
        # Columns of states, and that of the other half of the same node.
        own = torch.arange(0, len(self.variables), 2, device=x.device)
        other = own ^ 2
        taken = nn.functional.one_hot(x[:, other].clamp(0, mask.shape[2] - 1), mask.shape[2]).bool()
        mask[:, own] &= ~(taken & known[:, other, None])
        return mask

    def concatenated(self, states: Int[Tensor, "B 2 N 2"]) -> Bool[Tensor, "B 2 S"]:
        kept = torch.arange(INPUTS + self.blocks, device=states.device) >= INPUTS
        return kept.expand(len(states), 2, -1)

    def stack(self) -> list[Place]:
        places, width = [], self.width
        for index in range(self.cells):
            reduction = index in (self.cells // 3, 2 * self.cells // 3)
            width *= 2 if reduction else 1
            places.append(Place(reduction, width))
        return places

    @property
    def stem_size(self) -> tuple[int, int]:
        return STEM * self.width, 1

    @property
    def auxiliary_at(self) -> int:
        return 2 * self.cells // 3
