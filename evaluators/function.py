"""A plain function as an evaluator."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Collection, Mapping
from copy import copy
from dataclasses import replace
from typing import Any, SupportsFloat

from ..core.errors import UsageError
from ..core.torch_state import own_torch_state, users_torch_state
from ..spaces import ArchitectureLike, Space, Task
from .context import Context
from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric, metric_of
from .returned import by_metric, numbers
from .targets import exact_metrics

__all__ = ["Function", "FunctionEvaluator", "metrics_named"]

_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*")

Function = Callable[..., Mapping[str, Any] | Evaluation | SupportsFloat]
"""Takes an `Architecture`, and by name what it wants of ``fidelity``, ``seed``, ``task`` and
``context``; returns numbers by metric, or one number."""


class FunctionEvaluator(Evaluator):
    """Evaluates with a function that takes an `Architecture` and returns a number per metric.

    Of one metric the bare number will do, also as an array or tensor of one element, and an
    `Evaluation` is taken as it is. What else is returned by name is kept where it is a number; a
    flag, text or None for what was asked is a failure.

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
        self.assumed = tuple(own)

    def without(self, names: Collection[str]) -> FunctionEvaluator:
        """Returns the same without metrics that others measure.

        Args:
            names: Names of metrics.
        """
        left = copy(self)
        left._others = frozenset(names)
        left.metrics = {k: metric for k, metric in self.metrics.items() if k not in names}
        left.assumed = tuple(left.metrics)
        return left

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        context = context or Context()
        given = {"fidelity": fidelity, "seed": seed, "task": self.task, "context": context}
        taken = _taken(self._function, given)
        with users_torch_state():
            returned = self._function(architecture, **taken)
        told = Evaluation(architecture, fidelity=fidelity, seed=seed)
        if isinstance(returned, Evaluation):
            told, returned = replace(returned, architecture=architecture), returned.metrics
        if returned is None and context.stopped is not None:
            returned = {}
        measured, others = numbers(by_metric(returned, self.metrics))
        if wrong := [f"{name}: {why}" for name, why in others.items() if name in self.metrics]:
            raise TypeError(f"of what it returned, {'; '.join(wrong)}")
        kept = {name: value for name, value in measured.items() if name not in self._others}
        return replace(told, metrics=kept)


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
