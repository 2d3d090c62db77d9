"""Parts that reports share: values in words, choices, a map of architectures."""

from __future__ import annotations

import platform
import shlex
from importlib.metadata import PackageNotFoundError, version

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from ..bo.store import RunConfig
from ..core.options import with_options
from ..spaces import Space

__all__ = ["anchor", "command", "plane", "shares", "versions", "written"]

PACKAGES = ("vitruvius", "torch", "botorch", "gpytorch")


def anchor(trial: int) -> str:
    """Names a trial on a page.

    Args:
        trial: Its number.
    """
    return f"trial-{trial}"


def written(value: float, unit: str = "") -> str:
    """Writes a value: whole numbers in full, others to five digits.

    Args:
        value: The value.
        unit: Its unit.

    Example:
        >>> written(1234567.0), written(0.123456789, "s")
        ('1,234,567', '0.12346 s')
    """
    whole = value == value and abs(value) < 1e15 and value == int(value)
    text = f"{value:,.0f}" if whole else f"{value:,.5g}"
    return f"{text} {unit}" if unit and unit != "fraction" else text


def command(config: RunConfig, location: str) -> str:
    """Writes the command that makes a run.

    Args:
        config: Its configuration.
        location: Its folder.
    """
    parts = ["vitruvius", "search", config.space]
    for each in config.evaluators:
        parts += ["--evaluator", with_options(each.source or "YOURS", each.options)]
    for name in ("maximize", "minimize", "where", "task", "budget", "method", "seed", "batch"):
        value = getattr(config, name)
        if value not in ("", RunConfig.model_fields[name].default):
            parts += [f"--{name}", str(value)]
    return shlex.join([*parts, "--run", location or "RUN"])


def versions() -> dict[str, str]:
    """Tells the versions of what computed."""
    told = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            told[package] = version(package)
        except PackageNotFoundError:
            continue
    return told


def shares(
    space: Space, some: Int[Tensor, "n V"], others: Int[Tensor, "m V"], most: int
) -> tuple[list[str], list[float], list[float]]:
    """Compares how often choices are made, and tells where they differ most.

    Args:
        space: The space.
        some: Architectures.
        others: What they are compared with.
        most: How many choices are told.

    Returns:
        Names of the choices, and their shares in percent among either.
    """
    width = space.choice_mask.shape[1]
    here, there = (100 * F.one_hot(x, width).double().mean(0) for x in (some, others))
    order = (here - there).abs().flatten().argsort(descending=True, stable=True)[:most].tolist()
    names = []
    for place in order:
        variable = space.variables[place // width]
        names.append(f"{variable.name}: {variable.choices[place % width]}")
    return names, here.flatten()[order].tolist(), there.flatten()[order].tolist()


def plane(space: Space, x: Int[Tensor, "n V"]) -> Float[Tensor, "n 2"]:
    """Maps architectures to the plane by the principal components of their choices.

    Args:
        space: The space.
        x: The architectures.
    """
    hot = F.one_hot(x, space.choice_mask.shape[1]).double().flatten(1)
    hot = hot - hot.mean(0)
    values, vectors = torch.linalg.eigh(hot.T @ hot)
    axes = vectors[:, values.argsort(descending=True)[:2]]
    # The sign is free: the heaviest choice points to the right, and up.
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    return hot @ axes
