"""A predictor that starts from what earlier tasks say."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.seeding import derive_seed
from ..encoders.feature_sets import Features, fitting_sets, views_of
from .predictor import NormalScores, Predictor
from .source_tasks import SourceTasks, TaskFeatures
from .transfer_gp import TransferGP

__all__ = ["Transferred"]

CHUNK = 4096


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
        self._encode = views_of(self.space, fitting_sets(self.space))
        self._views = TaskFeatures(self._encode, tasks, [metric])

    @property
    def weights(self) -> dict[str, float]:
        """Share of the votes for every earlier task (see `TransferGP`); empty before `fit`."""
        return self._process.weights if self._process else {}

    @property
    def dropped(self) -> tuple[str, ...]:
        """Tasks that were found to mislead."""
        return self._process.dropped if self._process else ()

    def _fit(self, x: Int[Tensor, "n V"], z: Float[Tensor, " n"]) -> None:
        def told(data: Features) -> Float[Tensor, "B K"]:
            return data.told[self.metric]

        names = self.tasks.names(self.metric)
        seed = derive_seed(self.seed, "transfer", self.metric)
        self._process = TransferGP(names, told, seed=seed).fit(self._views(x), z)

    def predict_scores(
        self, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        if not self.weights:
            mean, variance = self.tasks.prior(self.metric, x)
            return mean, variance.sqrt().expand(len(x))
        parts = [self._predict(chunk) for chunk in x.split(CHUNK)]
        means, variances = zip(*parts, strict=True)
        return torch.cat(means), torch.cat(variances).sqrt()

    def _predict(self, x: Int[Tensor, "B V"]) -> tuple[Float[Tensor, " B"], Float[Tensor, " B"]]:
        """Mean and variance of what an evaluation shows, once it is fitted."""
        assert self._process is not None
        mean, variance = self._process.marginals(self._views(x))
        average = mean.mean(0)
        variance = variance + self._process.noise()[:, None] + (mean - average).square()
        return average, variance.mean(0)
