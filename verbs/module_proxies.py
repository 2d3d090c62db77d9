"""Proxies of a module of one's own, without a space."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from torch import nn

from ..core.errors import UsageError
from ..core.options import read_options
from ..core.seeding import derive_seed, make_generator
from ..core.torch_state import own_torch_state
from ..evaluators.proxies import Batch, ProxyValue, proxies_of
from ..evaluators.reference import found_by
from ..evaluators.resolver import parted

__all__ = ["module_proxies"]

BATCHES = 2
KNOWN = ("names", "batch", "seed")


@own_torch_state()
def module_proxies(
    module: str | nn.Module, shape: str | Sequence[int], evaluator: str = "proxy"
) -> dict[str, ProxyValue]:
    """Computes zero-cost proxies of any module, of noise and random classes.

    Args:
        module: Untrained; or ``my_net.py:Net``, of which a class or function is called without
            arguments.
        shape: Of one example, ``"3x32x32"``.
        evaluator: ``proxy``, or some and options: ``"proxy:naswot+snip,batch=32,seed=1"``.

    Raises:
        UsageError: For what is no module or shape, or another evaluator or option.
        UnknownNameError: For a proxy or name that there is not.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(48, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> sorted(module_proxies(network, "3x4x4", "proxy:snip+naswot,batch=4"))
        ['naswot', 'snip']
    """
    name, written = parted(evaluator)
    options = {"names": "", "batch": 64, "seed": 0, **read_options(name, written)}
    if name != "proxy" or not set(options) <= set(KNOWN) or int(options["batch"]) < 2:
        raise UsageError(
            f"{evaluator!r} tells nothing of a module.",
            "Use proxy, e.g. proxy:naswot+snip,batch=32 with a batch of 2 or more.",
        )
    sides = _sides(shape)
    seed, batch = int(options["seed"]), int(options["batch"])
    torch.manual_seed(seed)
    network = _network(module)
    batches: list[Batch] = []
    for number in range(BATCHES):
        generator = make_generator(derive_seed(seed, "batch", number))
        inputs = torch.randn(batch, *sides, generator=generator)
        if not batches:
            classes = _classes(network, inputs)
        targets = torch.randint(classes, (batch,), generator=generator)
        batches.append(Batch((inputs,), targets))
    chosen = [each.strip() for each in str(options["names"]).split("+") if each.strip()]
    return proxies_of(network, batches, chosen)


def _network(module: str | nn.Module) -> nn.Module:
    found = found_by(module)[2] if isinstance(module, str) else module
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
