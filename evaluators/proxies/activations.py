"""NASWOT: how differently the units of a network answer to different inputs."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ...core.errors import UsageError
from .probe import Probe, ProxyValue, hooked

__all__ = ["NASWOT"]

MODULE = "torch.nn.modules.activation"


class NASWOT:
    """The log-determinant of the kernel of binary codes (Mellor et al., ICML 2021).

    Units are on or off at activations; what two inputs share of it is their kernel.
    """

    def __call__(self, probe: Probe) -> ProxyValue:
        network, examples = probe.copy(), len(probe.inputs[0])
        found: dict[str, Tensor] = {}

        def add(name: str, given: Tensor, _: Tensor) -> None:
            # Some activations are of weights, not of examples.
            if len(given) != examples:
                return
            codes = (given.detach() > 0).flatten(1).double()
            kernel = codes @ codes.T + (1 - codes) @ (1 - codes).T
            found[name] = found.get(name, torch.zeros_like(kernel)) + kernel

        with torch.no_grad(), hooked(_activations(network), add):
            network(*probe.inputs)
        if not found:
            raise UsageError(
                "The network has no activations that are modules.",
                "Use nn.ReLU() or another of torch.nn, not a function.",
            )
        nodes = {name: _log_determinant(kernel) for name, kernel in found.items()}
        return ProxyValue(_log_determinant(torch.stack(list(found.values())).sum(0)), nodes)


def _activations(network: nn.Module) -> dict[str, nn.Module]:
    return {
        name: module
        for name, module in network.named_modules()
        if type(module).__module__ == MODULE and not isinstance(module, nn.MultiheadAttention)
    }


def _log_determinant(kernel: Tensor) -> float:
    sign, value = torch.linalg.slogdet(kernel)
    return float(value) if float(sign) else -math.inf
