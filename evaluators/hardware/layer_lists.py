"""Layer lists of many architectures at a time, for the most part without tracing any."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from ...core.distinct import distinct_rows
from ...spaces import GraphTask, Layer, Space, Task
from .cost_model import LayerBatch

__all__ = ["LayerLists"]

NOTHING = -1


class LayerLists:
    """The layers of a space's architectures, each of which is listed once.

    Of an additive space, the layers of any architecture are those that all have, and those that
    each of its choices adds. Those of others are traced one by one, and kept.

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

    def of(self, x: Int[Tensor, "B V"], batch: int = 1) -> tuple[LayerBatch, Int[Tensor, "B L"]]:
        """Lists the layers of architectures in the order in which they compute.

        Args:
            x: Valid choice indices.
            batch: Examples at a time.

        Returns:
            All layers that differ, one a row, and which of them each architecture has; -1 for none,
            where it has fewer than others.
        """
        rows, inverse = distinct_rows(x)
        # Of a few, each is traced sooner than every choice.
        many = len(rows) > sum(variable.size for variable in self.space.variables)
        if self.space.additive and many:
            places = self._merged(rows)
        else:
            listed = [self._places(self._trace(tuple(row))) for row in rows.tolist()]
            places = _padded(listed, NOTHING)
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

    def _places(self, layers: Iterable[Layer]) -> Int[Tensor, " L"]:
        return torch.tensor([self._known[layer] for layer in layers], dtype=torch.long)

    def _merged(self, rows: Tensor) -> Int[Tensor, "B L"]:
        """The layers that all have, and those of each choice put between them."""
        common, choices = self._choices
        when = [torch.arange(len(common)).float().expand(len(rows), -1)]
        which = [common.expand(len(rows), -1)]
        for column, (keys, layers) in enumerate(choices):
            when.append(keys[rows[:, column]])
            which.append(layers[rows[:, column]])
        order = torch.cat(when, 1).argsort(dim=1, stable=True)
        places = torch.cat(which, 1).gather(1, order)
        return places[:, : max(1, int((places != NOTHING).sum(1).max()))]

    @cached_property
    def _choices(self) -> tuple[Tensor, list[tuple[Tensor, Tensor]]]:
        """Layers that all have, and of each choice of each variable its own, and when they compute.

        Each stands between two that all have, and there in the order of the modules' names.
        """
        row = list(self.space.example)
        for column, variable in enumerate(self.space.variables):
            row[column] = min(
                range(variable.size),
                key=lambda choice: len(self._trace((*row[:column], choice, *row[column + 1 :]))),
            )
        common = self._trace(tuple(row))
        own = [
            [
                _between(common, self._trace((*row[:column], choice, *row[column + 1 :])))
                for choice in range(variable.size)
            ]
            for column, variable in enumerate(self.space.variables)
        ]
        times = sorted({time for every in own for found in every for time, _ in found})
        at = {time: time[0] - 1 + (n + 0.5) / len(times) for n, time in enumerate(times)}
        choices = [
            (
                _padded(
                    [torch.tensor([at[time] for time, _ in found]) for found in every], torch.inf
                ),
                _padded([self._places(layer for _, layer in found) for found in every], NOTHING),
            )
            for every in own
        ]
        return self._places(common), choices


Time = tuple[int, tuple[tuple[int, str], ...]]


def _between(common: Sequence[Layer], layers: Sequence[Layer]) -> list[tuple[Time, Layer]]:
    """Those of some layers that not all have, after how many of these, and in what order there."""
    found: list[tuple[Time, Layer]] = []
    met = 0
    for layer in layers:
        if met < len(common) and layer.name == common[met].name:
            met += 1
        else:
            parts = layer.name.split(".")
            order = tuple((int(part) if part.isdecimal() else -1, part) for part in parts)
            found.append(((met, order), layer))
    return found


def _padded(rows: Sequence[Tensor], value: int | float) -> Tensor:
    return pad_sequence(list(rows), batch_first=True, padding_value=value)
