"""Flow: in what order a space's message graph computes, and where it begins and ends."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..spaces import Space
from .message_graph import MessageGraph

__all__ = ["Flow"]


class Flow:
    """What holds of the message graphs of all architectures of a space.

    Args:
        space: The space.
        graph: Its message graph.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> flow = Flow(cells, MessageGraph(cells))
        >>> flow.order[0], flow.order[-1]
        (0, 3)
    """

    def __init__(self, space: Space, graph: MessageGraph) -> None:
        self.space, self.graph = space, graph

    @cached_property
    def order(self) -> list[int]:
        """Nodes in topological order: an edge comes before its target."""
        nodes = len(self.space.nodes)
        keys = [(i, 1) for i in range(nodes)]
        _, edges = self.graph(self._anything)
        for m in range(nodes, self.graph.size):
            keys.append((int(edges[0, m, :nodes].argmax()), 0))
        return sorted(range(self.graph.size), key=keys.__getitem__)

    @cached_property
    def possible(self) -> Bool[Tensor, "M M"]:
        """Edges that some choice draws."""
        return self.graph(self._anything)[1][0] > 0

    @cached_property
    def ends(self) -> tuple[Bool[Tensor, " M"], Bool[Tensor, " M"], Bool[Tensor, " M"]]:
        """Where paths start, where they end, and where they end if nothing follows."""
        tree = torch.zeros(self.graph.size, dtype=torch.bool)
        for variable in self.space.variables:
            if variable.kind == "parent":
                tree[[variable.place[0], *map(int, variable.choices)]] = True
        starts, ends = torch.zeros_like(tree), torch.zeros_like(tree)
        starts[list(self.space.inputs)] = True
        ends[list(self.space.outputs)] = True
        return starts, ends, tree

    @cached_property
    def branches(self) -> bool:
        """Whether an architecture can have several paths."""
        return bool((self.possible.sum(1) > 1).any())

    @cached_property
    def _anything(self) -> Float[Tensor, "1 V C"]:
        mask = self.space.choice_mask.double()
        return (mask / mask.sum(1, keepdim=True))[None]
