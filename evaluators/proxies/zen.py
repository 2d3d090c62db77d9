"""Zen-score: how far a network carries a small step apart."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...core.seeding import make_generator
from .probe import Probe, ProxyValue, hooked

__all__ = ["Zen"]

STEP = 1e-2


class Zen:
    """Expressivity of Gaussian weights for Gaussian inputs (Lin et al., Zen-NAS, ICCV 2021).

    The logarithm of how far features move with a small step of the inputs, and of the deviations
    that normalisation has taken out. Features are what global pooling takes, or else the last layer
    with weights.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def __call__(self, probe: Probe) -> ProxyValue:
        network, generator = probe.copy(), make_generator(self.seed)
        _gaussian(network, generator)
        last = _last(network)
        norms = {
            name: module
            for name, module in network.named_modules()
            if isinstance(module, nn.modules.batchnorm._BatchNorm)
        }
        features: list[Tensor] = []
        nodes: dict[str, float] = {}

        def keep(_: str, given: Tensor, __: Tensor) -> None:
            features.append(given)

        def deviation(name: str, given: Tensor, _: Tensor) -> None:
            over = [axis for axis in range(given.dim()) if axis != 1]
            nodes[name] = float(given.var(over).mean().sqrt().log())

        first, *others = probe.inputs
        step, first = (torch.randn(first.shape, generator=generator).to(first) for _ in range(2))
        with torch.no_grad(), hooked(last, keep):
            with hooked(norms, deviation):
                network(first, *others)
            network(first + STEP * step, *others)
        apart = float((features[0] - features[-1]).abs().flatten(1).sum(1).mean())
        nodes["features"] = math.log(apart) if apart > 0 else -math.inf
        return ProxyValue.of(nodes)


def _gaussian(network: nn.Module, generator: torch.Generator) -> None:
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._NormBase) and module.affine:
                module.weight.fill_(1.0)
                module.bias.fill_(0.0)
            elif isinstance(weight := getattr(module, "weight", None), nn.Parameter):
                weight.copy_(torch.randn(weight.shape, generator=generator))
                if isinstance(bias := getattr(module, "bias", None), nn.Parameter):
                    bias.fill_(0.0)


def _last(network: nn.Module) -> dict[str, nn.Module]:
    """The module that takes the features."""
    pools = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d)
    named = dict(network.named_modules())
    for kinds in (pools, (nn.Linear,)):
        found = [name for name, module in named.items() if isinstance(module, kinds)]
        if found:
            return {found[-1]: named[found[-1]]}
    found = [name for name, module in named.items() if not list(module.children())]
    return {found[-1]: named[found[-1]]}
