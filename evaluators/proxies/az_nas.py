"""The proxies of AZ-NAS (Lee and Ham, CVPR 2024): of features, and of gradients, block by block."""

from __future__ import annotations

import itertools
import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import make_generator
from .probe import Probe, ProxyValue, gradients, hooked

__all__ = ["Expressivity", "Progressivity", "Trainability"]


class Expressivity:
    """How evenly the features of every block use their channels, in nats (Lee and Ham, 2024).

    The entropy of the normalised eigenvalues of the channels' covariance, for Gaussian inputs and
    weights by He et al.; the sum over blocks.
    """

    def __call__(self, probe: Probe) -> ProxyValue:
        nodes = _entropies(probe)
        return ProxyValue.of(nodes)


class Progressivity:
    """The least that a block adds to the entropy of the one before (Lee and Ham, 2024)."""

    def __call__(self, probe: Probe) -> ProxyValue:
        nodes = _entropies(probe)
        values = list(nodes.values())
        added = [after - before for before, after in itertools.pairwise(values)]
        return ProxyValue(min(added, default=0.0), nodes)


class Trainability:
    """How nearly blocks hand gradients on as they come (Lee and Ham, 2024).

    ``2 - s - 1 / s`` of the largest singular value of the mean product of a random gradient at a
    block's output and what comes of it at its input; the mean over blocks.
    """

    def __init__(self, seed: int = 0) -> None:
        self.seed = seed

    def __call__(self, probe: Probe) -> ProxyValue:
        generator = make_generator(self.seed)
        network = _prepared(probe, generator)
        passed: dict[str, tuple[Tensor, Tensor]] = {}

        def keep(name: str, given: Tensor, result: Tensor) -> None:
            if given.dim() == 4 and isinstance(result, Tensor) and given.requires_grad:
                passed[name] = given, result

        first, *others = _gaussian(probe, generator)
        with hooked(_blocks(network), keep):
            network(first.requires_grad_(), *others)
        nodes = {}
        for name, (given, result) in passed.items():
            signs = torch.randint(2, result.shape, generator=generator) * 2.0 - 1
            own = signs.to(result)
            [back] = gradients((result * own).sum(), [given], keep=True)
            stride = given.shape[-1] // result.shape[-1]
            if stride > 1:
                back = nn.functional.pixel_unshuffle(back, stride)
            if back.shape[-2:] == own.shape[-2:]:
                product = torch.einsum("bchw,bdhw->cd", back, own) / own[:, 0].numel()
                size = float(torch.linalg.matrix_norm(product, 2))
                nodes[name] = 2 - size - 1 / size if size > 0 else -math.inf
        if not nodes:
            raise UsageError("The network has no blocks of images.", "Take another proxy.")
        return ProxyValue(sum(nodes.values()) / len(nodes), nodes)


def _entropies(probe: Probe) -> dict[str, float]:
    generator = make_generator(0)
    network = _prepared(probe, generator)
    found: dict[str, float] = {}

    def keep(name: str, _: Tensor, result: Tensor) -> None:
        if isinstance(result, Tensor) and result.dim() > 1:
            found[name] = _entropy(result.movedim(1, -1).flatten(0, -2).double())

    with torch.no_grad(), hooked(_blocks(network), keep):
        network(*_gaussian(probe, generator))
    return found


def _entropy(features: Float[Tensor, "n C"]) -> float:
    centred = features - features.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(centred)).clamp(min=0)
    share = values / values.sum()
    return float(torch.special.entr(share).sum()) if bool(values.sum() > 0) else 0.0


def _prepared(probe: Probe, generator: torch.Generator) -> nn.Module:
    """With Kaiming's weights by what comes in."""
    network = probe.copy()
    for module in network.modules():
        if isinstance(module, nn.modules.conv._ConvNd | nn.Linear):
            fan = module.weight[0].numel()
            drawn = torch.randn(module.weight.shape, generator=generator)
            with torch.no_grad():
                module.weight.copy_(drawn * (2 / fan) ** 0.5)
                if module.bias is not None:
                    module.bias.zero_()
    return network


def _gaussian(probe: Probe, generator: torch.Generator) -> list[Tensor]:
    first, *others = probe.inputs
    return [torch.randn(first.shape, generator=generator).to(first), *others]


def _blocks(network: nn.Module) -> dict[str, nn.Module]:
    """The parts of a network that are more than containers or single layers, one after another."""
    found: dict[str, nn.Module] = {}

    def walk(module: nn.Module, name: str) -> None:
        for key, child in module.named_children():
            path = f"{name}.{key}" if name else key
            if isinstance(child, nn.Sequential | nn.ModuleList):
                walk(child, path)
            elif list(child.children()):
                found[path] = child

    walk(network, "")
    return found or {"": network}
