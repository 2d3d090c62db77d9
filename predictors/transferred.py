"""A predictor that starts from what earlier tasks say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.normal_scores import NormalScores
from ..core.seeding import derive_seed
from ..encoders.feature_sets import Features, feature_sets_of, fitting_sets
from .posterior import Posterior
from .predictor import Predictor
from .source_tasks import SourceTasks, TaskFeatures
from .transfer_gp import TransferGP

__all__ = ["Transferred"]


class Transferred(Predictor):
    """Predicts a metric of a new task from its few labels and from earlier tasks.

    `TransferGP` as a predictor. Before any label it says what `SourceTasks.prior` says, and what it
    predicts are normal scores: what they are in the metric's unit nobody knows yet.

    Args:
        tasks: The earlier tasks, with the description of the new one.
        metric: A metric that some of them has.
        seed: Of everything random.

    Raises:
        UsageError: For a metric that none has.

    Example:
        >>> from vitruvius.predictors.source_task import SourceTask
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x, new = cells.sample(60, 0), cells.sample(8, 1)
        >>> task = SourceTask("earlier", cells, x, {"size": cells.statistics(x)["params"]})
        >>> predictor = Transferred(SourceTasks([task]), "size")
        >>> mean, std = predictor.fit(new, cells.statistics(new)["params"]).predict(x)
        >>> sum(predictor.weights.values())
        1.0
    """

    name: ClassVar[str] = "transfer"

    def __init__(self, tasks: SourceTasks, metric: str, *, seed: int = 0) -> None:
        if not tasks.having(metric):
            raise UsageError(
                f"No earlier task has the metric {metric!r}.", "Name one that they share."
            )
        super().__init__(tasks.tasks[0].space, seed=seed)
        self.tasks, self.metric = tasks, metric
        self._process: TransferGP | None = None
        self.scores = NormalScores(torch.special.ndtri((torch.arange(100).double() + 0.5) / 100))
        self._feature_sets = feature_sets_of(self.space, fitting_sets(self.space))
        self._task_features = TaskFeatures(self._feature_sets, tasks, [metric])

    @property
    def weights(self) -> Mapping[str, float]:
        """Share of the votes for every earlier task (see `TransferGP`); empty before `fit`."""
        return self._process.weights if self._process else {}

    @property
    def dropped(self) -> tuple[str, ...]:
        """Tasks that were found to mislead."""
        return self._process.dropped if self._process else ()

    def _encode(self, x: Int[Tensor, "B V"] | Features) -> Features:
        return x if isinstance(x, Features) else self._task_features(x)

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        seed = derive_seed(self.seed, "transfer", self.metric)
        sources = self._task_features.sources(self.metric)
        self._process = TransferGP(sources, seed=seed).fit(data, z)

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        if not self.weights:
            mean, variance = self.tasks.prior(self.metric, data.x)
            return Posterior.gaussian(mean, variance.sqrt().expand(len(data)), joint=joint)
        return self._fitted_posterior(data, joint)

    def _fitted_posterior(self, data: Features, joint: bool) -> Posterior:
        assert self._process is not None
        return self._process.posterior(data, joint=joint)
