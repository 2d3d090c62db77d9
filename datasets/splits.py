"""Parts of a data set to train on, to judge by and to report on."""

from __future__ import annotations

import math

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import derive_seed, make_generator
from .labelled import Labelled, Splits

__all__ = ["Splits", "split"]


def split(raw: Labelled, seed: int = 0, val: float = 0.2, test: float = 0.0) -> Splits:
    """Takes the parts that were given, and draws those that are missing.

    What is missing is drawn from the training part where that was given, else from all examples
    that are in no part and have a label. Classes keep their shares: of ``n`` examples of a class in
    random order, the ``r``-th stands at ``(r - 1/2) / n``, and those that come first go to the part
    that is drawn. The last of every class stays in the training part. The targets of a regression
    are drawn uniformly.

    Args:
        raw: The data set.
        seed: Of what is drawn.
        val: Share that is drawn for validation where that part is missing.
        test: Share that is drawn for the test where that part is missing; by default none is.

    Raises:
        UsageError: For shares out of range.

    Example:
        >>> from vitruvius.datasets import RawImages
        >>> raw = RawImages(torch.zeros(20, 1, 4, 4, dtype=torch.uint8), torch.arange(20) % 2)
        >>> split(raw, test=0.1)
        Splits(train=14, val=4, test=2)
    """
    if not (0 < val < 1 and 0 <= test < 1 and val + test < 1):
        raise UsageError(
            "The shares of val and test are below 1 in all, and that of val is above 0; got "
            f"{val:g} and {test:g}.",
            "Try 0.2 and 0.1.",
        )
    given = {} if raw.splits is None else raw.splits.parts()
    parts = {name: part[raw.known[part]] for name, part in given.items() if len(part)}
    if "train" not in parts:
        free = raw.known.clone()
        for part in parts.values():
            free[part] = False
        parts["train"] = free.nonzero()[:, 0]
    pool = parts["train"]
    order, last = _stratified(raw, pool, derive_seed(seed, "split"))
    drawn = 0
    for name, share in (("val", val), ("test", test)):
        if share and name not in parts:
            count = min(max(1, round(share * len(pool))), len(order) - last - drawn)
            parts[name] = order[drawn : drawn + count].sort().values
            drawn += count
    return Splits(**parts | {"train": order[drawn:].sort().values})


def _stratified(raw: Labelled, pool: Int[Tensor, " _"], seed: int) -> tuple[Int[Tensor, " _"], int]:
    """The examples in an order of which every stretch has the shares of the whole.

    The last of every class come at the end; the second result is how many those are.
    """
    shuffled = pool[torch.randperm(len(pool), generator=make_generator(seed))]
    labels = shuffled.new_zeros(len(pool)) if raw.regression else raw.labels[shuffled]
    _, place, size = labels.unique(return_inverse=True, return_counts=True)
    by_class = place.argsort(stable=True)
    rank = torch.empty_like(by_class)
    rank[by_class] = torch.arange(len(pool)) - (size.cumsum(0) - size)[place[by_class]]
    at = (rank + 0.5) / size[place]
    at[rank == size[place] - 1] = math.inf
    return shuffled[at.argsort(stable=True)], len(size)
