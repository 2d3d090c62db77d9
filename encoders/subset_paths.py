"""Subset paths: what of a network is left where only some operations count (GRAF)."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..spaces import Space
from .flow import Flow
from .message_graph import MessageGraph

__all__ = ["SubsetPaths"]

# Words of which all sets are looked at; of more, sets of one and two, then of one alone.
MOST, PAIRED = 5, 10
# Architectures that are looked at together.
BLOCK = 4096


class SubsetPaths:
    """Graph features of every set of operations (Kadlecová et al., GRAF, ICML 2024).

    Of the words of the space (operations, sizes, …) all sets are taken, or those of one and two,
    or of one, where there are many. Where only those count, how many there are, the fewest and
    most on a path from input to output, how many lead into the output and out of the input, and
    the mean that lead into a word. They are free, and isomorphic architectures have equal ones.

    Args:
        space: The space.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> SubsetPaths(cells).fit(cells.sample(100, 0)).transform(cells.sample(3, 1)).shape
        torch.Size([3, 90])
    """

    def __init__(self, space: Space) -> None:
        self.space = space
        self.graph = MessageGraph(space)
        self.flow = Flow(space, self.graph)
        self._sets = torch.zeros(0, 0, dtype=torch.bool)

    def fit(self, x: Int[Tensor, "B V"]) -> SubsetPaths:
        """Takes the words that compute in some of these architectures.

        Args:
            x: Valid choice indices.
        """
        words, edges = self._graphs(x)
        present = (words & edges.any(1)[..., None]).any(0).any(0)
        found = present.nonzero()[:, 0].tolist()
        largest = len(found) if len(found) <= MOST else 2 if len(found) <= PAIRED else 1
        sizes = range(1, largest + 1)
        sets = [some for size in sizes for some in itertools.combinations(found, size)]
        self._sets = torch.zeros(len(sets), words.shape[-1], dtype=torch.bool)
        for row, some in zip(self._sets, sets, strict=True):
            row[list(some)] = True
        return self

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Computes the features of every set.

        Args:
            x: Valid choice indices.
        """
        if not len(self._sets):
            return torch.zeros(len(x), 0)
        return torch.cat([self._of_sets(*self._graphs(block)) for block in x.split(BLOCK)])

    def _graphs(self, x: Int[Tensor, "B V"]) -> tuple[Bool[Tensor, "B M W"], Bool[Tensor, "B M M"]]:
        one_hot = self.graph.one_hot(self.space.canonical(x))
        whole = [v for v, variable in enumerate(self.space.variables) if not variable.place]
        one_hot[:, whole] = 0.0
        features, edges = self.graph(one_hot)
        return features[..., : -self.graph.size].round().bool(), edges.round().bool()

    def _of_sets(
        self, words: Bool[Tensor, "B M W"], edges: Bool[Tensor, "B M M"]
    ) -> Float[Tensor, "B D"]:
        counts = torch.stack([words[..., some].any(-1) for some in self._sets], 1)
        allowed = counts | ~words.any(-1)[:, None]
        step = counts.float()
        starts, ends, _ = self.flow.ends
        least = torch.where(starts, 0.0, torch.inf).expand(step.shape).clone()
        most = torch.where(starts, 0.0, -torch.inf).expand(step.shape).clone()
        drawn = edges.any(0)
        for node in self.flow.order:
            parents = drawn[:, node].nonzero()[:, 0]
            if not len(parents):
                continue
            before = (
                edges[:, None, parents, node] & allowed[:, :, parents] & allowed[..., node, None]
            )
            shorter = torch.where(before, least[..., parents], torch.inf).amin(2) + step[..., node]
            longer = torch.where(before, most[..., parents], -torch.inf).amax(2) + step[..., node]
            least[..., node] = torch.minimum(least[..., node], shorter)
            most[..., node] = torch.maximum(most[..., node], longer)
        kept, linked = allowed.float(), edges.float()
        # How many edges lead into every node and out of it, from and to nodes that are kept.
        entering, leaving = kept * (kept @ linked), kept * (kept @ linked.mT)
        spoken = counts & (entering > 0)
        number = spoken.sum(2).float()
        fewest = least[..., ends].amin(2).clamp(max=float(self.graph.size))
        longest = most[..., ends].amax(2).clamp(min=-1.0)
        into, out = entering[..., ends].sum(2), leaving[..., starts].sum(2)
        mean = (entering * spoken).sum(2) / number.clamp(min=1)
        return torch.stack([number, fewest, longest, into, out, mean], 2).flatten(1)
