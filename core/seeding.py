"""Randomness is an argument: seeds, generators and streams derived from them."""

from __future__ import annotations

import zlib

import torch

Seed = torch.Generator | int | None


def make_generator(seed: Seed, device: torch.device | str = "cpu") -> torch.Generator:
    """Returns a generator: the one given, one seeded with the integer, or a fresh one for None."""
    if isinstance(seed, torch.Generator):
        return seed
    generator = torch.Generator(device=device)
    if seed is None:
        generator.seed()
    else:
        generator.manual_seed(seed)
    return generator


def generators_for(seed: Seed, device: torch.device) -> tuple[torch.Generator, torch.Generator]:
    """Returns where to draw from on the CPU and on a device, which is one generator on the CPU.

    Args:
        seed: A generator of either, which both draw from, an integer seed, or None for fresh ones.
        device: The device.

    Example:
        >>> host, there = generators_for(0, torch.device("cpu"))
        >>> host is there
        True
    """
    if isinstance(seed, torch.Generator) and seed.device != torch.device("cpu"):
        drawn = torch.randint(1 << 62, (), generator=seed, device=seed.device)
        return make_generator(int(drawn)), seed
    host = make_generator(seed)
    if device == host.device:
        return host, host
    if isinstance(seed, torch.Generator):
        return host, make_generator(int(torch.randint(1 << 62, (), generator=host)), device)
    return host, make_generator(host.initial_seed(), device)


def derive_seed(seed: int, *path: str | int) -> int:
    """Derives an independent stream's seed from ``seed`` and a path such as ``("labels", 3)``.

    Example:
        >>> derive_seed(0, "labels") != derive_seed(0, "proposals")
        True
    """
    return zlib.crc32(repr((seed, *path)).encode()) + (seed << 32) % (1 << 62)
