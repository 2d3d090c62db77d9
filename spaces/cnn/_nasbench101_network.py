"""The network that NAS-Bench-101 builds around a cell."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..task import ImageTask
from ._nasbench101_layout import LAST

STEM, STACKS, CELLS = 128, 3, 3
CONVOLUTION_1X1, CONVOLUTION_3X3 = 1, 2


def vertex_channels(links: Bool[Tensor, "B 7 7"], out: int) -> Float[Tensor, "B 5"]:
    """Channels of the inner nodes, by the benchmark's rule (zero for absent ones).

    The output's channels are split evenly among the nodes it concatenates, the remainder going to
    the first of them; every other node is as wide as the widest node it feeds.
    """
    feeds = links[:, 1:LAST, LAST]
    count = feeds.sum(1, keepdim=True).clamp(min=1)
    extra = feeds.cumsum(1) <= out % count
    channels = torch.where(feeds, out // count + extra.long(), 0)
    for node in range(LAST - 2, 0, -1):
        fed = (links[:, node, node + 1 : LAST] * channels[:, node:]).amax(1)
        channels[:, node - 1] = torch.where(feeds[:, node - 1], channels[:, node - 1], fed)
    return channels.double()


def _convolution(width: int, out: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, out, kernel, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(),
    )


def _operation(index: int, width: int) -> nn.Module:
    if index == CONVOLUTION_1X1:
        return _convolution(width, width, 1)
    if index == CONVOLUTION_3X3:
        return _convolution(width, width, 3)
    return nn.MaxPool2d(3, stride=1, padding=1)


class Cell(nn.Module):
    """Nodes add what enters them, truncated to their width; the output concatenates."""

    def __init__(
        self, operations: list[int], links: Bool[Tensor, "1 7 7"], width: int, out: int
    ) -> None:
        super().__init__()
        channels = vertex_channels(links, out)[0].long().tolist()
        matrix = links[0].tolist()
        self.widths = {i: channels[i - 1] for i in range(1, LAST) if operations[i - 1]}
        self.sources = {j: [i for i in range(1, j) if matrix[i][j]] for j in [*self.widths, LAST]}
        self.operations = nn.ModuleDict(
            {str(i): _operation(operations[i - 1], size) for i, size in self.widths.items()}
        )
        projected = {**self.widths, LAST: out}
        self.projections = nn.ModuleDict(
            {str(i): _convolution(width, size, 1) for i, size in projected.items() if matrix[0][i]}
        )

    def forward(self, x: Tensor) -> Tensor:
        states: dict[int, Tensor] = {}
        for node, width in self.widths.items():
            entering = [states[i][:, :width] for i in self.sources[node]]
            states[node] = self.operations[str(node)](self._sum(node, x, entering))
        joined = [states[i] for i in self.sources[LAST]]
        return self._sum(LAST, x, [torch.cat(joined, dim=1)] if joined else [])

    def _sum(self, node: int, x: Tensor, entering: list[Tensor]) -> Tensor:
        if str(node) in self.projections:
            entering = [*entering, self.projections[str(node)](x)]
        return torch.stack(entering).sum(0)


class Network(nn.Module):
    """A stem, three stacks of three cells with halved resolution between them, a classifier."""

    def __init__(
        self, operations: list[int], links: Bool[Tensor, "1 7 7"], task: ImageTask
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = [_convolution(task.channels, STEM, 3)]
        width = STEM
        for stack in range(STACKS):
            if stack:
                layers.append(nn.MaxPool2d(2))
            for _ in range(CELLS):
                layers.append(Cell(operations, links, width, STEM * 2**stack))
                width = STEM * 2**stack
        self.features = nn.Sequential(*layers)
        self.classifier = nn.Linear(width, task.classes)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.classifier(self.features(x).mean((2, 3)))
        return logits
