"""Proxies by name."""

from __future__ import annotations

from ...core.registry import Registry
from .probe import Proxy

__all__ = ["PROXIES", "proxies", "proxy"]

PROXIES = Registry(
    "proxy",
    "vitruvius.proxies",
    {
        "grad_norm": "evaluators.proxies.gradients:GradNorm",
        "l2_norm": "evaluators.proxies.gradients:L2Norm",
        "plain": "evaluators.proxies.gradients:Plain",
        "snip": "evaluators.proxies.gradients:Snip",
        "grasp": "evaluators.proxies.gradients:Grasp",
        "fisher": "evaluators.proxies.gradients:Fisher",
        "synflow": "evaluators.proxies.synflow:Synflow",
        "jacov": "evaluators.proxies.jacobian:Jacov",
        "epe_nas": "evaluators.proxies.jacobian:EPENAS",
        "naswot": "evaluators.proxies.activations:NASWOT",
        "zico": "evaluators.proxies.zico:ZiCo",
        "zen": "evaluators.proxies.zen:Zen",
        "expressivity": "evaluators.proxies.az_nas:Expressivity",
        "progressivity": "evaluators.proxies.az_nas:Progressivity",
        "trainability": "evaluators.proxies.az_nas:Trainability",
        "vkdnw": "evaluators.proxies.vkdnw:VKDNW",
    },
)


def proxy(name: str) -> Proxy:
    """Returns a proxy by name.

    Args:
        name: One of `PROXIES`.

    Raises:
        UnknownNameError: For another name.

    Example:
        >>> type(proxy("naswot")).__name__
        'NASWOT'
    """
    made: Proxy = PROXIES.get(name)()
    return made


def proxies(names: str = "") -> dict[str, Proxy]:
    """Returns proxies by their names.

    Args:
        names: Joined by ``+``; all by default.

    Raises:
        UnknownNameError: For a name that there is not.

    Example:
        >>> list(proxies("snip+naswot"))
        ['snip', 'naswot']
    """
    chosen = [name.strip() for name in names.split("+")] if names else PROXIES.names()
    return {name: proxy(name) for name in chosen}
