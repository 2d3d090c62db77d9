"""Weisfeiler-Lehman features (Shervashidze et al., JMLR 2011; for NAS: arXiv 2006.07556)."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..spaces import Space
from . import _hashing
from ._hashing import mix, word_weights
from .message_graph import MessageGraph

__all__ = ["WeisfeilerLehman"]


class WeisfeilerLehman:
    """Counts the labels of nodes refined by those of their predecessors and successors.

    ``h`` rounds of refinement label a node by its neighbourhood of radius ``h``; the features are
    the counts of the labels that occurred when fitted. Isomorphic architectures have equal counts.

    Args:
        space: The space.
        rounds: Rounds of refinement; 0 counts operations alone.
        unit: Whether counts are scaled to unit length, so that inner products are cosines.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> features = WeisfeilerLehman(cells, rounds=1).fit(cells.sample(10, 0))
        >>> features.transform(cells.sample(3, 1)).shape[0]
        3
    """

    def __init__(self, space: Space, rounds: int = 2, *, unit: bool = False) -> None:
        self.space, self.rounds, self.unit = space, rounds, unit
        self.graph = MessageGraph(space)
        self.labels: list[Int[Tensor, " K"]] = []

    def fit(self, x: Int[Tensor, "B V"]) -> WeisfeilerLehman:
        """Keeps the labels that occur in these architectures.

        Args:
            x: Valid choice indices.
        """
        self.labels = [level.unique() for level in self.refine(x)]
        return self

    def transform(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B K"]:
        """Counts every kept label in every architecture.

        Args:
            x: Valid choice indices.
        """
        counts = []
        for level, labels in zip(self.refine(x), self.labels, strict=True):
            column = torch.searchsorted(labels, level).clamp(max=len(labels) - 1)
            hit = (labels[column] == level).float()
            counts.append(torch.zeros(len(x), len(labels)).scatter_add_(1, column, hit))
        joined = torch.cat(counts, 1)
        return joined / joined.norm(dim=1, keepdim=True).clamp(min=1e-9) if self.unit else joined

    def refine(self, x: Int[Tensor, "B V"]) -> list[Int[Tensor, "B M"]]:
        """Returns every node's label after 0, 1, … rounds, as 64-bit numbers.

        Args:
            x: Valid choice indices.
        """
        features, edges = self.graph(self.graph.one_hot(self.space.canonical(x)))
        words = features[..., : -self.graph.size].long()
        weights = word_weights(words.shape[-1])
        # The constant lets nodes without words speak, for `mix` keeps 0.
        label = mix((words * weights).sum(-1) + _hashing.C)
        # Inputs and outputs are told apart from inner nodes that carry no word.
        inputs, outputs = list(self.space.inputs), list(self.space.outputs)
        label[:, inputs] = mix(label[:, inputs] + _hashing.A)
        label[:, outputs] = mix(label[:, outputs] + _hashing.B)
        levels = [label]
        adjacency = edges.round().long()
        for _ in range(self.rounds):
            into = (adjacency * mix(label * _hashing.B)[:, :, None]).sum(1)
            out = (adjacency * mix(label * _hashing.C)[:, None, :]).sum(2)
            label = mix(label * _hashing.A + into * _hashing.B + out)
            levels.append(label)
        return levels
