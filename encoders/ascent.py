"""Optimisation in the embedding: gradient steps that grow until the decoding changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..spaces import Space
from .autoencoder import Autoencoder, decode

__all__ = ["Ascended", "Worth", "ascend"]

Worth = Callable[[Float[Tensor, "B D"]], Float[Tensor, " B"]]

# First length of a step and how it grows; the numbers of an embedding have variance 1.
FIRST, GROWTH, MOST = 0.02, 1.25, 24


@dataclass(frozen=True)
class Ascended:
    """Where seeds ended up.

    Args:
        x: Canonical choice indices; the seed itself where nothing better was decoded.
        moved: Which decode to another architecture of a higher worth.
        invalid: How many decodings on the way broke a constraint.
    """

    x: Int[Tensor, "B V"]
    moved: Bool[Tensor, " B"]
    invalid: int


def ascend(
    network: Autoencoder,
    space: Space,
    x: Int[Tensor, "B V"],
    worth: Worth,
    *,
    excluded: Int[Tensor, " K"] | None = None,
    start: Float[Tensor, "B D"] | None = None,
) -> Ascended:
    """Moves seeds along the gradient of their worth until they decode to something better.

    ``e' = e + eta * grad f(e)`` (NAO, eq. 2) with the gradient scaled to unit mean square and taken
    anew after every step; ``eta`` grows until the decoding is another architecture (section 3.3).
    It must not be an excluded one, and must be worth more than the seed once it is read again by
    the encoder: what the decoder rounds off is not believed. Steps go on otherwise.

    Args:
        network: Encoder and decoder.
        space: The space.
        x: Seeds, canonical, on the CPU.
        worth: What to climb, differentiable in the embedding, which is where the network is.
        excluded: Hashes of architectures not to end at, such as known ones.
        start: Where to start from; by default at the embeddings of the seeds.

    Example:
        >>> from vitruvius.encoders.autoencoding import new_autoencoder
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> network = new_autoencoder(cells, width=8)
        >>> ascend(network, cells, cells.sample(3, 0), lambda e: e[:, 0]).x.shape
        torch.Size([3, 6])
    """
    with torch.no_grad():
        embedding = network.encode(x)
        least = worth(embedding).cpu()
        if start is not None:
            embedding = start.clone()
    # Rows stay on the CPU, where spaces read them; only embeddings are where the network is.
    seeds = space.hashes(x)
    found, moved = x.clone(), torch.zeros(len(x), dtype=torch.bool)
    invalid, length = 0, FIRST
    for _ in range(MOST):
        left = (~moved).nonzero()[:, 0]
        if not len(left):
            break
        with torch.enable_grad():
            there = left.to(embedding.device)
            point = embedding[there].detach().requires_grad_()
            (slope,) = torch.autograd.grad(worth(point).sum(), point)
        slope = slope / slope.square().mean(1, keepdim=True).sqrt().clamp(min=1e-12)
        embedding[there] = point.detach() + length * slope
        length *= GROWTH
        with torch.no_grad():
            decoded = decode(space, network.logits(embedding[there]).cpu())
            valid = space.is_valid(decoded)
            invalid += int((~valid).sum())
            left, decoded = left[valid], space.canonical(decoded[valid])
            hashes = space.hashes(decoded)
            other = hashes != seeds[left]
            if excluded is not None:
                other &= ~torch.isin(hashes, excluded)
            left, decoded = left[other], decoded[other]
            if not len(left):
                continue
            better = worth(network.encode(decoded)).cpu() > least[left]
        found[left[better]] = decoded[better]
        moved[left[better]] = True
    return Ascended(found, moved, invalid)
