"""Where a ResNet-20 pools: the 36 networks of Balanced Mixture of SuperNets."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from ...core.errors import UsageError
from ..counts import count
from ..dag import DAG
from ..literals import integers, read_literal
from ..space import Space
from ..task import ImageTask, Task
from ..variable import Variable
from ._image import image_task
from ._residual import ResidualBlock, plain_convolution

__all__ = ["ResNetPooling"]

# Times the width, of a convolution and nine residual blocks.
SCALES = (1, 1, 1, 1, 2, 2, 2, 4, 4, 4)
BLOCKS = len(SCALES)
RESOLUTIONS = 3
# The most that one resolution can have, for the other two have one at least.
MOST = BLOCKS - RESOLUTIONS + 1


class ResNetPooling(Space):
    """The 36 positions of two 2x2 max-poolings in a ResNet-20 (arXiv 2306.11982).

    The network is a convolution and nine residual blocks; it pools before two of the nine. An
    architecture is the number of blocks at each of the three resolutions, written ``4-3-3`` (the
    usual ResNet-20); a list of them is read, too. All have the same parameters.

    It is the smallest space with which weight sharing can be studied: the paper trained all 36.

    Args:
        width: Channels of the first blocks, a quarter of those of the last.

    Raises:
        UsageError: Without a width.

    Example:
        >>> nets = ResNetPooling()
        >>> counts = nets.statistics(nets.rows(["4-3-3", "[8, 1, 1]"]))
        >>> counts["params"].tolist(), (counts["macs"] / 1e6).round().tolist()
        ([272474.0, 272474.0], [41.0, 149.0])
    """

    name = "resnet-pooling"
    task = ImageTask()
    nodes = ("input", "full resolution", "half resolution", "quarter resolution", "output")
    skeleton = ((0, 1), (1, 2), (2, 3), (3, 4))
    inputs, outputs = (0,), (4,)
    # The last resolution has the blocks that are left.
    variables = tuple(
        Variable(f"blocks_{r}", tuple(map(str, range(1, MOST + 1))), "size", (r,)) for r in (1, 2)
    )

    def __init__(self, *, width: int = 16) -> None:
        if width < 1:
            raise UsageError(f"`width` must be at least 1, got {width}.", "The paper has 16.")
        self.widths = tuple(width * scale for scale in SCALES)

    @property
    def architecture_count(self) -> int:
        return MOST * (MOST + 1) // 2

    def is_valid(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        # Choices count from one block.
        return self.in_range(x) & (x.sum(1) + 2 < BLOCKS)

    def allowed(self, x: Int[Tensor, "B V"], known: Bool[Tensor, "B V"]) -> Bool[Tensor, "B V C"]:
        mask = super().allowed(x, known).clone()
        choices = torch.arange(MOST, device=x.device)
        other = torch.where(known, x, 0).flip(1)
        return mask & (choices + other[..., None] + 2 < BLOCKS)

    def to_string(self, row: Sequence[int]) -> str:
        return "-".join(map(str, _blocks(row)))

    def from_string(self, text: str) -> tuple[int, ...]:
        said = text.strip().split("-")
        try:
            if not all(part.strip().isdecimal() and len(part) < 3 for part in said):
                value = read_literal(text)
                if not isinstance(value, list | tuple):
                    raise ValueError("it is no list of numbers of blocks")
                blocks = integers(value, "numbers of blocks")
            else:
                blocks = [int(part) for part in said]
            if len(blocks) != RESOLUTIONS or min(blocks) < 1 or sum(blocks) != BLOCKS:
                raise ValueError(f"{RESOLUTIONS} resolutions share {BLOCKS} blocks, got {blocks}")
        except ValueError as error:
            raise self.unreadable(text, str(error)) from None
        return blocks[0] - 1, blocks[1] - 1

    def dag(self, row: Sequence[int]) -> DAG:
        """Draws the chain of blocks and poolings."""
        nodes, at = ["input"], 0
        for blocks in _blocks(row):
            nodes += ["max pool"] if at else []
            nodes += [
                f"{'block' if b else 'conv'} {self.widths[b]}" for b in range(at, at + blocks)
            ]
            at += blocks
        nodes.append("output")
        edges = {(i, i + 1): "" for i in range(len(nodes) - 1)}
        return DAG(tuple(nodes), edges, {}, (0,), (len(nodes) - 1,))

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = image_task(task or self.task)
        ends = (x + 1).cumsum(1)
        params, depth = 0, 1
        macs = torch.zeros(len(x), dtype=torch.float64)
        width = task.channels
        for at, out in enumerate(self.widths):
            build = ResidualBlock if at else plain_convolution
            side, table = task.resolution, []
            for _ in range(RESOLUTIONS):
                table.append(count(build, width, out, 1, (side, side)))
                side = -(-side // 2)
            resolution = (ends <= at).sum(1)
            macs += torch.tensor([each.macs for each in table], dtype=torch.float64)[resolution]
            params += table[0].params
            depth += table[0].depth
            width = out
        params += width * task.classes + task.classes
        same = torch.ones(len(x), dtype=torch.float64)
        macs += width * task.classes
        return {"params": params * same, "macs": macs, "depth": depth * same}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        task = image_task(task)
        first, second, _ = _blocks(row)
        layers: list[nn.Module] = []
        width = task.channels
        for at, out in enumerate(self.widths):
            if at in (first, first + second):
                # An odd side keeps its last row, so that small images can be pooled, too.
                layers.append(nn.MaxPool2d(2, ceil_mode=True))
            layers.append((ResidualBlock if at else plain_convolution)(width, out, 1))
            width = out
        layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, task.classes)]
        return nn.Sequential(*layers)


def _blocks(row: Sequence[int]) -> tuple[int, int, int]:
    """Blocks at each resolution."""
    first, second = (choice + 1 for choice in row)
    return first, second, BLOCKS - first - second
