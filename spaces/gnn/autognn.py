"""The macro space of Auto-GNN and GraphNAS: graph networks of two layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...core.seeding import Seed
from ..literals import read_literal
from ..space import Space
from ..task import GraphTask, Task
from ..variable import Variable
from ._attention_layer import AGGREGATORS, ATTENTIONS, POOL, AttentionLayer, attention_weights
from ._graph import graph_task

__all__ = ["AutoGNN", "GraphNetwork"]

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
    "relu": torch.relu,
    "linear": lambda x: x,
    "softplus": F.softplus,
    "leaky_relu": F.leaky_relu,
    "relu6": F.relu6,
    "elu": F.elu,
}
HEADS, HIDDEN = (1, 2, 4, 6, 8, 16), (4, 8, 16, 32, 64, 128, 256)
LAYERS = 2
# Columns of a layer that all have, and of the first.
SHARED = 4
COLUMNS = (slice(0, SHARED), slice(SHARED + 1, 2 * SHARED + 1))
HIDDEN_COLUMN = SHARED


def _layer_variables(layer: int) -> tuple[Variable, ...]:
    place = (layer,)
    return (
        Variable(f"attention_{layer}", ATTENTIONS, "op", place),
        Variable(f"aggregator_{layer}", AGGREGATORS, "op", place),
        Variable(f"activation_{layer}", tuple(ACTIVATIONS), "op", place),
        Variable(f"heads_{layer}", tuple(map(str, HEADS)), "size", place),
    )


class AutoGNN(Space):
    """The 12,644,352 two-layer graph networks of Auto-GNN and GraphNAS (arXiv 1904.09981).

    Each layer has an attention, an aggregator, an activation and a number of heads; the first has
    a hidden width, too (see `AttentionLayer`). The last layer averages its heads and gives the
    classes; its hidden width, which the published 88.5 million count, is not used there and no
    choice here. Inputs of layers, and weights of attention, have dropout (see
    `torch.nn.Dropout`), which is 0 until a trainer sets it: the papers take 0.6.

    Written ``gat|sum|elu|8|8 gcn|mean|linear|1``. Read, too, is the list of actions of GraphNAS,
    ``['gat', 'sum', 'elu', 8, 8, 'gcn', 'mean', 'linear', 1, 7]``, whose last width is the number
    of classes. Multiply-adds are those of the weight matrices, per node.

    Example:
        >>> graphs = AutoGNN()
        >>> cora = graphs.architecture("gat|sum|elu|8|8 gat|sum|linear|1")
        >>> int(graphs.statistics(graphs.rows([cora]))["params"])
        92373
    """

    name = "autognn"
    task = GraphTask(features=1433, classes=7, nodes=2708, edges=5278)
    nodes = ("input", "layer 1", "layer 2")
    skeleton = ((0, 1), (1, 2))
    inputs, outputs = (0,), (2,)
    variables = (
        *_layer_variables(1),
        Variable("hidden_1", tuple(map(str, HIDDEN)), "size", (1,)),
        *_layer_variables(2),
    )

    @property
    def architecture_count(self) -> int:
        return self.encoding_count

    def sample(self, n: int, seed: Seed = None) -> Int[Tensor, "B V"]:
        """Draws architectures uniformly.

        Args:
            n: How many.
            seed: A generator, an integer seed, or None for a fresh one.
        """
        return self._uniform(n, seed)

    def to_string(self, row: Sequence[int]) -> str:
        names = [v.choices[index] for v, index in zip(self.variables, row, strict=True)]
        return f"{'|'.join(names[: SHARED + 1])} {'|'.join(names[SHARED + 1 :])}"

    def from_string(self, text: str) -> tuple[int, ...]:
        said = [part for layer in text.split() for part in layer.split("|")]
        if text.lstrip().startswith(("[", "(")):
            actions = read_literal(text)
            if not isinstance(actions, list | tuple) or len(actions) != LAYERS * (SHARED + 1):
                raise self.unreadable(text, f"GraphNAS writes {LAYERS * (SHARED + 1)} actions")
            said = [str(action) for action in actions[:-1]]
        if len(said) != len(self.variables):
            raise self.unreadable(text, f"expected {len(self.variables)} choices, got {len(said)}")
        row = []
        for variable, choice in zip(self.variables, said, strict=True):
            if choice not in variable.choices:
                expected = ", ".join(variable.choices)
                raise self.unreadable(text, f"{variable.name} is {choice!r}, of {expected}")
            row.append(variable.choices.index(choice))
        return tuple(row)

    def statistics(self, x: Int[Tensor, "B V"], task: Task | None = None) -> dict[str, Tensor]:
        task = graph_task(task or self.task)
        heads = torch.tensor(HEADS, dtype=torch.float64)
        hidden = torch.tensor(HIDDEN, dtype=torch.float64)[x[:, HIDDEN_COLUMN]]
        params, macs, depth = (torch.zeros(len(x), dtype=torch.float64) for _ in range(3))
        entering = torch.full_like(params, task.features)
        for layer, columns in enumerate(COLUMNS):
            attention, aggregator, _, count = x[:, columns].unbind(1)
            last = layer == LAYERS - 1
            width = torch.full_like(hidden, task.classes) if last else hidden
            many = heads[count]
            joined = many * width
            # What a head of width one adds to attention, and what is added once.
            each = torch.tensor([attention_weights(kind, 1, 1) for kind in ATTENTIONS])
            once = torch.tensor([kind == "generalized_linear" for kind in ATTENTIONS]).double()
            scores = (each - once)[attention] * joined + once[attention] * width
            pooled = (aggregator != AGGREGATORS.index("sum")).double()
            pool = 2 * width * POOL
            params += entering * joined + scores + (width if last else joined)
            params += pooled * (pool + POOL + width)
            macs += entering * joined + pooled * many * pool
            depth += 1 + 2 * pooled
            entering = joined
        return {"params": params, "macs": macs, "depth": depth}

    def build_module(self, row: Sequence[int], task: Task) -> nn.Module:
        """Builds a module whose ``forward(x, edge_index)`` gives one row of logits per node."""
        choices = [v.choices[index] for v, index in zip(self.variables, row, strict=True)]
        return GraphNetwork(choices, graph_task(task))


class GraphNetwork(nn.Module):
    """Dropout, layer and activation, twice.

    Args:
        choices: Of the variables of `AutoGNN`.
        task: What it is for.
        make: Makes a layer: its number, then as `AttentionLayer`; by default just that.
    """

    def __init__(
        self,
        choices: Sequence[str],
        task: GraphTask,
        make: Callable[..., AttentionLayer] = lambda number, *sizes, **kw: AttentionLayer(
            *sizes, **kw
        ),
    ) -> None:
        super().__init__()
        width = task.features
        layers = []
        self.activations = []
        for number, columns in enumerate(COLUMNS):
            attention, aggregator, activation, heads = choices[columns]
            last = number == LAYERS - 1
            out = task.classes if last else int(choices[HIDDEN_COLUMN])
            layers.append(
                make(number, width, out, int(heads), attention, aggregator, concat=not last)
            )
            self.activations.append(activation)
            width = out * int(heads)
        self.layers = nn.ModuleList(layers)
        self.dropout = nn.Dropout(0.0)

    def forward(
        self, x: Float[Tensor, "nodes features"], edge_index: Int[Tensor, "2 edges"]
    ) -> Float[Tensor, "nodes classes"]:
        for layer, activation in zip(self.layers, self.activations, strict=True):
            x = ACTIVATIONS[activation](layer(self.dropout(x), edge_index))
        return x
