"""Proxies of one gradient: its norm, SNIP, GraSP, Fisher, and the weights' own."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor

from ...core.errors import UsageError
from .probe import Probe, ProxyValue, gradients, hooked, loss, weights_of

__all__ = ["Fisher", "GradNorm", "Grasp", "L2Norm", "Plain", "Snip"]


class _OfWeights(ABC):
    """A sum over layers of what their weights and gradients say."""

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy()
        weights = weights_of(network)
        found = gradients(loss(network, probe.batches[0]), weights.values())
        nodes = {
            name: float(self.node(weight.detach(), gradient))
            for (name, weight), gradient in zip(weights.items(), found, strict=True)
        }
        return ProxyValue.of(nodes)

    @abstractmethod
    def node(self, weight: Tensor, gradient: Tensor) -> Tensor:
        """What one layer says."""


class GradNorm(_OfWeights):
    """The norm of the loss' gradient, layer by layer (Abdelfattah et al., ICLR 2021)."""

    def node(self, weight: Tensor, gradient: Tensor) -> Tensor:
        return gradient.norm()


class L2Norm(_OfWeights):
    """The norm of the weights, layer by layer."""

    def node(self, weight: Tensor, gradient: Tensor) -> Tensor:
        return weight.norm()


class Plain(_OfWeights):
    """Weights by their gradients, with their signs."""

    def node(self, weight: Tensor, gradient: Tensor) -> Tensor:
        return (weight * gradient).sum()


class Snip(_OfWeights):
    """What the loss would change without each weight (Lee et al., SNIP, ICLR 2019)."""

    def node(self, weight: Tensor, gradient: Tensor) -> Tensor:
        return (weight * gradient).abs().sum()


class Grasp:
    """What each weight does for the flow of gradients (Wang et al., GraSP, ICLR 2020)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy()
        weights = weights_of(network)
        first = gradients(loss(network, probe.batches[0]), weights.values(), again=True)
        flow = sum(((each.detach() * each).sum() for each in first), torch.zeros(()))
        try:
            # The Hessian times the gradient.
            second = gradients(flow, weights.values())
        except RuntimeError as error:
            raise UsageError(
                f"The network cannot be differentiated twice: {error}.", "Take another proxy."
            ) from None
        nodes = {
            name: -float((weight.detach() * own).sum())
            for (name, weight), own in zip(weights.items(), second, strict=True)
        }
        return ProxyValue.of(nodes)


class Fisher:
    """What the loss would change without each channel (Theis et al., 2018; Turner et al., 2020)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        network = probe.copy()
        outputs: dict[str, list[Tensor]] = {}

        def keep(name: str, _: Tensor, result: Tensor) -> None:
            outputs.setdefault(name, []).append(result)

        layers = {name: network.get_submodule(name) for name in weights_of(network)}
        with hooked(layers, keep):
            value = loss(network, probe.batches[0])
        every = [(name, each) for name, found in outputs.items() for each in found]
        nodes: dict[str, float] = {}
        for (name, each), own in zip(
            every, gradients(value, [each for _, each in every]), strict=True
        ):
            # Over the places of a channel, which come last.
            effect = (each.detach() * own).flatten(2).sum(2) if each.dim() > 2 else each * own
            told = float(effect.detach().pow(2).mean(0).sum() / 2)
            nodes[name] = nodes.get(name, 0.0) + told
        return ProxyValue.of(nodes)
