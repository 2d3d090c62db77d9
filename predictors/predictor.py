"""Predictor: what every learned property predictor offers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.normal_scores import NormalScores
from ..core.torch_state import own_torch_state
from ..encoders.feature_sets import Features, feature_sets_of
from ..encoders.view import View
from ..spaces import Space
from .posterior import Posterior, log_interval
from .transfer_gp import Sources

__all__ = ["NOISE", "Predictor"]

# Least variance of a normal score: no label is trusted further than 3 % of a standard deviation.
NOISE = 1e-3
# Farthest bound of a target as a normal score: torch differentiates `log_ndtr` to nonsense from
# -1e9 on, and a deviation of 3 % brings another factor of thirty.
FARTHEST = 1e4
# Architectures whose posterior is computed in one go.
CHUNK = 4096


class Predictor(ABC):
    """Predicts one property from an architecture: `fit`, then `posterior`.

    Labels are turned to normal scores by rank; a subclass models those as a Gaussian, or as a
    mixture of some. Untouched by the units of the property. Architectures are given as choice
    indices, or as `Features` where a search has encoded them already; what one encodes otherwise
    has to be given the same way to `fit` and to `posterior`.

    Args:
        space: The space.
        seed: Seed of every random draw.

    Attributes:
        name: What it is chosen by.
        learns_fidelities: Whether it learns lower fidelities beside the full one, and how they
            depend on each other; others leave them out.
        learns_tasks: Whether it learns from earlier tasks by itself (see `start_from`).
        needs_views: Whether views are all that it looks at.
        averages: Whether it averages over hyper-parameters, and takes ``num_samples`` of them.
        weights: Share of the votes for every earlier task; empty without.
        dropped: Earlier tasks that were found to mislead.
        views: What evaluators tell of architectures, for those that compare features.
    """

    name: ClassVar[str]
    learns_fidelities: ClassVar[bool] = False
    learns_tasks: ClassVar[bool] = False
    averages: ClassVar[bool] = False
    needs_views: ClassVar[bool] = False
    # Encoders of what `_fit` and `_posterior` are given.
    _inputs: tuple[str, ...] = ()

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        self.space, self.seed = space, seed
        self.views: tuple[View, ...] = ()

    @property
    def weights(self) -> Mapping[str, float]:
        return {}

    @property
    def dropped(self) -> tuple[str, ...]:
        return ()

    @own_torch_state()
    def fit(self, x: Int[Tensor, "n V"] | Features, values: Float[Tensor, " n"]) -> Predictor:
        """Fits to labelled architectures.

        Args:
            x: Choice indices, or what encodes them.
            values: The property of each, in any unit.

        Raises:
            UsageError: For fewer than three labels or labels that are not finite.
        """
        if len(x) != len(values) or len(x) < 3 or not bool(values.isfinite().all()):
            raise UsageError(
                f"A predictor needs at least 3 finite labels, got {len(values)} for {len(x)} "
                "architectures.",
                "Allow more labels.",
            )
        self.scores = NormalScores(values)
        return self.fit_scores(x, self.scores(values).float())

    @own_torch_state()
    def fit_scores(
        self,
        x: Int[Tensor, "n V"] | Features,
        z: Float[Tensor, " n"],
        fidelity: Int[Tensor, " n"] | None = None,
    ) -> Predictor:
        """Fits to normal scores, as a search has them: of several fidelities, and even of two.

        Args:
            x: Choice indices, or what encodes them.
            z: Values, about standard normal within each fidelity.
            fidelity: Number of the fidelity of each; 0, the default, is the full one.
        """
        data = self._encode(x)
        if fidelity is None:
            fidelity = torch.zeros(len(z), dtype=torch.long)
        elif not self.learns_fidelities:
            full = fidelity == 0
            data, z, fidelity = data[full], z[full], fidelity[full]
        self._fit(data, z, fidelity)
        return self

    @own_torch_state()
    def posterior(self, x: Int[Tensor, "B V"] | Features, *, joint: bool = False) -> Posterior:
        """Returns the posterior of the normal scores, at the full fidelity.

        Args:
            x: Choice indices, or what encodes them.
            joint: Whether it shall have the covariance of the architectures with each other; the
                memory then grows with the square of their number.
        """
        return self._posterior(self._encode(x), joint)

    def thinned(self) -> Predictor:
        """Returns the predictor under fewer hyper-parameter samples, for a first look."""
        return self

    def fidelity_correlation(self, x: Int[Tensor, "B V"] | Features) -> Float[Tensor, " B"]:
        """Returns the posterior correlation of the values at the full and the lower fidelity.

        Args:
            x: Choice indices, or what encodes them.

        Raises:
            UsageError: Where it does not learn fidelities.
        """
        raise UsageError(
            f"The predictor {self.name!r} does not know how fidelities depend on each other.",
            "Use one that learns fidelities, such as gp.",
        )

    def start_from(self, sources: Sources) -> None:
        """Makes the next fit start from earlier tasks.

        Args:
            sources: The earlier tasks.

        Raises:
            UsageError: Where it does not learn from them by itself (see `ResidualTransfer`).
        """
        raise UsageError(
            f"The predictor {self.name!r} does not learn from earlier tasks by itself.",
            "Wrap it in a ResidualTransfer.",
        )

    def predict(
        self, x: Int[Tensor, "B V"] | Features
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns the predicted mean (the median, mapped back) and standard deviation.

        Both are in the unit of the labels.

        Args:
            x: Choice indices, or what encodes them.
        """
        mean, std = self.predict_scores(x)
        low, high = self.scores.inverse(mean - std), self.scores.inverse(mean + std)
        return self.scores.inverse(mean), (high - low) / 2

    def predict_scores(
        self, x: Int[Tensor, "B V"] | Features
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Returns mean and standard deviation of the normal score that an evaluation will show.

        Args:
            x: Choice indices, or what encodes them.
        """
        parts = [
            self.posterior(x[start : start + CHUNK]).moments(observation_noise=True)
            for start in range(0, max(len(x), 1), CHUNK)
        ]
        return torch.cat([mean for mean, _ in parts]), torch.cat([std for _, std in parts])

    def log_probability(
        self, x: Int[Tensor, "B V"] | Features, low: float, high: float
    ) -> Float[Tensor, " B"]:
        """Returns the log-probability that the property lies in ``[low, high]``.

        Args:
            x: Choice indices, or what encodes them.
            low: Lower bound in the unit of the labels, or -inf.
            high: Upper bound, or inf.
        """
        mean, std = self.predict_scores(x)
        return log_interval(mean, std, self._bounds(low, high))

    def _bounds(self, low: float, high: float) -> Float[Tensor, " 2"]:
        bounds = torch.tensor([low, high], dtype=torch.float64).clamp(-1e300, 1e300)
        return self.scores(bounds).clamp(-FARTHEST, FARTHEST)

    def _encode(self, x: Int[Tensor, "B V"] | Features) -> Features:
        data = x if isinstance(x, Features) else Features(x, ())
        if data.features or not self._inputs:
            return data
        return feature_sets_of(self.space, self._inputs, self.views)(data.x)

    @abstractmethod
    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None: ...

    @abstractmethod
    def _posterior(self, data: Features, joint: bool) -> Posterior: ...
