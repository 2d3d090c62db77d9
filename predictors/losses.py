"""Losses of neural predictors: of values, of pairs, and of lists."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from ..core.errors import UnknownNameError

__all__ = ["LOSSES", "Loss", "kendall", "list_likelihood", "loss", "pairwise", "squared"]

Scores = Float[Tensor, "E B"]
Values = Float[Tensor, " B"]
Loss = Callable[[Scores, Values, Scores], Float[Tensor, ""]]

# Steepness of what stands for a sign.
STEEP = 0.5


def squared(scores: Scores, z: Values, weight: Scores) -> Float[Tensor, ""]:
    """Squared errors of values.

    Args:
        scores: Of every member.
        z: The truth, as normal scores.
        weight: Of every example for every member.
    """
    return (weight * (scores - z).square()).mean()


def pairwise(scores: Scores, z: Values, weight: Scores) -> Float[Tensor, ""]:
    """Logistic loss of every pair's order (RankNet, Burges et al., ICML 2005).

    Args:
        scores: As for `squared`.
        z: As for `squared`.
        weight: As for `squared`; of a pair, the product.
    """
    above = (z[:, None] > z[None]).float()
    pairs = weight[:, :, None] * weight[:, None] * above
    apart = scores[:, :, None] - scores[:, None]
    return (pairs * F.softplus(-apart)).sum() / pairs.sum().clamp(min=1e-9)


def kendall(scores: Scores, z: Values, weight: Scores) -> Float[Tensor, ""]:
    """Minus Kendall's tau with hyperbolic tangents for signs (Zheng et al., DiffKendall, 2023).

    Each pair counts once: released code that sums ordered pairs over the number of unordered ones
    has twice this value.

    Args:
        scores: As for `squared`.
        z: As for `squared`.
        weight: As for `pairwise`.

    Example:
        >>> z, once = torch.tensor([0.0, 100.0]), torch.ones(1, 2)
        >>> kendall(z[None], z, once), kendall(-z[None], z, once)
        (tensor(-1.), tensor(1.))
    """
    signs, truth = (
        torch.tanh(STEEP * (each[..., :, None] - each[..., None, :]) / 2) for each in (scores, z)
    )
    pairs = weight[:, :, None] * weight[:, None]
    pairs = pairs * (1 - torch.eye(len(z)))
    return -(pairs * signs * truth).sum() / pairs.sum().clamp(min=1e-9)


def list_likelihood(scores: Scores, z: Values, weight: Scores) -> Float[Tensor, ""]:
    """Minus the log-likelihood of the whole order (ListMLE, Xia et al., ICML 2008), per example.

    Args:
        scores: As for `squared`.
        z: As for `squared`.
        weight: As for `squared`; of the example that comes next.

    Example:
        >>> order = torch.tensor([2.0, 1.0])
        >>> list_likelihood(torch.zeros(1, 2), order, torch.ones(1, 2))
        tensor(0.3466)
    """
    order = z.argsort(descending=True, stable=True)
    sorted_scores = scores[:, order]
    rest = sorted_scores.flip(1).logcumsumexp(1).flip(1)
    return (weight[:, order] * (rest - sorted_scores)).mean()


LOSSES: dict[str, Loss] = {
    "squared": squared,
    "pairwise": pairwise,
    "kendall": kendall,
    "list": list_likelihood,
}


def loss(name: str) -> Loss:
    """Returns a loss by name.

    Args:
        name: One of `LOSSES`.

    Raises:
        UnknownNameError: For another.
    """
    if name not in LOSSES:
        raise UnknownNameError.of("loss", name, LOSSES)
    return LOSSES[name]
