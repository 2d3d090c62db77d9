"""Neighbour sampling: parts of a graph that a step can learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["Neighbours", "Sampled"]


@dataclass(frozen=True, eq=False)
class Sampled:
    """A part of a graph.

    Args:
        nodes: Its nodes, those that it was sampled for first.
        edges: From where to where, numbered within ``nodes``.
        seeds: How many it was sampled for.
    """

    nodes: Int[Tensor, " N"]
    edges: Int[Tensor, "2 E"]
    seeds: int


class Neighbours:
    """Samples the neighbours of nodes, theirs, and so on (GraphSAGE, arXiv 1706.02216).

    Args:
        edges: Undirected, each once.
        nodes: Number of nodes.

    Example:
        >>> ring = torch.stack([torch.arange(6), torch.arange(1, 7) % 6])
        >>> told = Neighbours(ring, 6).sample(torch.tensor([2]), [2], torch.Generator())
        >>> told.nodes.tolist(), told.edges.tolist()
        ([2, 1, 3], [[1, 2], [0, 0]])
    """

    def __init__(self, edges: Int[Tensor, "2 E"], nodes: int) -> None:
        both = torch.cat([edges, edges.flip(0)], dim=1)
        order = both[1].argsort(stable=True)
        self._sources = both[0][order]
        degrees = torch.bincount(both[1], minlength=nodes)
        self._starts = torch.cat([degrees.new_zeros(1), degrees.cumsum(0)])
        self._number = torch.empty(nodes, dtype=torch.long)

    def sample(
        self, seeds: Int[Tensor, " S"], fanout: Sequence[int], generator: torch.Generator
    ) -> Sampled:
        """Samples around nodes.

        Args:
            seeds: The nodes, each once.
            fanout: Most neighbours of a node, hop by hop, drawn without replacement.
            generator: On the CPU.
        """
        nodes, number = seeds, self._number
        number.fill_(-1)
        number[seeds] = torch.arange(len(seeds))
        frontier, found = seeds, []
        for most in fanout:
            source, target = self._drawn(frontier, most, generator)
            fresh = source[number[source] < 0].unique()
            number[fresh] = torch.arange(len(nodes), len(nodes) + len(fresh))
            nodes = torch.cat([nodes, fresh])
            found.append(torch.stack([number[source], number[target]]))
            frontier = fresh
        edges = torch.cat(found, dim=1) if found else torch.empty(2, 0, dtype=torch.long)
        return Sampled(nodes, edges, len(seeds))

    def _drawn(
        self, targets: Int[Tensor, " T"], most: int, generator: torch.Generator
    ) -> tuple[Int[Tensor, " E"], Int[Tensor, " E"]]:
        """At most so many edges into each of the nodes."""
        starts = self._starts[targets]
        degrees = self._starts[targets + 1] - starts
        owner = torch.arange(len(targets)).repeat_interleave(degrees)
        before = (degrees.cumsum(0) - degrees)[owner]
        place = starts[owner] + torch.arange(len(owner)) - before
        # In each node's segment, the edges with the smallest draws.
        draws = torch.rand(len(owner), generator=generator, dtype=torch.float64)
        order = (owner + draws).argsort()
        kept = order[torch.arange(len(order)) - before < most].sort().values
        return self._sources[place[kept]], targets[owner[kept]]
