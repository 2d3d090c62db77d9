"""A task without raw data, described by how a few fixed architectures do on it."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from scipy.stats import rankdata
from torch import Tensor

from ...core.errors import UsageError
from ...core.seeding import derive_seed, make_generator
from ...spaces import Space
from ..feature_sets import FEATURE_SETS, feature_sets_of
from .task_description import TaskDescription

__all__ = ["describe_probes", "probe_design"]

# Architectures that probes are chosen from, and rounds of k-means.
CANDIDATES = 512
ROUNDS = 20
FEWEST = 3


def probe_design(space: Space, n: int = 10, seed: int = 0) -> Int[Tensor, "n V"]:
    """Chooses architectures that stand for a space, the same for every task.

    512 draws are grouped by k-means (Lloyd, 1982) on all their `FeatureSets`; the draw nearest the
    mean of each group is a probe. So probes are typical of their kind; spread as far as they go
    (greedy k-centre) they would be the odd ones out, of which twenty and more tell less of a task.

    Args:
        space: The space.
        n: How many.
        seed: Of the draws.

    Returns:
        Distinct architectures.

    Raises:
        UsageError: Where the draws hold fewer distinct architectures.

    Example:
        >>> from vitruvius.spaces import space
        >>> probes = probe_design(space("nas-bench-graph"), 4)
        >>> len(set(space("nas-bench-graph").keys(probes)))
        4
    """
    x = space.canonical(space.sample(CANDIDATES, seed)).unique(dim=0)
    if not 1 <= n <= len(x):
        raise UsageError(
            f"Between 1 and {len(x)} probes can be chosen in {space.name}, got {n}.",
            "Ask for another number.",
        )
    wide = torch.cat(feature_sets_of(space, FEATURE_SETS)(x).features, 1)
    # As far from each other in as many dimensions as there are draws.
    values, vectors = torch.linalg.eigh(wide @ wide.T)
    features = vectors * values.clamp(min=0).sqrt()
    order = torch.randperm(len(x), generator=make_generator(derive_seed(seed, "probes")))
    means = features[order[:n]]
    for _ in range(ROUNDS):
        group = torch.cdist(features, means).argmin(1)
        total = torch.zeros_like(means).index_add(0, group, features)
        count = torch.bincount(group, minlength=n)[:, None]
        means = torch.where(count > 0, total / count.clamp(min=1), means)
    distance = torch.cdist(means, features)
    chosen: list[int] = []
    for row in distance:
        row[chosen] = torch.inf
        chosen.append(int(row.argmin()))
    return x[chosen]


def describe_probes(values: Float[Tensor, " n"]) -> TaskDescription:
    """Describes a task by the normal scores of what the probes reached on it.

    The ``i``-th of ``m`` known values in ascending order has the score ``Φ^-1((i - 1/2) / m)``,
    equal ones their mean rank; scores are then scaled to a mean square of 1. So units do not
    count, and accuracies compare with any other metric that is the better the higher; negate one
    that is the better the lower.

    Args:
        values: Of the architectures of one `probe_design`, in its order; NaN for one that failed,
            which is left out.

    Raises:
        UsageError: For fewer than three known values.

    Example:
        >>> said = describe_probes(torch.tensor([0.9, torch.nan, 0.1, 0.5])).values
        >>> {name: round(value, 2) for name, value in said.items()}
        {'probe 0': 1.22, 'probe 2': -1.22, 'probe 3': 0.0}
    """
    known = values.isfinite().nonzero()[:, 0].tolist()
    if len(known) < FEWEST:
        raise UsageError(
            f"Of {len(values)} probes {len(known)} have a value, at least {FEWEST} are needed.",
            "Evaluate more of them.",
        )
    ranks = torch.from_numpy(rankdata(values[known].double().numpy()))
    scores = torch.special.ndtri((ranks - 0.5) / len(known))
    scores = scores / scores.square().mean().sqrt().clamp(min=1e-6)
    return TaskDescription(
        "probes",
        {f"probe {place}": score for place, score in zip(known, scores.tolist(), strict=True)},
    )
