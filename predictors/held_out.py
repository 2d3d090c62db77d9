"""Held-out predictions: what a predictor says of labels that it was not shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import derive_seed, make_generator
from ..encoders.view import View
from ..spaces import Space
from .resolver import new_predictor

__all__ = ["HeldOut", "held_out"]

# Deviations on either side of an interval that holds nine tenths of a Gaussian.
WIDE = 1.6449


@dataclass(frozen=True)
class HeldOut:
    """Predictions of labels, each by a fit to others.

    Args:
        truth: The labels.
        mean: What was predicted, in their unit.
        low: Lower end of the interval of 90 %.
        high: Upper end.
    """

    truth: Float[Tensor, " n"]
    mean: Float[Tensor, " n"]
    low: Float[Tensor, " n"]
    high: Float[Tensor, " n"]

    @property
    def tau(self) -> float:
        """Kendall's tau (b) of labels and predictions; 0 where one does not vary."""
        from scipy.stats import kendalltau

        tau = float(kendalltau(self.mean.numpy(), self.truth.numpy()).statistic)
        return 0.0 if tau != tau else tau

    @property
    def coverage(self) -> float:
        """Share of labels within their interval; 0.9 is calibrated."""
        inside = (self.low <= self.truth) & (self.truth <= self.high)
        return float(inside.double().mean())


def held_out(
    space: Space,
    x: Int[Tensor, "n V"],
    values: Float[Tensor, " n"],
    *,
    predictor: str = "gp",
    folds: int = 5,
    views: Sequence[View] = (),
    seed: int = 0,
) -> HeldOut:
    """Predicts each label by a fit to the other folds.

    Args:
        space: The space.
        x: Labelled architectures.
        values: Their labels.
        predictor: As for `new_predictor`.
        folds: How many.
        views: As for `new_predictor`.
        seed: Seed of folds and fits.

    Raises:
        UsageError: For fewer than four labels a fold.
        UnknownNameError: For a predictor that there is not.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(20, 0)
        >>> told = held_out(cells, x, cells.statistics(x)["params"], predictor="ridge")
        >>> told.mean.shape, told.tau > 0.5
        (torch.Size([20]), True)
    """
    if len(x) < 4 * folds:
        raise UsageError(f"{folds} folds need {4 * folds} labels, got {len(x)}.", "Evaluate more.")
    order = torch.randperm(len(x), generator=make_generator(derive_seed(seed, "folds")))
    told = torch.zeros(3, len(x), dtype=torch.float64)
    for fold in range(folds):
        held = torch.zeros(len(x), dtype=torch.bool)
        held[order[fold::folds]] = True
        made = new_predictor(predictor, space, seed=seed, views=views)
        made.fit(x[~held], values[~held])
        mean, std = made.predict_scores(x[held])
        for row, score in enumerate((mean, mean - WIDE * std, mean + WIDE * std)):
            told[row, held] = made.scores.inverse(score).double()
    return HeldOut(values.double(), *told)
