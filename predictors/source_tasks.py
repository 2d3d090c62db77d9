"""Earlier tasks together: what they say of architectures, and of a task nobody has labelled yet."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import product

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..encoders.feature_sets import Features, FeatureSets
from ..encoders.tasks.task_description import TaskDescription, describe_task, distances
from ..encoders.view import View
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import evaluator
from ..spaces import Space
from .source_task import SourceTask
from .transfer_gp import Sources

__all__ = ["AVERAGE", "SourceTasks", "TaskFeatures", "named_tasks", "task_of"]

# What the weights call the mean of all sources by how alike the tasks are.
AVERAGE = "average"
# Squared length scale of the distance between tasks, share of what all tasks have in common, and
# variance of what a task has for itself; the first is taken where there are too few to tell.
HYPERPARAMETERS = ((1.0, 0.3, 0.3), *product((0.25, 1.0, 4.0), (0.0, 0.3, 0.6), (0.1, 0.3, 1.0)))
FEWEST = 3
# Architectures that tell how alike the rankings of two tasks are.
REFERENCE = 1024
# Of a product, where a table tells of all.
DRAWN = 4096
UNKNOWN = TaskDescription("probes", {})


class SourceTasks:
    """Earlier tasks on one space, and the predictor that is learnt from all of them.

    The predictor is a Gaussian process over tasks: two tasks covary as far as their descriptions
    are near, ``k(t, t') = c + (1 - c) exp(-d(t, t') / 2l)``, so that its mean for a new task is the
    average of the earlier ones weighted by likeness, and its variance grows with the distance to
    them. ``c``, ``l`` and the variance of what every task has for itself are those under which
    each earlier task is predicted best by the others: it is trained over tasks, not on the new one.

    Args:
        tasks: The earlier tasks.
        description: Of the new one; without, all earlier tasks are equally far from it.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(40, 0)
        >>> def task(name, size):
        ...     said = TaskDescription("graph", {"log nodes": size})
        ...     return SourceTask(name, cells, x, {"acc": x.sum(1).double()}, description=said)
        >>> earlier = [task("a", 7.0), task("b", 8.0), task("c", 11.0)]
        >>> near = SourceTasks(earlier, TaskDescription("graph", {"log nodes": 7.5}))
        >>> far = SourceTasks(earlier, TaskDescription("graph", {"log nodes": 20.0}))
        >>> near.prior("acc", x)[1] < far.prior("acc", x)[1]
        tensor(True)
    """

    def __init__(
        self, tasks: Sequence[SourceTask], description: TaskDescription | None = None
    ) -> None:
        self.tasks, self.description = tuple(tasks), description
        self._weights: dict[str, tuple[Tensor, Tensor]] = {}

    def __len__(self) -> int:
        return len(self.tasks)

    def __iter__(self) -> Iterator[SourceTask]:
        return iter(self.tasks)

    def having(self, metric: str) -> tuple[SourceTask, ...]:
        """Returns the tasks that have labels of a metric.

        Args:
            metric: Its name.
        """
        return tuple(task for task in self.tasks if metric in task.metrics)

    def metric(self) -> str:
        """Returns the first metric that all tasks have, if possible one of which more is better.

        Raises:
            UsageError: Where they share none.
        """
        shared = [name for name in self.tasks[0].metrics if len(self.having(name)) == len(self)]
        if not shared:
            raise UsageError("The earlier tasks share no metric.", "Name one that some have.")
        return next((name for name in shared if not self.lower_is_better(name)), shared[0])

    def lower_is_better(self, metric: str) -> bool:
        """Whether some task says so of a metric.

        Args:
            metric: Its name.
        """
        return any(metric in task.lower for task in self.tasks)

    def names(self, metric: str) -> tuple[str, ...]:
        """Returns the names of the columns of `told`: the tasks, and of several their average.

        Args:
            metric: A metric.
        """
        names = tuple(task.name for task in self.having(metric))
        return (*names, AVERAGE) if len(names) > 1 else names

    def told(self, metric: str, x: Int[Tensor, "B V"]) -> Float[Tensor, "B K"]:
        """Returns the normal scores of architectures within every task, and their average.

        Args:
            metric: A metric that some task has.
            x: Valid choice indices.
        """
        told = torch.stack([task.scores(metric, x) for task in self.having(metric)], 1)
        if told.shape[1] == 1:
            return told
        return torch.cat([told, self._average(metric, told)[:, None]], 1)

    def prior(
        self, metric: str, x: Int[Tensor, "B V"]
    ) -> tuple[Float[Tensor, " B"], Float[Tensor, ""]]:
        """Predicts normal scores on the new task before it has any label.

        Args:
            metric: A metric that some task has.
            x: Valid choice indices.

        Returns:
            Means, and the variance, which is the same for all of them.
        """
        told = torch.stack([task.scores(metric, x) for task in self.having(metric)], 1)
        return self._average(metric, told), self._likeness(metric)[1]

    def _average(self, metric: str, told: Float[Tensor, "B K"]) -> Float[Tensor, " B"]:
        return told @ self._likeness(metric)[0]

    def _likeness(self, metric: str) -> tuple[Float[Tensor, " K"], Float[Tensor, ""]]:
        """Weights of the tasks in what is expected of the new one, and its variance."""
        if metric not in self._weights:
            tasks = self.having(metric)
            descriptions = [UNKNOWN] * (len(tasks) + 1)
            if self.description is not None:
                descriptions = [*(t.description or UNKNOWN for t in tasks), self.description]
            apart = distances(descriptions)
            hyper = HYPERPARAMETERS[0]
            if len(tasks) >= FEWEST:
                x = tasks[0].space.sample(REFERENCE, 0)
                told = torch.stack([task.scores(metric, x) for task in tasks])
                covariance = told @ told.T / told.shape[1]
                hyper = max(
                    HYPERPARAMETERS,
                    key=lambda each: _left_out(covariance, _kernel(apart, *each)[:-1, :-1]),
                )
            kernel = _kernel(apart, *hyper)
            weight = torch.linalg.solve(kernel[:-1, :-1], kernel[:-1, -1])
            self._weights[metric] = weight, kernel[-1, -1] - kernel[-1, :-1] @ weight
        return self._weights[metric]


def task_of(
    name: str, table: Evaluator, *, description: TaskDescription | None = None
) -> SourceTask:
    """Makes an earlier task of a whole table.

    Of a table of one part of a product it takes 4,096 uniform rows of the product.

    Args:
        name: What reports call it.
        table: Its measurements; metrics with gaps are left out.
        description: Of the task; by default what is declared of it.

    Example:
        >>> from vitruvius.evaluators import NASBenchGraphTable
        >>> task_of("cora", NASBenchGraphTable("cora")).metrics
        ('valid_perf', 'test_perf', 'latency')
    """
    rows = table.rows
    if rows is None:
        drawn = table.space.sample(DRAWN, 0)
        rows = drawn[table.has(drawn)]
    values = {
        metric: column
        for metric, column in table.values(rows).items()
        if not table.metrics[metric].exact and bool(column.isfinite().all())
    }
    if description is None and table.task != table.space.task:
        description = describe_task(table.task)
    lower = [metric for metric in values if table.metrics[metric].better == "lower"]
    return SourceTask(name, table.space, rows, values, description=description, lower=lower)


def named_tasks(space: Space, names: Sequence[str]) -> SourceTasks:
    """Makes earlier tasks of data sets.

    Args:
        space: The space.
        names: Data sets known for it, or tables by path; after a colon, metrics of a table
            (``"table.npz:accuracy=c10"``).

    Raises:
        UnknownNameError: For an unknown data set.
        UsageError: For one that is no table.

    Example:
        >>> from vitruvius.spaces import space
        >>> len(named_tasks(space("nas-bench-graph"), ["cora", "citeseer"]))
        2
    """
    tasks = []
    for name in map(str.strip, names):
        table = evaluator(space, name)
        if not table.batched or all(metric.exact for metric in table.metrics.values()):
            raise UsageError(f"{name} is no table.", "Run a search on it, and start from its run.")
        tasks.append(task_of(name, table))
    return SourceTasks(tasks)


class TaskFeatures:
    """Feature sets that also hold what earlier tasks say.

    Args:
        feature_sets: Encodes architectures.
        tasks: The earlier tasks.
        metrics: The metrics that matter; those that no task has are left out.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(40, 0)
        >>> task = SourceTask("earlier", cells, x, {"accuracy": x.sum(1).double()})
        >>> encode = TaskFeatures(FeatureSets(cells), SourceTasks([task]), ["accuracy"])
        >>> encode(x).told["accuracy"].shape
        torch.Size([40, 1])
    """

    def __init__(
        self, feature_sets: FeatureSets, tasks: SourceTasks, metrics: Collection[str]
    ) -> None:
        self._feature_sets, self._tasks = feature_sets, tasks
        self._metrics = [metric for metric in metrics if tasks.having(metric)]

    @property
    def views(self) -> tuple[View, ...]:
        """Those of the feature sets."""
        return self._feature_sets.views

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """What the columns are, by metric."""
        return {metric: self._tasks.names(metric) for metric in self._metrics}

    def sources(self, metric: str) -> Sources:
        """Returns what a predictor of a metric can start from.

        Args:
            metric: One that some task has.
        """
        return Sources(self._tasks.names(metric), lambda data: data.told[metric])

    def __call__(self, x: Int[Tensor, "B V"]) -> Features:
        """Encodes architectures.

        Args:
            x: Valid choice indices.
        """
        told = {metric: self._tasks.told(metric, x) for metric in self._metrics}
        return replace(self._feature_sets(x), told=told)


def _kernel(
    apart: Float[Tensor, "K K"], scale: float, common: float, own: float
) -> Float[Tensor, "K K"]:
    kernel = common + (1 - common) * (-apart / (2 * scale)).exp()
    return kernel + own * torch.eye(len(apart), dtype=apart.dtype)


def _left_out(covariance: Float[Tensor, "K K"], kernel: Float[Tensor, "K K"]) -> float:
    """Mean log-density of every task given the others, whose scores covary as told."""
    total = 0.0
    for i in range(len(kernel)):
        rest = [j for j in range(len(kernel)) if j != i]
        weight = torch.linalg.solve(kernel[rest][:, rest], kernel[rest, i])
        variance = kernel[i, i] - kernel[i, rest] @ weight
        error = (
            covariance[i, i]
            - 2 * weight @ covariance[rest, i]
            + weight @ covariance[rest][:, rest] @ weight
        )
        total -= float(variance.log() + error / variance) / 2
    return total / len(kernel)
