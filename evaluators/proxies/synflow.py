"""SynFlow: what flows through a network without any data."""

from __future__ import annotations

import math

import torch
from torch import nn

from .probe import Probe, ProxyValue, gradients, weights_of

__all__ = ["Synflow"]


class Synflow:
    """The logarithm of what all paths carry from inputs of ones (Tanaka et al., NeurIPS 2020).

    Weights are taken without their signs, and normalisation is left out.
    """

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy().double()
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase):
                module.forward = lambda x: x
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.abs_()
        weights = weights_of(network)
        # Whole numbers, such as the edges of a graph, are no data.
        ones = [
            torch.ones_like(each[:1] if each.dim() > 2 else each).double()
            if each.is_floating_point()
            else each
            for each in probe.inputs
        ]
        found = gradients(network(*ones).sum(), weights.values())
        nodes = {
            name: float((weight.detach() * own).abs().sum())
            for (name, weight), own in zip(weights.items(), found, strict=True)
        }
        whole = sum(nodes.values())
        return ProxyValue(math.log(whole) if whole > 0 else -math.inf, nodes)
