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


def derive_seed(seed: int, *path: str | int) -> int:
    """Derives an independent stream's seed from ``seed`` and a path such as ``("labels", 3)``.

    Example:
        >>> derive_seed(0, "labels") != derive_seed(0, "proposals")
        True
    """
    return zlib.crc32(repr((seed, *path)).encode()) + (seed << 32) % (1 << 62)
