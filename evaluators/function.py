"""A plain function as an evaluator."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from ..core.errors import UsageError
from ..spaces import Architecture, ArchitectureLike, Space, Task
from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric
from .tables.user_table import metric_of
from .targets import exact_metrics

__all__ = ["FunctionEvaluator", "metrics_named"]

_NAME = re.compile(r"(?<![\w.])[A-Za-z_][\w.]*")


class FunctionEvaluator(Evaluator):
    """Evaluates with a function that takes an `Architecture` and returns a number per metric.

    Args:
        space: Whose architectures they are.
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
    """

    def __init__(
        self,
        space: Space,
        function: Callable[[Architecture], Mapping[str, float]],
        metrics: str,
        *,
        task: Task | None = None,
    ) -> None:
        own = metrics_named(space, metrics)
        if not own:
            raise UsageError(
                "No metric of the function is named.",
                "Name what it returns in the objectives, e.g. --maximize accuracy.",
            )
        super().__init__(space, own, task=task)
        self._function = function

    def evaluate(
        self, architecture: ArchitectureLike, fidelity: int | None = None, seed: int = 0
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        values = self._function(architecture)
        if not isinstance(values, Mapping):
            raise TypeError(
                f"{self._function} returned {type(values).__name__}, not numbers by metric"
            )
        metrics = {name: float(value) for name, value in values.items()}
        return Evaluation(architecture, metrics, fidelity=fidelity, seed=seed)


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
