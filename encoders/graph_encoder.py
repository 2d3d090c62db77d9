"""A small graph network that embeds architectures (message passing both ways along the DAG)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..spaces import Space
from .message_graph import MessageGraph

__all__ = ["GraphEncoder"]


class GraphEncoder(nn.Module):
    """Embeds architectures by what nodes hear from predecessors and from successors.

    ``h + relu(W h + U mean_in(h) + V mean_out(h))`` per layer, then mean and maximum over nodes,
    then a linear map. Isomorphic architectures have one embedding, that of the canonical form.

    Args:
        space: The space.
        width: Channels of a node.
        layers: Rounds of messages.
        size: Numbers in an embedding.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> GraphEncoder(cells, size=8)(cells.sample(3, 0)).shape
        torch.Size([3, 8])
    """

    def __init__(self, space: Space, *, width: int = 32, layers: int = 2, size: int = 8) -> None:
        super().__init__()
        self.space, self.graph = space, MessageGraph(space)
        self.embed = nn.Linear(self.graph.features, width)
        self.own = nn.ModuleList(nn.Linear(width, width) for _ in range(layers))
        self.before = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.after = nn.ModuleList(nn.Linear(width, width, bias=False) for _ in range(layers))
        self.out = nn.Linear(2 * width, size)

    def forward(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Embeds valid choice indices."""
        features, edges = self.graph(self.graph.one_hot(self.space.canonical(x)))
        h = self.embed(features)
        out = edges / edges.sum(2, keepdim=True).clamp(min=1.0)
        into = (edges / edges.sum(1, keepdim=True).clamp(min=1.0)).transpose(1, 2)
        for own, before, after in zip(self.own, self.before, self.after, strict=True):
            h = h + torch.relu(own(h) + before(into @ h) + after(out @ h))
        return self.out(torch.cat([h.mean(1), h.amax(1)], -1))
