"""A small graph network that embeds architectures (message passing both ways along the DAG)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..spaces import Space
from .graph_layers import GraphLayer, MeanLayer
from .message_graph import MessageGraph

__all__ = ["GraphEncoder"]


class GraphEncoder(nn.Module):
    """Embeds architectures by what nodes hear from predecessors and from successors.

    Some layers of messages, then mean and maximum over nodes, then a linear map. Isomorphic
    architectures have one embedding, that of the canonical form.

    Args:
        space: The space.
        layer: How messages are passed.
        width: Channels of a node.
        layers: Rounds of messages.
        size: Numbers in an embedding.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> GraphEncoder(cells, size=8)(cells.sample(3, 0)).shape
        torch.Size([3, 8])
    """

    def __init__(
        self,
        space: Space,
        *,
        layer: type[GraphLayer] = MeanLayer,
        width: int = 32,
        layers: int = 2,
        size: int = 8,
    ) -> None:
        super().__init__()
        self.space, self.graph = space, MessageGraph(space)
        self.embed = nn.Linear(self.graph.features, width)
        self.layers = nn.ModuleList(layer(width) for _ in range(layers))
        self.out = nn.Linear(2 * width, size)

    def forward(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Embeds valid choice indices, which are on the CPU."""
        one_hot = self.graph.one_hot(self.space.canonical(x))
        return self.relaxed(one_hot.to(self.out.weight.device))

    def relaxed(self, p: Float[Tensor, "B V C"]) -> Float[Tensor, "B D"]:
        """Embeds relaxed architectures.

        Args:
            p: Probabilities of the choices, of the canonical form.
        """
        features, edges = self.graph(p)
        h = self.embed(features)
        for layer in self.layers:
            h = layer(h, edges)
        return self.out(torch.cat([h.mean(1), h.amax(1)], -1))
