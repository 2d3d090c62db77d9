"""Path encoding (White et al., AAAI 2021, arXiv 1910.11858), for the DAG of any space."""

from __future__ import annotations

from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..spaces import Space
from ._hashing import A, C, mix, word_weights
from .flow import Flow
from .message_graph import MessageGraph

__all__ = ["PathEncoding"]

LIMIT = 512
# What the empty path hashes to; 0 stands for no path at all.
EMPTY = C


class PathEncoding:
    """Counts the paths from input to output by the words that they pass.

    A path is the sequence of the words (operations, sizes, …) on its nodes and edges; places
    without a word add nothing, and a choice whose role is ``absent`` cuts it. Paths start at the
    space's inputs and end at its outputs; in trees, where nodes choose their parent, at every leaf.
    A choice for the whole graph counts as a path of its own. Isomorphic architectures have equal
    counts.

    The features are the counts of the paths that occurred when fitted, the most frequent first.

    Where no path can branch, as in a chain of blocks, nearly every architecture is one path that
    no other has: use `one_hot` there.

    Args:
        space: The space.
        limit: Most paths to keep.
        computed: Whether choices whose role is ``identity`` add nothing to a path, so that paths
            that compute the same are the same.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> paths = PathEncoding(cells, limit=16).fit(cells.sample(100, 0))
        >>> paths.transform(cells.sample(3, 1)).shape
        torch.Size([3, 16])
    """

    def __init__(self, space: Space, limit: int = LIMIT, *, computed: bool = False) -> None:
        self.space, self.limit, self.computed = space, limit, computed
        self.graph = MessageGraph(space)
        self.flow = Flow(space, self.graph)
        self._known = torch.zeros(0, dtype=torch.long)
        self._order = torch.zeros(0, dtype=torch.long)

    def fit(self, x: Int[Tensor, "B V"]) -> PathEncoding:
        """Keeps the paths that are the most frequent in these architectures.

        Args:
            x: Valid choice indices.
        """
        found, counts = self.hashes(x).unique(return_counts=True)
        found, counts = found[found != 0], counts[found != 0]
        frequent = counts.argsort(descending=True, stable=True)[: self.limit]
        self._known, self._order = found[frequent].sort()
        return self

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B K"]:
        """Counts every kept path in every architecture.

        Args:
            x: Valid choice indices.
        """
        hashes = self.hashes(x).contiguous()
        counts = torch.zeros(len(x), len(self._known))
        if not len(self._known):
            return counts
        place = torch.searchsorted(self._known, hashes).clamp(max=len(self._known) - 1)
        hit = (self._known[place] == hashes).float()
        return counts.scatter_add_(1, self._order[place], hit)

    def hashes(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B P"]:
        """Returns a 64-bit number for every path; 0 pads.

        Args:
            x: Valid choice indices.
        """
        x = self.space.canonical(x)
        one_hot = self.graph.one_hot(x)
        one_hot[:, self._whole] = 0.0
        if self.computed:
            one_hot[:, self._unchanging] = 0.0
        features, edges = self.graph(one_hot)
        words = features[..., : -self.graph.size].round().long()
        label, speaks = (words * word_weights(words.shape[-1])).sum(-1), words.any(-1)
        adjacent = edges.round().bool()
        starts, ends, tree = self.flow.ends
        arrived: dict[int, Tensor] = {}
        finished = [mix(self._ids_of_whole(x))]
        for m in self.flow.order:
            parts = [
                torch.where(adjacent[:, k, m, None], arrived[k], 0)
                for k in arrived
                if bool(self.flow.possible[k, m])
            ]
            if starts[m]:
                parts.append(torch.full((len(x), 1), EMPTY))
            if not parts:
                continue
            paths = _compact(torch.cat(parts, 1))
            longer = mix(paths * A + label[:, m, None])
            arrived[m] = torch.where(speaks[:, m, None] & (paths != 0), longer, paths)
            over = torch.full((len(x),), bool(ends[m]))
            if tree[m]:
                over = over | ~adjacent[:, m].any(1)
            if over.any():
                finished.append(torch.where(over[:, None], arrived[m], 0))
        return _compact(torch.cat(finished, 1))

    @property
    def branches(self) -> bool:
        """Whether an architecture can have several paths."""
        return self.flow.branches

    @property
    def shortens(self) -> bool:
        """Whether some words of the space pass their input on unchanged."""
        return bool(self._unchanging.any())

    @cached_property
    def _whole(self) -> Bool[Tensor, " V"]:
        """Which variables are of the whole graph."""
        return torch.tensor([not variable.place for variable in self.space.variables])

    @cached_property
    def _unchanging(self) -> Bool[Tensor, "V C"]:
        """Which choices pass on what comes in."""
        width = self.space.choice_mask.shape[1]
        rows = [v.having("identity") for v in self.space.variables]
        return torch.tensor([[c in row for c in range(width)] for row in rows])

    def _ids_of_whole(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B W"]:
        columns = self._whole.nonzero()[:, 0]
        return (columns + 1) * (1 << 32) + x[:, columns] + 1


def _compact(paths: Int[Tensor, "B P"]) -> Int[Tensor, "B Q"]:
    """Moves the padding to the end and cuts what is padding everywhere."""
    if paths.shape[1] < 2:
        return paths
    order = (paths == 0).byte().argsort(dim=1, stable=True)
    most = int((paths != 0).sum(1).max()) if len(paths) else 1
    return paths.gather(1, order)[:, : max(most, 1)]
