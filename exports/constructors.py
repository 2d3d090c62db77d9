"""Constructors: the call that makes a layer of a library again, as Python source."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from torch import Tensor, nn

from ..core.errors import UsageError

__all__ = ["LIBRARIES", "constructor", "is_layer"]

LIBRARIES = {"torch.nn": "nn", "torch_geometric.nn": "gnn"}
"""Packages whose layers are called by name, and the name that source has for each."""

# What constructors take beside what makes the layer what it is.
_NEVER = ("self", "device", "dtype")
# Arguments that a layer does not keep under their name.
_KEPT_OTHERWISE: dict[tuple[str, str], Callable[[Any], Any]] = {
    ("ChebConv", "K"): lambda layer: len(layer.lins),
}
_MISSING = object()


def is_layer(module: nn.Module) -> bool:
    """Tells whether a module is a layer of a library, and no container.

    Args:
        module: The module.
    """
    if isinstance(module, nn.Sequential | nn.ModuleList | nn.ModuleDict):
        return False
    return _library(module) is not None


def constructor(layer: nn.Module, expression: Callable[[nn.Module], str] | None = None) -> str:
    """Writes the call that makes a layer again; its weights are not part of it.

    Arguments are those of the constructor's signature that the layer keeps under their name and
    that differ from the default.

    Args:
        layer: One that `is_layer` is true of.
        expression: Writes a module that is an argument.

    Raises:
        UsageError: Where an argument that has to be given cannot be told from the layer.

    Example:
        >>> constructor(nn.Conv2d(3, 8, 3, padding=1, bias=False))
        'nn.Conv2d(3, 8, 3, padding=1, bias=False)'
        >>> constructor(nn.ReLU(inplace=True))
        'nn.ReLU(inplace=True)'
    """
    kind = type(layer).__name__
    written = []
    for parameter in inspect.signature(type(layer).__init__).parameters.values():
        if parameter.name in _NEVER or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        ):
            continue
        value = _kept(layer, parameter)
        required = parameter.default is parameter.empty
        if value is _MISSING:
            if required:
                raise UsageError(
                    f"`{parameter.name}` of a layer {kind} cannot be told from the layer.",
                    "Export as onnx or torchscript, which need no source.",
                )
            continue
        if not required and _same(value, parameter.default):
            continue
        if isinstance(value, nn.Module):
            text = (expression or constructor)(value)
        else:
            text = _written(_single(value))
        written.append(text if required else f"{parameter.name}={text}")
    return f"{_library(layer)}.{kind}({', '.join(written)})"


def _library(module: nn.Module) -> str | None:
    home = type(module).__module__
    for package, name in LIBRARIES.items():
        if home == package or home.startswith(f"{package}."):
            return name
    return None


def _kept(layer: nn.Module, parameter: inspect.Parameter) -> Any:
    told = _KEPT_OTHERWISE.get((type(layer).__name__, parameter.name))
    if told is not None:
        return told(layer)
    value = getattr(layer, parameter.name, _MISSING)
    if isinstance(parameter.default, bool) and not isinstance(value, bool):
        # A bias is kept as the tensor that it is.
        return _MISSING if value is _MISSING else value is not None
    if isinstance(value, Tensor):
        return value.item() if value.numel() == 1 else _MISSING
    return value


def _same(value: Any, default: Any) -> bool:
    if isinstance(value, nn.Module) or isinstance(default, nn.Module):
        return repr(value) == repr(default)
    return bool(_single(value) == _single(default))


def _single(value: Any) -> Any:
    """One number where a tuple holds it several times, as for square kernels."""
    if isinstance(value, tuple | list) and value and all(each == value[0] for each in value):
        return value[0]
    return value


def _written(value: Any) -> str:
    return f'"{value}"' if isinstance(value, str) else repr(value)
