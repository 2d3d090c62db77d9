"""Networks of stacked cells that take the outputs of the two cells before them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..drop_path import DropPath
from ..operation import Operation
from ._paired_cells import INPUTS
from .blocks import FactorizedReduction, ReLUConvolution

__all__ = ["AuxiliaryHead", "PairedCell", "PairedNetwork"]

Halves = Sequence[Sequence[Sequence[int]]]


class PairedCell(nn.Module):
    """One cell: both inputs are brought to one shape, blocks added, some states concatenated.

    Args:
        halves: State and number of the operation of both halves of every block.
        operations: The operations.
        concatenated: States that are put out.
        widths: Channels of the two inputs.
        width: Channels of every state.
        reduction: Whether operations on the inputs have stride two.
        after_reduction: Whether the first input has twice the side of the second.
    """

    def __init__(
        self,
        halves: Halves,
        operations: Sequence[Operation],
        concatenated: Sequence[int],
        widths: tuple[int, int],
        width: int,
        reduction: bool,
        after_reduction: bool,
    ) -> None:
        super().__init__()
        before = FactorizedReduction if after_reduction else ReLUConvolution
        self.preprocess = nn.ModuleList(
            [before(widths[0], width), ReLUConvolution(widths[1], width)]
        )
        self.states = [[state for state, _ in block] for block in halves]
        self.operations = nn.ModuleList()
        for state, index in (half for block in halves for half in block):
            stride = 2 if reduction and state < INPUTS else 1
            module = operations[index].build(width, width, stride)
            # An identity is never dropped, as in DARTS and NASNet.
            keeps = isinstance(module, nn.Identity)
            self.operations.append(module if keeps else nn.Sequential(module, DropPath()))
        self.concatenated = list(concatenated)
        self.reductions = nn.ModuleDict(
            {str(s): FactorizedReduction(width, width) for s in concatenated if s < INPUTS}
            if reduction
            else {}
        )

    def forward(
        self, before: Float[Tensor, "B ..."], last: Float[Tensor, "B ..."]
    ) -> Float[Tensor, "B ..."]:
        given = zip(self.preprocess, (before, last), strict=True)
        states = [prepare(value) for prepare, value in given]
        operations = iter(self.operations)
        for first, second in self.states:
            states.append(next(operations)(states[first]) + next(operations)(states[second]))
        for state, reduce in self.reductions.items():
            states[int(state)] = reduce(states[int(state)])
        return torch.cat([states[state] for state in self.concatenated], dim=1)


class AuxiliaryHead(nn.Sequential):
    """A second classifier on a middle cell, as in DARTS and NASNet, for any resolution.

    Args:
        width: Channels of the cell's output.
        classes: Number of classes.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(2),
            nn.Conv2d(width, 128, 1, bias=False),
            nn.BatchNorm2d(128),
            nn.ReLU(),
            nn.Conv2d(128, 768, 2, bias=False),
            nn.BatchNorm2d(768),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(768, classes),
        )


class PairedNetwork(nn.Module):
    """A stem, stacked cells, a classifier.

    Its output is the logits; in training, with an auxiliary head, the pair of logits and the
    auxiliary head's logits.

    Args:
        stem: What makes both inputs of the first cell.
        cells: The cells.
        head: What makes logits of the last cell's output.
        auxiliary: Second classifier, or None.
        auxiliary_at: The cell that it reads.
    """

    def __init__(
        self,
        stem: nn.Module,
        cells: Sequence[PairedCell],
        head: nn.Module,
        auxiliary: AuxiliaryHead | None,
        auxiliary_at: int,
    ) -> None:
        super().__init__()
        self.stem, self.cells = stem, nn.ModuleList(cells)
        self.auxiliary, self.auxiliary_at = auxiliary, auxiliary_at
        self.head = head

    def forward(self, x: Float[Tensor, "B C H W"]) -> Tensor | tuple[Tensor, Tensor]:
        before = last = self.stem(x)
        middle = None
        for index, cell in enumerate(self.cells):
            before, last = last, cell(before, last)
            if index == self.auxiliary_at and self.auxiliary is not None and self.training:
                middle = self.auxiliary(last)
        logits: Tensor = self.head(last)
        return logits if middle is None else (logits, middle)
