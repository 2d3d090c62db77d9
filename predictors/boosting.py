"""Boosted trees (LightGBM, Ke et al., NeurIPS 2017; for NAS: arXiv 2007.04785)."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed
from ..encoders.feature_sets import Features, feature_sets_of
from ..spaces import Space
from .posterior import Posterior
from .predictor import NOISE, Predictor

__all__ = ["Boosting"]


class Boosting(Predictor):
    """A bagged ensemble of boosted trees on choices, counts of neighbourhoods and statistics.

    Mean over the members; the variance is theirs plus the squared residual out of bag. The choice
    for thousands of labels; it has no gradient and is constant beyond them.

    Args:
        space: The space.
        seed: Seed of the bags and trees.
        members: Boosters in the ensemble.
        features: Names of encoders (see `vitruvius.encoders.encoder_names`).

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> trees = Boosting(cells, members=2).fit(x, cells.statistics(x)["params"])
        >>> trees.log_probability(x[:3], 0.0, 1e9).shape
        torch.Size([3])
    """

    name: ClassVar[str] = "lightgbm"

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        members: int = 8,
        features: tuple[str, ...] = ("one-hot", "neighbours", "counts", "depth"),
    ) -> None:
        super().__init__(space, seed=seed)
        self.members, self._features = members, features

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        import lightgbm

        x = data.x
        features, target = self._matrix(x), z.double().numpy()
        parameters = {
            "objective": "regression",
            "num_leaves": 15,
            "learning_rate": 0.05,
            "min_data_in_leaf": max(2, min(8, len(x) // 20)),
            "feature_fraction": 0.6,
            "lambda_l2": 1.0,
            "num_threads": 1,
            "verbosity": -1,
            "deterministic": True,
        }
        random = np.random.default_rng(derive_seed(self.seed, "bags"))
        total, seen = np.zeros(len(x)), np.zeros(len(x))
        self._boosters = []
        for member in range(self.members):
            bag = random.choice(len(x), len(x), replace=True)
            left = np.setdiff1d(np.arange(len(x)), bag)
            booster = lightgbm.train(
                {**parameters, "seed": derive_seed(self.seed, member) % 2**31},
                lightgbm.Dataset(features[bag], target[bag], free_raw_data=False),
                num_boost_round=150,
            )
            self._boosters.append(booster)
            if len(left):
                total[left] += booster.predict(features[left])
                seen[left] += 1
        out = seen > 0
        residual = total[out] / seen[out] - target[out]
        self._noise = max(NOISE, float(np.mean(residual**2))) if out.any() else 1.0

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        features = self._matrix(data.x)
        votes = np.stack([np.asarray(booster.predict(features)) for booster in self._boosters])
        std = np.sqrt(votes.var(0) + self._noise)
        return Posterior.gaussian(
            torch.from_numpy(votes.mean(0)), torch.from_numpy(std), joint=joint
        )

    def _matrix(self, x: Int[Tensor, "B V"]) -> np.ndarray:
        """What trees split: always these features, for kernels compare by others."""
        array: np.ndarray = torch.cat(
            feature_sets_of(self.space, self._features, self.views)(x).features, 1
        ).numpy()
        return array
