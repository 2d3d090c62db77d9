"""Layers of graph networks on dense, weighted DAGs; messages run both ways."""

from __future__ import annotations

from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["AttentionLayer", "GINLayer", "GraphLayer", "MeanLayer", "TransformerLayer"]

HEADS = 4
# Weight of an edge below which attention does not follow it.
FAINT = 1e-6


class MeanLayer(nn.Module):
    """``h + relu(W h + U mean_in(h) + V mean_out(h))``.

    Args:
        width: Channels of a node.

    Example:
        >>> MeanLayer(8)(torch.zeros(2, 3, 8), torch.zeros(2, 3, 3)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.own = nn.Linear(width, width)
        self.before = nn.Linear(width, width, bias=False)
        self.after = nn.Linear(width, width, bias=False)

    def forward(
        self, h: Float[Tensor, "B M D"], edges: Float[Tensor, "B M M"]
    ) -> Float[Tensor, "B M D"]:
        """Passes messages along edges (from row to column) and against them."""
        out = edges / edges.sum(2, keepdim=True).clamp(min=1.0)
        into = (edges / edges.sum(1, keepdim=True).clamp(min=1.0)).transpose(1, 2)
        return h + torch.relu(self.own(h) + self.before(into @ h) + self.after(out @ h))


class GINLayer(MeanLayer):
    """Graph isomorphism network (Xu et al., ICLR 2019, arXiv 1810.00826, eq. 4.1), both ways.

    ``h + MLP((1 + e) h W + sum_in(h) U + sum_out(h) V)``: sums, unlike means, tell multisets apart.

    Args:
        width: Channels of a node.

    Example:
        >>> GINLayer(8)(torch.zeros(2, 3, 8), torch.zeros(2, 3, 3)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)
        self.excess = nn.Parameter(torch.zeros(()))
        self.mlp = nn.Sequential(nn.LayerNorm(width), nn.ReLU(), nn.Linear(width, width))

    def forward(
        self, h: Float[Tensor, "B M D"], edges: Float[Tensor, "B M M"]
    ) -> Float[Tensor, "B M D"]:
        """Passes messages along edges (from row to column) and against them."""
        heard = self.before(edges.transpose(1, 2) @ h) + self.after(edges @ h)
        return h + self.mlp((1 + self.excess) * self.own(h) + heard)


class AttentionLayer(nn.Module):
    """Graph attention (Velickovic et al., ICLR 2018, arXiv 1710.10903, eq. 3), both ways.

    A node attends to itself and its predecessors, and to itself and its successors.

    Args:
        width: Channels of a node, a multiple of four.

    Example:
        >>> AttentionLayer(8)(torch.zeros(2, 3, 8), torch.zeros(2, 3, 3)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.target, self.source = nn.Linear(width, 2 * HEADS), nn.Linear(width, 2 * HEADS)
        self.value, self.out = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(
        self, h: Float[Tensor, "B M D"], edges: Float[Tensor, "B M M"]
    ) -> Float[Tensor, "B M D"]:
        """Passes messages along edges (from row to column) and against them."""
        size, nodes, width = h.shape
        value = self.value(h).view(size, nodes, 2 * HEADS, -1).transpose(1, 2)
        target, source = self.target(h).transpose(1, 2), self.source(h).transpose(1, 2)
        score = F.leaky_relu(target[..., None] + source[:, :, None], 0.2)
        itself = torch.eye(nodes, dtype=h.dtype, device=h.device)
        ways = torch.stack([edges.transpose(1, 2) + itself, edges + itself], 1)
        weight = ways.clamp(min=0.0).repeat_interleave(HEADS, 1)
        score = score + weight.clamp(min=FAINT).log()
        share = score.masked_fill(weight < FAINT, -torch.inf).softmax(-1)
        mixed = (share @ value).transpose(1, 2).reshape(size, nodes, 2 * width)
        return h + torch.relu(self.out(mixed))


class TransformerLayer(nn.Module):
    """Graph transformer (Dwivedi & Bresson, arXiv 2012.09699; biases by relation as Graphormer's).

    Every node attends to every other; learned biases are added where an edge leads to it, where
    one leads from it, and for itself (Ying et al., NeurIPS 2021, arXiv 2106.05234, eq. 6).

    Args:
        width: Channels of a node, a multiple of four.

    Example:
        >>> TransformerLayer(8)(torch.zeros(2, 3, 8), torch.zeros(2, 3, 3)).shape
        torch.Size([2, 3, 8])
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm_1, self.norm_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.zeros(HEADS, 3))
        self.mlp = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(
        self, h: Float[Tensor, "B M D"], edges: Float[Tensor, "B M M"]
    ) -> Float[Tensor, "B M D"]:
        """Passes messages between all nodes, told apart by how they are joined."""
        size, nodes, width = h.shape
        qkv = self.qkv(self.norm_1(h)).view(size, nodes, 3, HEADS, -1).permute(2, 0, 3, 1, 4)
        itself = torch.eye(nodes, dtype=h.dtype, device=h.device).expand(size, -1, -1)
        relation = torch.stack([edges.transpose(1, 2), edges, itself], -1)
        bias = torch.einsum("bijr,hr->bhij", relation, self.bias)
        mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2], attn_mask=bias)
        h = h + self.out(mixed.transpose(1, 2).reshape(size, nodes, width))
        return h + self.mlp(self.norm_2(h))


GraphLayer: TypeAlias = MeanLayer | GINLayer | AttentionLayer | TransformerLayer
