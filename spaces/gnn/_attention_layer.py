"""The layer of GraphNAS: attention, aggregation and heads of a graph network."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["AGGREGATORS", "ATTENTIONS", "POOL", "AttentionLayer", "attention_weights"]

ATTENTIONS = ("gat", "gcn", "cos", "const", "gat_sym", "linear", "generalized_linear")
AGGREGATORS = ("sum", "mean", "max", "mlp")
# Width inside the two linear layers that messages go through, for all aggregators but the sum.
POOL = 128
SLOPE = 0.2
# Vectors of one head's width that a kind of attention learns.
VECTORS = {"gat": 2, "cos": 2, "gat_sym": 2, "linear": 1, "generalized_linear": 2}


def attention_weights(attention: str, heads: int, width: int) -> int:
    """Counts the parameters of a kind of attention.

    Args:
        attention: One of `ATTENTIONS`.
        heads: Number of heads.
        width: Width of each.
    """
    own = VECTORS.get(attention, 0) * heads * width
    return own + width if attention == "generalized_linear" else own


class AttentionLayer(nn.Module):
    """One layer of the macro space of GraphNAS (arXiv 1904.09981).

    With h = W x of every head, node i gathers a_ij h_j over its neighbours j and itself. Before a
    softmax over j, the scores e_ij are: ``gat`` leaky(l·h_i + r·h_j), slope .2; ``gat_sym``
    gat(i, j) + gat(j, i); ``cos`` (l∘h_i)·(r∘h_j); ``linear`` tanh(l·h_j); ``generalized_linear``
    w·tanh(l∘h_i + r∘h_j). Without a softmax, ``gcn`` has a_ij = 1/√(d_i d_j), and ``const`` 1.
    Messages are summed, or go through two linear layers first and are then summed (``mlp``),
    averaged or maximised. Heads are concatenated, or averaged in the last layer.

    The two linear layers have no activation between them, so that they are applied to the nodes,
    once each, and not to every message.

    Args:
        width: Width of the input.
        out: Width of one head.
        heads: Number of heads.
        attention: One of `ATTENTIONS`.
        aggregator: One of `AGGREGATORS`.
        concat: Whether heads are concatenated, else averaged.
    """

    def __init__(
        self, width: int, out: int, heads: int, attention: str, aggregator: str, *, concat: bool
    ) -> None:
        super().__init__()
        self.out, self.heads, self.concat = out, heads, concat
        self.attention, self.aggregator = attention, aggregator
        self.linear = nn.Linear(width, heads * out, bias=False)
        self.vectors = nn.Parameter(torch.empty(VECTORS.get(attention, 0), heads, out))
        self.scorer = nn.Linear(out, 1, bias=False) if attention == "generalized_linear" else None
        self.bias = nn.Parameter(torch.zeros(heads * out if concat else out))
        self.pool = (
            None
            if aggregator == "sum"
            else nn.Sequential(nn.Linear(out, POOL), nn.Linear(POOL, out))
        )
        self.dropout = nn.Dropout(0.0)
        nn.init.xavier_uniform_(self.linear.weight)
        if self.vectors.numel():
            nn.init.xavier_uniform_(self.vectors)
        for layer in self.pool or ():
            assert isinstance(layer, nn.Linear)
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    @property
    def aggregated(self) -> int:
        """Values of each node that are gathered by its neighbours."""
        return self.heads * self.out

    def forward(
        self, x: Float[Tensor, "N F"], edge_index: Int[Tensor, "2 E"]
    ) -> Float[Tensor, "N K"]:
        from torch_geometric.utils import scatter

        nodes = x.size(0)
        source, target = _with_loops(edge_index, nodes)
        h = self._hidden(x).view(nodes, self.heads, self.out)
        weight = self._weights(h, source, target)
        if weight is not None:
            weight = self._quantised_weight(self.dropout(weight))[..., None]
        shift = None
        if self.pool is not None:
            # An affine map: of a sum of weighted h the shift is added once for each message.
            shift = self.pool(h.new_zeros(self.out))
            h = self.pool(h) - shift
        messages = h[source] if weight is None else h[source] * weight
        if shift is not None:
            messages = messages + shift
        reduce = "sum" if self.aggregator in ("sum", "mlp") else self.aggregator
        gathered = self._quantised_sum(scatter(messages, target, 0, nodes, reduce))
        joined = gathered.flatten(1) if self.concat else gathered.mean(1)
        result: Tensor = joined + self.bias
        return result

    # What is rounded in `QuantisedAttentionLayer`.

    def _hidden(self, x: Float[Tensor, "N F"]) -> Float[Tensor, "N K"]:
        return self.linear(x)

    def _quantised_weight(self, weight: Float[Tensor, "E H"]) -> Float[Tensor, "E H"]:
        return weight

    def _quantised_sum(self, gathered: Float[Tensor, "N H O"]) -> Float[Tensor, "N H O"]:
        return gathered

    def _weights(
        self, h: Float[Tensor, "N H O"], source: Int[Tensor, " E"], target: Int[Tensor, " E"]
    ) -> Float[Tensor, "E H"] | None:
        """Weights of all messages; None where all are 1."""
        from torch_geometric.utils import degree, softmax

        if self.attention == "const":
            return None
        if self.attention == "gcn":
            scale = degree(target, h.size(0)).clamp(min=1).rsqrt()
            return (scale[source] * scale[target])[:, None].expand(-1, self.heads).to(h.dtype)
        score = self._scores(h, source, target)
        return softmax(score, target, num_nodes=h.size(0))

    def _scores(
        self, h: Float[Tensor, "N H O"], source: Int[Tensor, " E"], target: Int[Tensor, " E"]
    ) -> Float[Tensor, "E H"]:
        if self.attention == "cos":
            left, right = self._scaled(h)
            return (left[target] * right[source]).sum(-1)
        if self.attention == "generalized_linear":
            assert self.scorer is not None
            left, right = self._scaled(h)
            return self.scorer((left[target] + right[source]).tanh())[..., 0]
        # What is left is linear in h, so that it is told of nodes before it is of edges.
        told = [scaled.sum(-1) for scaled in self._scaled(h)]
        if self.attention == "linear":
            return told[0].tanh()[source]
        left, right = told
        score = F.leaky_relu(left[target] + right[source], SLOPE)
        if self.attention == "gat_sym":
            score = score + F.leaky_relu(left[source] + right[target], SLOPE)
        return score

    def _scaled(self, h: Float[Tensor, "N H O"]) -> list[Float[Tensor, "N H O"]]:
        """The nodes' values by each of the vectors."""
        return [h * self.vectors[i] for i in range(VECTORS[self.attention])]


def _with_loops(
    edge_index: Int[Tensor, "2 E"], nodes: int
) -> tuple[Int[Tensor, " L"], Int[Tensor, " L"]]:
    """The edges, with one loop at every node."""
    from torch_geometric.utils import add_self_loops, remove_self_loops

    edge_index, _ = remove_self_loops(edge_index)
    edge_index, _ = add_self_loops(edge_index, num_nodes=nodes)
    return edge_index[0], edge_index[1]
