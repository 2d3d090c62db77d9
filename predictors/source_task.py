"""Source task: what an earlier task says of any architecture."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from copy import copy

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..core.errors import UsageError
from ..core.normal_scores import NormalScores
from ..core.seeding import derive_seed, make_generator
from ..encoders.feature_sets import fitting_sets
from ..encoders.tasks.task_description import TaskDescription
from ..spaces import Space
from .gaussian_process import GaussianProcess

__all__ = ["SourceTask"]

# Labels that a Gaussian process learns an earlier task from.
LEARNT = 400
# How far a single label is believed against what the others imply: it was lucky or not, which the
# next task will not repeat.
TRUST = 0.5
FEWEST = 3


class SourceTask:
    """An earlier task on the same space: its labels, and what they imply for the rest.

    Values are normal scores by rank within the task, so that tasks of any unit can be compared.
    A Gaussian process learns from up to 400 labels and predicts the rest; where there are more
    labels, a score lies halfway between what was predicted and what was evaluated.

    Args:
        name: What reports call it.
        space: The space.
        x: Its labelled architectures, ``[n, V]``.
        values: Their values by metric, ``[n]`` each, in any unit.
        description: What is known of the task besides its labels.
        lower: Metrics of which less is better.
        seed: Of the choice of labels that the process learns from.

    Attributes:
        metrics: Names of its metrics.
        x: Its distinct architectures.

    Raises:
        UsageError: For fewer than three labels, or values that are not finite.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(40, 0)
        >>> task = SourceTask("earlier", cells, x, {"accuracy": x.sum(1).double()})
        >>> task.scores("accuracy", cells.sample(3, 1)).shape
        torch.Size([3])
    """

    def __init__(
        self,
        name: str,
        space: Space,
        x: Int[Tensor, "n V"],
        values: Mapping[str, Float[Tensor, " n"]],
        *,
        description: TaskDescription | None = None,
        lower: Collection[str] = (),
        seed: int = 0,
    ) -> None:
        for metric, column in values.items():
            if len(x) < FEWEST or len(column) != len(x) or not bool(column.isfinite().all()):
                raise UsageError(
                    f"The task {name!r} needs at least {FEWEST} finite values of {metric}, got "
                    f"{len(column)} for {len(x)} architectures.",
                    "Leave the task out, or the rows without a value.",
                )
        self.name, self.space, self.seed = name, space, seed
        self.description = description
        self.metrics, self.lower = tuple(values), frozenset(lower)
        self._hashes, first = first_of_each(space.hashes(x))
        self.x = x[first]
        self._labels = {}
        for metric, column in values.items():
            distinct = column.double()[first]
            self._labels[metric] = NormalScores(distinct)(distinct)
        # What was asked for so far.
        nothing = torch.zeros(0, dtype=torch.long), torch.zeros(0, dtype=torch.float64)
        self._told = dict.fromkeys(values, nothing)
        self._processes: dict[str, GaussianProcess] = {}

    def labels(self, metric: str) -> Float[Tensor, " n"]:
        """Returns the normal scores of its own labels, in the order of ``x``.

        Args:
            metric: One of its metrics.
        """
        return self._labels[metric]

    def described(self, description: TaskDescription) -> SourceTask:
        """Returns the same task with another description.

        Args:
            description: What is known of the task besides its labels.
        """
        other = copy(self)
        other.description = description
        return other

    def scores(self, metric: str, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """Returns the normal scores of architectures within this task.

        Args:
            metric: One of its metrics.
            x: Valid choice indices.
        """
        wanted = self.space.hashes(x)
        hashes, scores = self._told[metric]
        new = ~torch.isin(wanted, hashes)
        if bool(new.any()):
            found, first = first_of_each(wanted[new])
            told = self._process(metric).predict_scores(x[new][first])[0].double()
            at = torch.searchsorted(self._hashes, found).clamp(max=len(self._hashes) - 1)
            labelled = self._hashes[at] == found
            told[labelled] += TRUST * (self._labels[metric][at] - told)[labelled]
            hashes, order = torch.cat([hashes, found]).sort()
            scores = torch.cat([scores, told])[order]
            self._told[metric] = hashes, scores
        return scores[torch.searchsorted(hashes, wanted)]

    def _process(self, metric: str) -> GaussianProcess:
        if metric not in self._processes:
            own = self._labels[metric]
            generator = make_generator(derive_seed(self.seed, "source", self.name))
            few = torch.randperm(len(own), generator=generator)[:LEARNT]
            features = fitting_sets(self.space)
            process = GaussianProcess(self.space, seed=self.seed, features=features)
            process.fit(self.x[few], own[few])
            self._processes[metric] = process
        return self._processes[metric]
