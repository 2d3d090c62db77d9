"""A multiplicative 64-bit hash of numbers, the same in every run."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["A", "B", "C", "mix", "word_weights"]

# Odd constants; any will do, fixed so that runs agree.
A, B, C = 0x3C6EF372FE94F82B, 0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179


def mix(value: Tensor) -> Tensor:
    """Scrambles 64-bit numbers; 0 stays 0.

    Args:
        value: Numbers of any shape.
    """
    value = (value ^ (value >> 29)) * A
    return (value ^ (value >> 32)) * C


def word_weights(words: int) -> Int[Tensor, " W"]:
    """Returns a random 64-bit number per word, whose sums tell multisets of words apart.

    Args:
        words: Size of the vocabulary.
    """
    generator = torch.Generator().manual_seed(0)
    return torch.randint(torch.iinfo(torch.int64).max, (words,), generator=generator)
