"""Conformal calibration: intervals that hold what they promise, whatever the predictor."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.options import check_options, split_options
from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import Features
from ..spaces import Space
from .posterior import Posterior
from .predictor import Predictor

__all__ = ["Conformal"]

# Share of intervals that deviations are calibrated by, and how many deviations wide those of a
# Gaussian are.
COVERED, WIDE = 0.9, 1.6449
# Labels of which a fold has none too few.
FEWEST = 15


class Conformal(Predictor):
    """Another predictor with deviations that fit its errors (Barber et al., CV+, 2021).

    Every label is predicted by a fit to the other folds. Deviations of the fit to all are then
    multiplied so that intervals of 90 % have as many deviations as nine tenths of these errors,
    counted as conformal prediction counts them. With fewer than 15 labels nothing is changed.

    Written ``conformal:predictor=gnn``.

    Args:
        space: The space.
        seed: Seed of the folds and fits.
        predictor: The other one, as text.
        folds: How many; as many fits are made besides.

    Attributes:
        factor: What deviations were multiplied by.

    Raises:
        UnknownNameError: For a predictor that there is not, or an option that it does not have.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> made = Conformal(cells, predictor="ridge").fit(x, cells.statistics(x)["params"])
        >>> made.factor > 0
        True
    """

    name: ClassVar[str] = "conformal"

    def __init__(
        self, space: Space, *, seed: int = 0, predictor: str = "gp", folds: int = 5
    ) -> None:
        from .resolver import PREDICTORS

        super().__init__(space, seed=seed)
        # A mistake is told before labels are spent.
        name, options = split_options(predictor)
        check_options(name, options, PREDICTORS.get(name))
        self._text, self.folds = predictor, folds
        self.factor = 1.0

    def fit(self, x: Int[Tensor, "n V"] | Features, values: Float[Tensor, " n"]) -> Conformal:
        super().fit(x, values)
        return self

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        self.predictor = self._new().fit_scores(data, z)
        self.factor = 1.0
        if len(z) < FEWEST:
            return
        order = torch.randperm(len(z), generator=make_generator(derive_seed(self.seed, "folds")))
        errors = torch.zeros(len(z), dtype=torch.float64)
        for fold in range(self.folds):
            held = torch.zeros(len(z), dtype=torch.bool)
            held[order[fold :: self.folds]] = True
            made = self._new().fit_scores(data[~held], z[~held])
            mean, std = made.posterior(data[held]).moments(observation_noise=True)
            errors[held] = (mean - z[held].double()).abs() / std
        wanted = min(1.0, math.ceil((len(z) + 1) * COVERED) / len(z))
        self.factor = float(errors.quantile(wanted)) / WIDE

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        told = self.predictor.posterior(data, joint=joint)
        square = self.factor**2
        # Where several samples differ, that is part of the deviation, too.
        mean = told.mean.mean(0) + self.factor * (told.mean - told.mean.mean(0))
        covariance = None if told.covariance is None else square * told.covariance
        return replace(
            told,
            mean=mean,
            variance=square * told.variance,
            noise=square * told.noise,
            covariance=covariance,
        )

    def _new(self) -> Predictor:
        from .resolver import new_predictor

        return new_predictor(self._text, self.space, seed=self.seed, views=self.views)
