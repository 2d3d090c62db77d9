"""Probe: an untrained network and some batches, which is all that proxies look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ...core.errors import UsageError
from ...core.seeding import derive_seed, make_generator
from ..training.examples import Batch

__all__ = [
    "BATCHES",
    "Batch",
    "Probe",
    "Proxy",
    "ProxyValue",
    "gradients",
    "hooked",
    "loss",
    "noise",
    "weights_of",
]

# Batches that gradients are compared over.
BATCHES = 2


@dataclass(frozen=True)
class ProxyValue:
    """What a proxy says of a network.

    Args:
        value: More is taken to be better.
        nodes: What it is made of, by the module's name; nothing where it is of the whole.
    """

    value: float
    nodes: dict[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, nodes: dict[str, float]) -> ProxyValue:
        """Makes the sum of nodes.

        Args:
            nodes: By the module's name.
        """
        return cls(math.fsum(nodes.values()), nodes)


@dataclass(frozen=True)
class Probe:
    """An untrained network and batches.

    Args:
        network: As it was initialised; proxies change copies.
        batches: One at the least, of the same size.
    """

    network: nn.Module
    batches: Sequence[Batch]

    def copy(self) -> nn.Module:
        """Returns a copy in which nothing is random, and batches are normalised by themselves."""
        network = deepcopy(self.network).eval()
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.train()
            if hasattr(module, "inplace"):
                module.inplace = False  # type: ignore[assignment]
        return network

    @property
    def inputs(self) -> tuple[Tensor, ...]:
        """The inputs of the first batch."""
        return self.batches[0].inputs


@runtime_checkable
class Proxy(Protocol):
    """Scores an untrained network."""

    def __call__(self, probe: Probe) -> ProxyValue:
        """Computes the score.

        Args:
            probe: The network and batches.
        """


def noise(
    make: Callable[[int], tuple[Tensor, ...]], classes: int, batch: int, seed: int
) -> list[Batch]:
    """Makes as many batches of noise and random classes as proxies compare.

    Args:
        make: Makes inputs of a seed.
        classes: How many there are.
        batch: Examples of each.
        seed: Of all.
    """
    seeds = [derive_seed(seed, "batch", number) for number in range(BATCHES)]
    return [
        Batch(make(own), torch.randint(classes, (batch,), generator=make_generator(own)))
        for own in seeds
    ]


def loss(network: nn.Module, batch: Batch) -> Float[Tensor, ""]:
    """Cross-entropy of classes, or the squared error of values.

    Args:
        network: The network.
        batch: The batch.

    Raises:
        UsageError: For a network that tells neither.
    """
    outputs, _ = batch.outputs(network)
    if outputs.dim() != 2:
        raise UsageError(
            f"The network gives {list(outputs.shape)}, neither classes nor values of examples.",
            "Take a proxy that needs no loss, such as naswot or zen.",
        )
    if batch.targets.is_floating_point():
        return nn.functional.mse_loss(outputs, batch.targets)
    return nn.functional.cross_entropy(outputs, batch.targets)


def weights_of(network: nn.Module) -> dict[str, nn.Parameter]:
    """Returns the matrices and kernels of weights, by the names of their layers.

    Args:
        network: The network.
    """
    return {
        name: weight
        for name, module in network.named_modules()
        if isinstance(weight := getattr(module, "weight", None), nn.Parameter) and weight.dim() > 1
    }


@contextmanager
def hooked(
    modules: Mapping[str, nn.Module], hook: Callable[[str, Tensor, Tensor], Tensor | None]
) -> Iterator[None]:
    """Calls a hook with the name, the first input and the output of modules as they compute.

    Args:
        modules: By their names.
        hook: What is called; what it returns takes the place of the output.
    """
    handles = [
        module.register_forward_hook(
            lambda _, given, result, name=name: hook(name, given[0], result)
        )
        for name, module in modules.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def gradients(
    value: Tensor, of: Iterable[Tensor], *, keep: bool = False, again: bool = False
) -> list[Tensor]:
    """Returns gradients, zeros of what has no part in it.

    Args:
        value: One number.
        of: What it is differentiated by.
        keep: Whether the graph is needed again.
        again: Whether gradients are differentiated in turn.
    """
    every = list(of)
    found = torch.autograd.grad(
        value, every, allow_unused=True, create_graph=again, retain_graph=keep or again
    )
    return [
        torch.zeros_like(each) if own is None else own
        for each, own in zip(every, found, strict=True)
    ]
