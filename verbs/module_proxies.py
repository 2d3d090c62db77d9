"""Proxies of a module of one's own, without a space."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from ..core.errors import UsageError
from ..core.seeding import make_generator
from ..core.torch_state import own_torch_state
from ..evaluators.proxies import ProxyValue, proxies_of
from ..evaluators.proxies.probe import noise
from ..evaluators.reference import import_reference
from .checks import check_at_least

__all__ = ["module_proxies"]


@own_torch_state()
def module_proxies(
    module: str | nn.Module,
    shape: str | Sequence[int],
    *,
    names: str = "",
    batch: int = 64,
    seed: int = 0,
) -> dict[str, ProxyValue]:
    """Computes zero-cost proxies of any module, of noise and random classes.

    Args:
        module: Untrained; or ``my_net.py:Net``, of which a class or function is called without
            arguments.
        shape: Of one example, ``"3x32x32"``.
        names: Proxies, joined by ``+``; all by default.
        batch: Examples in a batch.
        seed: Of weights and batches.

    Raises:
        UsageError: For what is no module or shape, or a batch of fewer than two.
        UnknownNameError: For a proxy or name that there is not.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> sorted(module_proxies(network, "3x4x4", names="snip+naswot", batch=4))
        ['naswot', 'snip']
    """
    check_at_least(batch=(batch, 2))
    sides = _sides(shape)
    torch.manual_seed(seed)
    network = _network(module)

    def make(own_seed: int) -> tuple[torch.Tensor, ...]:
        return (torch.randn(batch, *sides, generator=make_generator(own_seed)),)

    return proxies_of(network, noise(make, _classes(network, *make(seed)), batch, seed), names)


def _network(module: str | nn.Module) -> nn.Module:
    found = import_reference(module)[2] if isinstance(module, str) else module
    made = found if isinstance(found, nn.Module) else found() if callable(found) else None
    if not isinstance(made, nn.Module):
        raise UsageError(
            f"{module} is a {type(made or found).__name__}, not a module of torch.",
            "Name a subclass of torch.nn.Module, or a function that returns one.",
        )
    return made


def _classes(network: nn.Module, inputs: torch.Tensor) -> int:
    try:
        with torch.no_grad():
            outputs = network(inputs)
    except Exception as error:
        raise UsageError(
            f"The module does not take {list(inputs.shape[1:])}: {str(error).rstrip('.')}.",
            "Give what one example looks like, e.g. --input 3x32x32.",
        ) from error
    return int(outputs.shape[1]) if isinstance(outputs, torch.Tensor) and outputs.dim() > 1 else 1


def _sides(shape: str | Sequence[int]) -> tuple[int, ...]:
    if not isinstance(shape, str):
        return tuple(shape)
    if not re.fullmatch(r"[1-9]\d{0,5}(x[1-9]\d{0,5})*", shape):
        raise UsageError(f"{shape!r} is no shape.", "Give that of one example, e.g. 3x32x32.")
    return tuple(map(int, shape.split("x")))
