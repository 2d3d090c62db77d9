"""A plain function as an evaluator."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from copy import copy
from typing import Any

from ..core.errors import UsageError
from ..spaces import ArchitectureLike, Space, Task
from .context import Context
from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric, metric_of
from .targets import exact_metrics

__all__ = ["Function", "FunctionEvaluator", "metrics_named"]

_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*")

Function = Callable[..., Mapping[str, float]]
"""Takes an `Architecture`, and by name what it wants of ``fidelity``, ``seed``, ``task`` and
``context``."""


class FunctionEvaluator(Evaluator):
    """Evaluates with a function that takes an `Architecture` and returns a number per metric.

    Arguments of the function that are called ``fidelity``, ``seed``, ``task`` or ``context`` are
    given to it: ``context`` (see `Context`) says where to compute and takes intermediate values.

    Args:
        space: The space of the architectures.
        function: What is called. What it raises makes a failed trial.
        metrics: Names of what it returns, as ``"accuracy, latency_ms"`` or in the text of
            objectives and constraints. Units and better directions follow from the names, as for
            `UserTable`.
        task: As for `Evaluator`.

    Raises:
        UsageError: Where no metric is named.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> count = FunctionEvaluator(cells, lambda a: {"ones": a.indices.count(1)}, "ones")
        >>> count.evaluate((1, 1, 0, 0, 0, 0)).metrics
        {'ones': 2.0}
        >>> lucky = FunctionEvaluator(cells, lambda a, seed: {"luck": seed}, "luck")
        >>> lucky.evaluate((1, 1, 0, 0, 0, 0), seed=7).metrics
        {'luck': 7.0}
    """

    def __init__(
        self, space: Space, function: Function, metrics: str, *, task: Task | None = None
    ) -> None:
        own = metrics_named(space, metrics)
        if not own:
            raise UsageError(
                "No metric of the function is named.",
                "Name what it returns in the objectives, e.g. --maximize accuracy.",
            )
        super().__init__(space, own, task=task)
        self._function = function
        self._others: frozenset[str] = frozenset()

    def without(self, names: Collection[str]) -> FunctionEvaluator:
        """Returns the same without metrics that others measure.

        Args:
            names: Names of metrics.
        """
        left = copy(self)
        left._others = frozenset(names)
        left.metrics = {k: metric for k, metric in self.metrics.items() if k not in names}
        return left

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        given = {
            "fidelity": fidelity,
            "seed": seed,
            "task": self.task,
            "context": context or Context(),
        }
        values = self._function(architecture, **_taken(self._function, given))
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{self._function} returned {type(values).__name__}, not numbers by metric"
            )
        metrics = {
            name: float(value)
            for name, value in values.items()
            if name in self.metrics or (name not in self._others and _is_number(value))
        }
        return Evaluation(architecture, metrics, fidelity=fidelity, seed=seed)


def _is_number(value: object) -> bool:
    """Whether a value nobody asked for is a metric, and not text or a flag."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _taken(function: Function, given: Mapping[str, Any]) -> dict[str, Any]:
    """Those arguments that the function names, after the first."""
    try:
        known = list(inspect.signature(function).parameters)[1:]
    except ValueError:  # a builtin
        return {}
    return {name: value for name, value in given.items() if name in known}


def metrics_named(space: Space, text: str) -> dict[str, Metric]:
    """Makes the metrics that objectives or constraints name and that the space does not count.

    Args:
        space: The space.
        text: Names, in a list or within constraints.

    Example:
        >>> from vitruvius.spaces import space
        >>> list(metrics_named(space("nasbench201"), "accuracy, latency_ms<=5ms, params<=1M"))
        ['accuracy', 'latency_ms']
    """
    counted = exact_metrics(space)
    return {name: metric_of(name) for name in _NAME.findall(text) if name not in counted}
