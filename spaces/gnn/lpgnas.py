"""LPGNAS: graph networks whose parameters and activations have few bits, searched with them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..quantisation import FORMATS, bits
from ..task import GraphTask, Task
from ..variable import Variable
from ._attention_layer import AGGREGATORS, ATTENTIONS, POOL, AttentionLayer, attention_weights
from ._graph import graph_task
from ._quantised_layer import COMPONENTS, QuantisedAttentionLayer
from .autognn import COLUMNS, HEADS, HIDDEN, HIDDEN_COLUMN, AutoGNN, GraphNetwork

__all__ = ["LPGNAS"]

LAYERS = len(COLUMNS)
WEIGHTS: tuple[str, ...] = ("binary", "ternary", "2.2", "2.4", "2.6", "4.4")
ACTIVATIONS: tuple[str, ...] = ("2.2", "4.4", "4.8", "8.8")
CHOICES = (WEIGHTS, WEIGHTS, ACTIVATIONS, ACTIVATIONS, ACTIVATIONS)
# Bits of what is not quantised.
FULL = 32


def _formats(layer: int) -> tuple[Variable, ...]:
    return tuple(
        Variable(f"{name}_{layer}", choices, "bits", (layer,))
        for name, choices in zip(COMPONENTS, CHOICES, strict=True)
    )


class LPGNAS(AutoGNN):
    """The networks of `AutoGNN`, with a format for each quantised tensor (arXiv 2009.09232).

    Per layer, weights and vectors of attention are binary, ternary or of fixed point (2.2 to 4.4:
    bits before and after the point), and the nodes' values, the weights of messages and their sums
    of fixed point (2.2 to 8.8). Training rounds them with straight-through gradients
    (`vitruvius.spaces.quantisation.FakeQuantisation`).

    Counted beside the rest are ``model_bytes``, all parameters in their formats (biases and what
    scales a binary or ternary tensor in 32 bits), and ``buffer_bytes``, the activations of the
    layer that has most of them, of the task's nodes and edges.

    Written as of `AutoGNN`, then a slash and the formats: ``gat|sum|elu|8|8/2.2|2.2|4.4|4.4|4.4
    gcn|mean|linear|1/2.2|2.2|4.4|4.4|4.4``.

    Example:
        >>> graphs = LPGNAS()
        >>> small = graphs.uniform("gat|sum|elu|8|8 gat|sum|linear|1", "2.2", "4.4")
        >>> counts = graphs.statistics(graphs.rows([small]))
        >>> int(counts["params"]), int(counts["model_bytes"])
        (92373, 46435)
    """

    name = "lpgnas"
    variables = (
        *AutoGNN.variables[: HIDDEN_COLUMN + 1],
        *_formats(1),
        *AutoGNN.variables[HIDDEN_COLUMN + 1 :],
        *_formats(2),
    )

    def uniform(self, network: str, weight: str, activation: str) -> str:
        """Writes a network of `AutoGNN` with one format for all parameters and one for the rest.

        Args:
            network: As `AutoGNN` writes it.
            weight: Format of weights and vectors.
            activation: Format of activations.
        """
        formats = "|".join([weight] * 2 + [activation] * 3)
        return " ".join(f"{layer}/{formats}" for layer in network.split())

    def to_string(self, row: Sequence[int]) -> str:
        plain, formats = self._parted(row)
        layers = AutoGNN.to_string(_PLAIN, plain).split()
        return " ".join(
            f"{layer}/{'|'.join(chosen)}" for layer, chosen in zip(layers, formats, strict=True)
        )

    def from_string(self, text: str) -> tuple[int, ...]:
        layers = [layer.partition("/") for layer in text.split()]
        if len(layers) != LAYERS or not all(chosen for _, _, chosen in layers):
            raise self.unreadable(text, f"expected {LAYERS} layers, each as NETWORK/FORMATS")
        plain = _PLAIN.from_string(" ".join(layer for layer, _, _ in layers))
        row: list[int] = []
        for columns, (_, _, said) in zip(_LAYER_COLUMNS, layers, strict=True):
            row += plain[columns]
            formats = [name.strip() for name in said.split("|")]
            if len(formats) != len(COMPONENTS):
                raise self.unreadable(
                    text, f"expected {len(COMPONENTS)} formats a layer, got {len(formats)}"
                )
            for component, choices, name in zip(COMPONENTS, CHOICES, formats, strict=True):
                if name not in choices:
                    expected = ", ".join(choices)
                    raise self.unreadable(text, f"{component} is {name!r}, of {expected}")
                row.append(choices.index(name))
        return tuple(row)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = graph_task(task or self.task)
        plain = x[:, _NETWORK_COLUMNS]
        counts = _PLAIN.statistics(plain, task)
        model = torch.zeros(len(x), dtype=torch.float64)
        buffers = []
        hidden = torch.tensor(HIDDEN, dtype=torch.float64)[plain[:, HIDDEN_COLUMN]]
        entering = torch.full_like(hidden, task.features)
        for layer, columns in enumerate(COLUMNS):
            chosen = x[:, _FORMAT_COLUMNS[layer]]
            sizes = [_BITS[choices][at] for choices, at in zip(CHOICES, chosen.T, strict=True)]
            tensors, buffer = _layer_sizes(plain[:, columns], entering, hidden, layer, task)
            scales = [_SCALED[choices][at] for choices, at in zip(CHOICES, chosen.T, strict=True)]
            weights, vectors, biases, matrices, learnt = tensors
            model += (weights * sizes[0] + vectors * sizes[1] + biases * FULL) / 8
            model += FULL / 8 * (matrices * scales[0] + learnt * scales[1])
            held = [b * s for b, s in zip(buffer, sizes[2:], strict=True)]
            buffers.append(torch.stack(held).sum(0) / 8)
            entering = torch.tensor(HEADS, dtype=torch.float64)[plain[:, columns][:, 3]] * hidden
        counts["model_bytes"] = model
        counts["buffer_bytes"] = torch.stack(buffers).amax(0)
        return counts

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(x, edge_index)`` gives one row of logits per node."""
        plain, formats = self._parted(row)
        choices = [v.choices[i] for v, i in zip(_PLAIN.variables, plain, strict=True)]

        def layer(number: int, *sizes: object, concat: bool) -> AttentionLayer:
            return QuantisedAttentionLayer(*sizes, concat=concat, formats=formats[number])  # type: ignore[arg-type]

        return GraphNetwork(choices, graph_task(task), layer)

    def _parted(self, row: Sequence[int]) -> tuple[list[int], list[tuple[str, ...]]]:
        """The row of the network, and the formats of every layer."""
        plain = [row[column] for column in _NETWORK_COLUMNS]
        formats = [
            tuple(choices[row[column]] for choices, column in zip(CHOICES, columns, strict=True))
            for columns in _FORMAT_COLUMNS
        ]
        return plain, formats


_PLAIN = AutoGNN()
_FORMAT_COLUMNS = [
    [i for i, v in enumerate(LPGNAS.variables) if v.kind == "bits" and v.place == (layer,)]
    for layer in range(1, LAYERS + 1)
]
_NETWORK_COLUMNS = [i for i, v in enumerate(LPGNAS.variables) if v.kind != "bits"]
# Of a row of `AutoGNN`, the columns of each layer.
_LAYER_COLUMNS = (slice(0, HIDDEN_COLUMN + 1), slice(HIDDEN_COLUMN + 1, None))
_BITS = {
    choices: torch.tensor([bits(name) for name in choices], dtype=torch.float64, device="cpu")
    for choices in (WEIGHTS, ACTIVATIONS)
}
# Binary and ternary tensors have a scale.
_SCALED = {
    choices: torch.tensor([float(name in FORMATS[:2]) for name in choices], device="cpu").double()
    for choices in (WEIGHTS, ACTIVATIONS)
}


def _layer_sizes(
    chosen: Int[Tensor, "B 4"],
    entering: Float[Tensor, " B"],
    hidden: Float[Tensor, " B"],
    layer: int,
    task: GraphTask,
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    """Numbers of values: of weights, vectors and biases, and of the three kinds of activations.

    Behind the first come the numbers of tensors that weights and vectors are in.
    """
    attention, aggregator, _, count = chosen.unbind(1)
    last = layer == LAYERS - 1
    width = torch.full_like(hidden, task.classes) if last else hidden
    heads = torch.tensor(HEADS, dtype=torch.float64)[count]
    joined = heads * width
    pooled = (aggregator != AGGREGATORS.index("sum")).double()
    each = torch.tensor([attention_weights(kind, 1, 1) for kind in ATTENTIONS]).double()
    once = torch.tensor([float(kind == "generalized_linear") for kind in ATTENTIONS]).double()
    vectors = (each - once)[attention] * joined + once[attention] * width
    weights = entering * joined + pooled * 2 * width * POOL
    biases = (width if last else joined) + pooled * (POOL + width)
    learnt = (each > 0).double()[attention] + once[attention]
    weighted = (attention != ATTENTIONS.index("const")).double()
    messages = 2 * task.edges + task.nodes
    activations = (task.nodes * joined, weighted * messages * heads, task.nodes * joined)
    return (weights, vectors, biases, 1 + 2 * pooled, learnt), activations
