"""Layer lists of many architectures at a time, for the most part without tracing any."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from ...core.distinct import distinct_rows
from ...spaces import GraphTask, Layer, Space, Task
from .cost_model import LayerBatch

__all__ = ["LayerLists"]

NOTHING = -1


class LayerLists:
    """The layers of a space's architectures, each of which is listed once.

    Of an additive space, the layers of any architecture are those of an example, and what each of
    its choices changes of them. Those of others are traced one by one, and kept.

    Args:
        space: Of networks.
        task: What they are built for.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> lists = LayerLists(cells, cells.task)
        >>> x = cells.sample(5, 0)
        >>> layers, places = lists.of(x)
        >>> macs = torch.cat([layers.macs[:, 0], torch.zeros(1).double()])[places].sum(1)
        >>> bool((macs == cells.statistics(x)["macs"]).all())
        True
    """

    def __init__(self, space: Space, task: Task) -> None:
        self.space, self.task = space, task
        self._known: dict[Layer, int] = {}
        self._traced: dict[tuple[int, ...], tuple[Layer, ...]] = {}

    def of(
        self, x: Int[Tensor, "B V"], batch: int = 1, *, ordered: bool = False
    ) -> tuple[LayerBatch, Int[Tensor, "B L"]]:
        """Lists the layers of architectures.

        Args:
            x: Valid choice indices.
            batch: Examples at a time.
            ordered: Whether they are wanted in the order in which they compute.

        Returns:
            All layers that differ, one a row, and which of them each architecture has; -1 for none,
            where it has fewer than others.
        """
        rows, inverse = distinct_rows(x)
        if ordered:
            traced = [self._trace(tuple(row)) for row in rows.tolist()]
            most = max(1, *map(len, traced))
            listed = [
                [*(self._known[layer] for layer in each), *[NOTHING] * (most - len(each))]
                for each in traced
            ]
            return self._batch(batch), torch.tensor(listed)[inverse]
        # Of a few, each is traced sooner than every choice.
        many = len(rows) > sum(variable.size for variable in self.space.variables)
        counts = self._added(rows) if self.space.additive and many else self._one_by_one(rows)
        most = max(1, int(counts.sum(1).max()))
        places = torch.full((len(rows), most), NOTHING)
        # The k-th of a row's layers is the first whose running count is above k.
        ends = counts.cumsum(1)
        index = torch.searchsorted(
            ends, torch.arange(most).expand(len(rows), -1).contiguous(), right=True
        )
        inside = torch.arange(most) < ends[:, -1:]
        places[inside] = index[inside]
        return self._batch(batch), places[inverse]

    @property
    def known(self) -> tuple[Layer, ...]:
        """The layers that were met so far, in the order of the rows that `of` returns."""
        return tuple(self._known)

    def _batch(self, batch: int) -> LayerBatch:
        layers = [[layer] for layer in self._known]
        if not isinstance(self.task, GraphTask):
            return LayerBatch.of(layers, batch)
        nodes = max(1, self.task.nodes)
        # An edge leads both ways, and each node is its own neighbour.
        neighbours = 2 * self.task.edges / nodes + 1
        return LayerBatch.of(layers, batch, nodes=nodes, neighbours=neighbours)

    def _trace(self, row: tuple[int, ...]) -> tuple[Layer, ...]:
        """What a chip has to do for one architecture, in order."""
        if row not in self._traced:
            listed = self.space.layers(row, self.task)
            found = tuple(layer for layer in listed if LayerBatch.of([[layer]]).kind.any())
            for layer in found:
                self._known.setdefault(layer, len(self._known))
            self._traced[row] = found
        return self._traced[row]

    def _counts(self, found: tuple[Layer, ...]) -> Tensor:
        counts = torch.zeros(len(self._known), dtype=torch.long)
        for layer, count in Counter(found).items():
            counts[self._known[layer]] = count
        return counts

    def _one_by_one(self, rows: Tensor) -> Tensor:
        traced = [self._trace(tuple(row)) for row in rows.tolist()]
        return torch.stack([self._counts(each) for each in traced])

    def _added(self, rows: Tensor) -> Tensor:
        base, changes = self._changes
        total = base.expand(len(rows), -1).clone()
        for variable, change in enumerate(changes):
            total += change[rows[:, variable]]
        return torch.nn.functional.pad(total, (0, len(self._known) - total.shape[1]))

    @cached_property
    def _changes(self) -> tuple[Tensor, list[Tensor]]:
        """Layers of an example, and what every choice of every variable changes of them."""
        example = self.space.example
        rows = []
        for column, variable in enumerate(self.space.variables):
            for choice in range(variable.size):
                row = list(example)
                row[column] = choice
                rows.append(tuple(row))
        traced = [self._trace(row) for row in rows]
        base = self._counts(self._trace(example))
        counts = iter(self._counts(each) - base for each in traced)
        changes = [
            torch.stack([next(counts) for _ in range(variable.size)])
            for variable in self.space.variables
        ]
        return base, changes
