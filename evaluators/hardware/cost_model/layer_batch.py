"""Layers of many networks as tensors: what a chip has to compute."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ....core.errors import UsageError
from ....spaces import Layer

__all__ = ["AGGREGATION", "FOLDED", "NONE", "PRODUCT", "VECTOR", "LayerBatch", "touched"]

# What a layer is to a chip: nothing, products on the array, one operation an element, or sums over
# the neighbours in a graph.
NONE, PRODUCT, VECTOR, AGGREGATION = 0, 1, 2, 3
# Layers that are part of the one before when a network is used, and take no time of their own.
FOLDED = (
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "DropPath",
    "ELU",
    "Flatten",
    "GELU",
    "Hardsigmoid",
    "Hardswish",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "ReLU6",
    "SiLU",
    "Sigmoid",
    "Tanh",
    # Zeros are not computed.
    "Zero",
    "normalisation",
    # Values are of few bits anyway.
    "FakeQuantisation",
    # Graph layers that hold a bias alone beside the layers in them.
    "ChebConv",
    "GCNConv",
)
# Layers that touch every element once, outside of the array; those of graphs score neighbours.
ELEMENTWISE = (
    "pooling",
    "Softmax",
    "Upsample",
    "AttentionLayer",
    "QuantisedAttentionLayer",
    "GATConv",
)


@dataclass(frozen=True, eq=False)
class LayerBatch:
    """Layers ``[A, L]`` of ``A`` networks, shorter ones filled up with nothing.

    A layer of products is a convolution of ``groups`` groups, each with ``inputs`` channels in and
    ``outputs`` channels out; a linear layer is one with a kernel and an image of one. An
    aggregation sums ``outputs`` values over ``inputs`` neighbours, the mean number of them, at each
    node. Everything is in elements.

    Args:
        kind: `PRODUCT`, `VECTOR`, `AGGREGATION` or `NONE`.
        batch: Examples; of graphs, nodes.
        groups: Groups.
        outputs: Channels out of a group.
        inputs: Channels in of a group.
        height: Of the output.
        width: Of the output.
        kernel_height: Steps of the kernel.
        kernel_width: Steps of the kernel.
        stride: Steps between windows.
        dilation: Steps between the kernel's entries.
        share: Of the products that are with other than zeros that were put in, such as those of a
            transposed convolution; a chip that skips them has so many.
        elements: What a vector operation touches.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> batch = LayerBatch.of([cells.layers(cells.example)])
        >>> int(batch.macs.sum()) == int(
        ...     cells.statistics(cells.rows([cells.to_string(cells.example)]))["macs"]
        ... )
        True
    """

    kind: Int[Tensor, "A L"]
    batch: Float[Tensor, "A L"]
    groups: Float[Tensor, "A L"]
    outputs: Float[Tensor, "A L"]
    inputs: Float[Tensor, "A L"]
    height: Float[Tensor, "A L"]
    width: Float[Tensor, "A L"]
    kernel_height: Float[Tensor, "A L"]
    kernel_width: Float[Tensor, "A L"]
    stride: Float[Tensor, "A L"]
    dilation: Float[Tensor, "A L"]
    share: Float[Tensor, "A L"]
    elements: Float[Tensor, "A L"]

    @classmethod
    def of(
        cls,
        networks: Sequence[Sequence[Layer]],
        batch: int = 1,
        *,
        nodes: int = 1,
        neighbours: float = 1.0,
    ) -> LayerBatch:
        """Takes the layers of networks, as `vitruvius.spaces.Space.layers` lists them.

        Args:
            networks: The layers of each.
            batch: Examples at a time.
            nodes: Of an example that is a graph, whose layers are listed for one node.
            neighbours: Of each node on average, itself counted.

        Raises:
            UsageError: For a layer that the model does not know, so that nothing is free by
                accident.
        """
        told = [
            [
                tuple(map(float, row))
                for layer in layers
                if (row := _row(layer, batch * nodes, neighbours))
            ]
            for layers in networks
        ]
        most = max(1, *(len(rows) for rows in told)) if told else 1
        nothing = (NONE, *[1.0] * 11, 0.0)
        filled = [[*rows, *[nothing] * (most - len(rows))] for rows in told]
        values = torch.tensor(filled, dtype=torch.float64).reshape(len(told), most, len(nothing))
        kind, *others = values.unbind(-1)
        return cls(kind.long(), *others)

    @property
    def macs(self) -> Float[Tensor, "A L"]:
        """Multiply-adds."""
        kernel = self.kernel_height * self.kernel_width * self.share
        places = self.batch * self.height * self.width
        found = places * self.groups * self.outputs * self.inputs * kernel
        return torch.where(self.products | self.aggregations, found, 0.0)

    @property
    def products(self) -> Bool[Tensor, "A L"]:
        """Which layers are products with weights."""
        return self.kind == PRODUCT

    @property
    def aggregations(self) -> Bool[Tensor, "A L"]:
        """Which layers gather values of neighbours."""
        return self.kind == AGGREGATION

    @property
    def taken(self) -> tuple[Float[Tensor, "A L"], Float[Tensor, "A L"]]:
        """Rows and columns that the windows touch, padding left out."""
        return self.rows_for(self.height), self.columns_for(self.width)

    def rows_for(self, rows: Tensor) -> Tensor:
        """Rows of the input that rows of the output need.

        Args:
            rows: Of the output, ``[A, L]`` or with further axes behind.
        """
        return touched(rows, *self._behind(rows, self.kernel_height))

    def columns_for(self, columns: Tensor) -> Tensor:
        """Columns of the input that columns of the output need.

        Args:
            columns: Of the output, ``[A, L]`` or with further axes behind.
        """
        return touched(columns, *self._behind(columns, self.kernel_width))

    def _behind(self, windows: Tensor, kernel: Tensor) -> list[Tensor]:
        axes = (1,) * (windows.dim() - kernel.dim())
        return [each.reshape(*each.shape, *axes) for each in (kernel, self.stride, self.dilation)]

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float64) -> LayerBatch:
        """Moves the tensors; `kind` stays whole.

        Args:
            device: Where to.
            dtype: Of the numbers.
        """
        moved = [getattr(self, field.name).to(device) for field in fields(self)]
        return LayerBatch(moved[0], *(value.to(dtype) for value in moved[1:]))


def touched(windows: Tensor, kernel: Tensor, stride: Tensor, dilation: Tensor) -> Tensor:
    """Counts what windows along one side touch: steps wider than the kernel leave some out.

    Args:
        windows: How many.
        kernel: Entries of each.
        stride: Steps between windows.
        dilation: Steps between entries.
    """
    return torch.minimum((windows - 1) * stride + (kernel - 1) * dilation + 1, windows * kernel)


def _row(layer: Layer, batch: int, neighbours: float) -> tuple[int | float, ...] | None:
    if layer.kind in FOLDED:
        return None
    if layer.kind == "aggregation":
        return (AGGREGATION, batch, 1, math.prod(layer.inputs), neighbours, *[1] * 7, 0)
    if layer.kind == "ARMAConv":
        # Its own weights for the node and for its neighbours.
        return (PRODUCT, batch, 1, 2 * layer.outputs[-1], layer.inputs[-1], *[1] * 7, 0)
    if layer.kind == "linear" and not layer.outputs:
        # Of a vector that is no node's: what it has of weights, once.
        return (PRODUCT, 1, 1, layer.macs, *[1] * 8, 0)
    if layer.kind == "linear":
        *places, out = layer.outputs
        return (PRODUCT, batch * math.prod(places), 1, out, layer.inputs[-1], *[1] * 7, 0)
    if layer.kind in ("convolution", "transposed convolution"):
        inward, outward = layer.inputs[0] // layer.groups, layer.outputs[0] // layer.groups
        sides, kernel = _two(layer.outputs[1:]), _two(layer.kernel)
        stride, dilation = max(_two(layer.stride)), max(_two(layer.dilation))
        share = 1.0
        if layer.kind == "transposed convolution":
            # One of stride 1 over the input with zeros between its entries.
            share = math.prod(layer.inputs[1:]) / math.prod(layer.outputs[1:])
            stride = 1
        shape = (layer.groups, outward, inward, *sides, *kernel)
        return (PRODUCT, batch, *shape, stride, dilation, share, 0)
    if layer.kind in ELEMENTWISE:
        touched = max(math.prod(layer.inputs), math.prod(layer.outputs))
        return (VECTOR, batch, *[1] * 10, batch * touched)
    raise UsageError(
        f"The cost model does not know the layer {layer.kind!r}.",
        "It knows convolutions, linear layers, aggregation over neighbours, "
        f"{', '.join(ELEMENTWISE)}, and those that others take in, such as normalisation.",
    )


def _two(sides: Sequence[int]) -> tuple[int, int]:
    """Sides of an image; a series is one row."""
    height, width = (1, *sides)[-2:]
    return height, width
