"""ZiCo: how steady gradients are from batch to batch."""

from __future__ import annotations

import torch

from ...core.errors import UsageError
from .probe import Probe, ProxyValue, gradients, loss, weights_of

__all__ = ["ZiCo"]


class ZiCo:
    """Gradients' mean size over their deviation, by layer (Li et al., ZiCo, ICLR 2023)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy()
        weights = weights_of(network)
        found = [gradients(loss(network, batch), weights.values()) for batch in probe.batches]
        nodes = {}
        for name, own in zip(weights, zip(*found, strict=True), strict=True):
            every = torch.stack(own)
            deviation = every.std(0, unbiased=False)
            moving = deviation > 0
            if bool(moving.any()):
                nodes[name] = float((every.abs().mean(0)[moving] / deviation[moving]).sum().log())
        if not nodes:
            raise UsageError("Gradients are the same in all batches.", "Give several batches.")
        return ProxyValue.of(nodes)
