"""Message graph: the DAG batch that graph networks and graph kernels read, hard or relaxed."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..spaces import Space
from .layout import Vocabulary
from .schema import Schema

__all__ = ["MessageGraph"]


class MessageGraph:
    """Turns architectures into labelled graphs for message passing, differentiably.

    Its nodes are those of the DAG followed by one for every edge that carries an operation. Words
    (operations, sizes, …) are node features; edge and parent variables become the weights of
    directed edges, so that a relaxed architecture becomes a soft graph. A choice whose role is
    ``absent`` passes no messages. Graph-level words are features of every node.

    Only what variables and skeleton say is drawn, before pruning: sizes stay words (a slot beyond
    a unit's depth keeps its place in the chain), and edges that `Space.dag` adds by a rule of its
    own, such as those from leaves to an output, are left out.

    Args:
        space: The space, or what a checkpoint knows of it.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> graph = MessageGraph(cells)
        >>> features, edges = graph(graph.one_hot(cells.sample(3, 0)))
        >>> edges.shape
        torch.Size([3, 10, 10])
    """

    def __init__(self, space: Space | Schema) -> None:
        self.space = space
        self._slots: dict[tuple[int, ...], int] = {(i,): i for i in range(len(space.nodes))}
        for variable in space.variables:
            if len(variable.place) == 2 and variable.kind != "edge":
                self._slots.setdefault(variable.place, len(self._slots))
        self._ids = Vocabulary([space.variables]).ids(space.variables)[:, :-1]
        self._words = int(self._ids.max()) + 1

    @property
    def size(self) -> int:
        """Number of nodes ``M``."""
        return len(self._slots)

    @property
    def features(self) -> int:
        """Number of node features ``F``."""
        return self._words + self.size

    def one_hot(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B V C"]:
        """Returns clean architectures in the relaxed form.

        Args:
            x: Choice indices.
        """
        return F.one_hot(x, self._ids.shape[1]).float()

    def __call__(
        self, p: Float[Tensor, "B V C"]
    ) -> tuple[Float[Tensor, "B M F"], Float[Tensor, "B M M"]]:
        """Returns node features and the weights of the edges from row to column.

        Args:
            p: Probabilities of the choices (one-hot for clean architectures).
        """
        size, nodes = len(p), len(self.space.nodes)
        words: dict[int, list[Tensor]] = {}
        edges: dict[tuple[int, int], Tensor] = {
            (i, j): p.new_ones(size) for i, j in self.space.skeleton
        }
        present: dict[int, Tensor] = {}
        for v, variable in enumerate(self.space.variables):
            chosen = p[:, v, : variable.size]
            if variable.kind == "edge":
                i, j = variable.place
                edges[i, j] = edges.get((i, j), 0.0) + chosen[:, -1]
                continue
            if variable.kind == "parent":
                for c, label in enumerate(variable.choices):
                    key = (int(label), variable.place[0])
                    edges[key] = edges.get(key, 0.0) + chosen[:, c]
                continue
            ids = self._ids[v, : variable.size].to(p.device)
            word = p.new_zeros(size, self._words).index_add(1, ids, chosen)
            slots = [self._slots[variable.place]] if variable.place else range(self.size)
            for slot in slots:
                words.setdefault(slot, []).append(word)
            absent = list(variable.having("absent"))
            if absent:
                here = 1.0 - chosen[:, absent].sum(1)
                present[slots[0]] = present.get(slots[0], 1.0) * here
        for place, slot in self._slots.items():
            if slot >= nodes:
                passing = present.get(slot, p.new_ones(size))
                edges[place[0], slot] = edges[slot, place[1]] = passing
        zero = p.new_zeros(size, self._words)
        labels = torch.stack([sum(words.get(m, [zero]), zero) for m in range(self.size)], 1)
        own = torch.eye(self.size, dtype=p.dtype, device=p.device).expand(size, -1, -1)
        columns = p.new_zeros(size, self.size, self.size)
        if edges:
            index = torch.tensor(sorted(edges), device=p.device)
            weight = torch.stack([edges[i, j] for i, j in sorted(edges)], 1)
            for slot, share in present.items():
                if slot < nodes:
                    touched = (index == slot).any(1)
                    weight = torch.where(touched, weight * share[:, None], weight)
            flat = index[:, 0] * self.size + index[:, 1]
            columns = columns.flatten(1).index_add(1, flat, weight).view_as(columns)
        return torch.cat([labels, own], -1), columns
