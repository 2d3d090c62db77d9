"""VKDNW: the spectrum of the Fisher information."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .probe import Probe, ProxyValue, weights_of

__all__ = ["VKDNW"]

# Weights of each layer, examples, and rows of the Jacobian at a time.
FEW, EXAMPLES, ROWS = 1, 8, 16


class VKDNW:
    """Layers, and how even the Fisher information's eigenvalues are (Tybl and Neumann, CVPR 2025).

    The entropy of the normalised deciles of its eigenvalues, of a few weights of each layer; layers
    count for the size of the network, of which the entropy says nothing.
    """

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy()
        weights = list(weights_of(network).values())
        # Nodes of a graph depend on each other.
        lone = len(probe.inputs) == 1
        inputs = (probe.inputs[0][:EXAMPLES],) if lone else probe.inputs
        outputs = network(*inputs)[:EXAMPLES]
        share = outputs.detach().softmax(1)
        jacobian = _jacobian(outputs, weights)
        # Of diag(p) - p p', a square root: rows of sqrt(p) times what is above the mean.
        above = jacobian - torch.einsum("bc,bcp->bp", share, jacobian)[:, None]
        rows = (share.sqrt()[..., None] * above).flatten(0, 1).cpu().double()
        values = torch.linalg.eigvalsh(rows.T @ rows / len(outputs)).clamp(min=0)
        deciles = values.quantile(torch.linspace(0.1, 0.9, 9, dtype=torch.float64))
        entropy = torch.special.entr(deciles / deciles.sum()).sum()
        told = float(entropy) if bool(deciles.sum() > 0) else 0.0
        return ProxyValue(len(weights) + told, {"entropy": told})


def _jacobian(outputs: Tensor, weights: Sequence[Tensor]) -> Tensor:
    """Of all outputs by some weights of each layer ``[B, C, P]``."""
    every = torch.eye(outputs.numel(), dtype=outputs.dtype, device=outputs.device)
    parts = []
    for some in every.split(ROWS):
        found = torch.autograd.grad(
            outputs,
            weights,
            some.reshape(-1, *outputs.shape),
            retain_graph=True,
            is_grads_batched=True,
            allow_unused=True,
        )
        rows = []
        for weight, own in zip(weights, found, strict=True):
            step = max(1, weight.numel() // FEW)
            flat = weight.new_zeros(len(some), weight.numel()) if own is None else own.flatten(1)
            rows.append(flat[:, ::step][:, :FEW])
        parts.append(torch.cat(rows, 1))
    return torch.cat(parts).reshape(*outputs.shape, -1)
