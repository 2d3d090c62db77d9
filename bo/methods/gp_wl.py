"""NAS-BOWL (Ru et al., ICLR 2021, arXiv 2006.07556)."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.gaussian_process import FLAT, Conditioned, condition, factorise
from ...core.normal_scores import NormalScores
from ...encoders import WeisfeilerLehman
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import candidates, fresh_uniform

__all__ = ["WeisfeilerLehmanSearch"]

LEAST = 3
# Noise variances, relative to the kernel's scale, among which the likelihood chooses.
NOISES = (1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1.0, 3.0)


class WeisfeilerLehmanSearch:
    """Expected improvement of a Gaussian process with the Weisfeiler-Lehman kernel.

    The kernel is the cosine of the label counts of up to ``rounds`` refinements. How many
    refinements, and how much noise, is chosen by marginal likelihood on a grid, the scale in
    closed form; targets are normal scores. The whole space is scored where it can be listed, else
    mutations of the best and uniform draws. With several objectives or constraints it learns the
    rank (see `merit`).

    Args:
        rounds: Most rounds of refinement.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> WeisfeilerLehmanSearch().propose(History(problem, trials), seed=0).source
        'exhaustive'
    """

    name: ClassVar[str] = "gp-wl"

    def __init__(self, *, rounds: int = 3) -> None:
        self.rounds = rounds

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < LEAST:
            return fresh_uniform(history, seed)
        x, sources = candidates(history, seed)
        if not len(x):
            return fresh_uniform(history, seed)
        value = merit(history)
        z = NormalScores(value)(value)
        labels = WeisfeilerLehman(history.problem.space, self.rounds)
        mean, std = fit_predict(labels.refine(history.x), z, labels.refine(x))
        best = int(expected_improvement(mean, std, z.max()).argmax())
        return Proposal(tuple(x[best].tolist()), sources[best])


def kernels(a: list[Int[Tensor, "A M"]], b: list[Int[Tensor, "B M"]]) -> list[Float[Tensor, "A B"]]:
    """Cosines of the label counts of 0, 1, … rounds.

    Args:
        a: Labels after 0, 1, … rounds (see `WeisfeilerLehman.refine`).
        b: As ``a``.
    """
    products, norms_a, norms_b = [], [], []
    for level_a, level_b in zip(a, b, strict=True):
        labels = level_b.unique()
        products.append(_counts(level_a, labels) @ _counts(level_b, labels).T)
        norms_a.append(_square(level_a))
        norms_b.append(_square(level_b))
    sums = (torch.stack(part).cumsum(0) for part in (products, norms_a, norms_b))
    return [
        product / (left[:, None] * right).sqrt() for product, left, right in zip(*sums, strict=True)
    ]


def _counts(level: Int[Tensor, "B M"], labels: Int[Tensor, " K"]) -> Float[Tensor, "B K"]:
    place = torch.searchsorted(labels, level).clamp(max=len(labels) - 1)
    hit = (labels[place] == level).float()
    return torch.zeros(len(level), len(labels)).scatter_add_(1, place, hit)


def _square(level: Int[Tensor, "B M"]) -> Float[Tensor, " B"]:
    """Squared length of the counts: the number of pairs of nodes with the same label."""
    return (level[:, :, None] == level[:, None]).sum((1, 2)).float()


def fit_predict(
    known: list[Int[Tensor, "n M"]], z: Float[Tensor, " n"], new: list[Int[Tensor, "P M"]]
) -> tuple[Float[Tensor, " P"], Float[Tensor, " P"]]:
    """Returns mean and standard deviation of the process without its noise.

    Mean ``m`` and scale ``s`` of the process maximise the likelihood in closed form for every
    kernel ``K + noise I``: ``m`` by generalised least squares, ``s`` as the mean of the squared
    whitened residuals.

    Args:
        known: Labels of what was measured, after 0, 1, … rounds.
        z: Its normal scores.
        new: Labels of what to predict.
    """
    grams = [gram.double() for gram in kernels(known, known)]
    grid = [(rounds, noise) for rounds in range(len(grams)) for noise in NOISES]
    likelihood = [
        float(_fit(grams[rounds], z, noise)[0].scaled_log_likelihood) for rounds, noise in grid
    ]
    rounds, noise = grid[max(range(len(grid)), key=likelihood.__getitem__)]
    fitted, factor = _fit(grams[rounds], z, noise)
    upto = slice(rounds + 1)
    cross = kernels(new[upto], known[upto])[-1].double()
    whitened = torch.linalg.solve_triangular(factor, cross.T, upper=False)
    variance = fitted.amplitude * (1.0 - whitened.square().sum(0)).clamp(min=1e-9)
    return fitted.weight[0, 0] + cross @ fitted.alpha[0], variance.sqrt()


def _fit(
    gram: Float[Tensor, "n n"], z: Float[Tensor, " n"], noise: float
) -> tuple[Conditioned, Float[Tensor, "n n"]]:
    factor = factorise(gram[None].clone(), torch.tensor([noise], dtype=torch.float64))
    return condition(factor, z, torch.ones(len(z), 1, dtype=torch.float64), [FLAT]), factor[0]


def expected_improvement(
    mean: Float[Tensor, " P"], std: Float[Tensor, " P"], best: Float[Tensor, ""]
) -> Float[Tensor, " P"]:
    """Returns the expected improvement over ``best``.

    Args:
        mean: Means.
        std: Standard deviations.
        best: The highest value so far.

    Example:
        >>> one = torch.ones(1, dtype=torch.float64)
        >>> round(float(expected_improvement(one, one, 2 * one[0])), 5)
        0.08332
    """
    u = (mean - best) / std
    density = (-0.5 * u.square()).exp() / math.sqrt(2 * math.pi)
    return std * (density + u * torch.special.ndtr(u))
