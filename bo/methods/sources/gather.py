"""Candidates in spaces too large to score whole: of several sources, and of a climb from those."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from ....core.distinct import first_of_each
from ....core.seeding import derive_seed
from .climb import climb
from .source import Asked, Source

__all__ = ["propose_candidates"]

# What the neighbours are called that were reached from incumbents, and from a source's candidates.
LOCAL, CLIMBED = "local search", "{}, climbed"
# Neighbours that are valued in a climb for every one that starts.
STEPS = 250
# Candidates that are handed on where all were valued.
KEPT = 512


def propose_candidates(
    asked: Asked, sources: Mapping[str, Source], n: int, seed: int, *, climbers: int = 0
) -> tuple[Int[Tensor, "C V"], list[str]]:
    """Gathers architectures that are possible and were never proposed.

    Args:
        asked: What they are wanted for.
        sources: Where they come from.
        n: Most candidates of each source.
        seed: Of all draws.
        climbers: How many of the best candidates, in equal parts of each source and of the
            incumbents, then climb the acquisition value by `climb`; with 0, nothing is valued.

    Returns:
        Choice indices, and the source of each; what two sources found is the first one's. Of
        candidates that were valued, the best 512.
    """
    blocks, labels = [asked.incumbents[:0]], []
    for name, source in sources.items():
        rows = asked.history.fresh(source(asked, n, derive_seed(seed, name)))[:n]
        blocks.append(rows)
        labels += [name] * len(rows)
    x = torch.cat(blocks)
    keep = first_of_each(asked.space.hashes(x))[1].sort().values
    x, labels = x[keep], [labels[i] for i in keep.tolist()]
    if not climbers:
        return x, labels
    # Incumbents are where some climbs start, but no candidates.
    x = torch.cat([x, asked.possible(asked.incumbents)])
    labels += [LOCAL] * (len(x) - len(labels))
    value = asked.value(x).double()
    each = -(-climbers // (len(sources) + 1))
    starts = torch.cat([_best(value, _of(labels, name), each) for name in (*sources, LOCAL)])
    near, worth, owner = climb(asked, x, value, starts, STEPS * len(starts))
    reached = [labels[i] for i in owner.tolist()]
    labels += [name if name == LOCAL else CLIMBED.format(name) for name in reached]
    x, value = torch.cat([x, near]), torch.cat([value, worth])
    fresh = ~asked.history.knows(x)
    best = _best(value, fresh, KEPT)
    return x[best], [labels[i] for i in best.tolist()]


def _of(labels: Sequence[str], name: str) -> Tensor:
    return torch.tensor([label == name for label in labels], dtype=torch.bool)


def _best(value: Tensor, among: Tensor, n: int) -> Int[Tensor, " B"]:
    """Numbers of the best of some."""
    there = among.nonzero()[:, 0]
    return there[value[there].argsort(descending=True, stable=True)[:n]]
