"""Several evaluators as one: accuracy from training, latency measured, energy counted."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..spaces import ArchitectureLike
from .context import Context
from .evaluation import Evaluation
from .evaluator import Evaluator, evaluate_with

__all__ = ["JoinedEvaluator"]


class JoinedEvaluator(Evaluator):
    """Evaluates with each of several evaluators, and has the metrics of all.

    One fails where any of them does. At a lower fidelity those that know none evaluate in full.

    Args:
        evaluators: On the same space, two or more, no metric twice.

    Raises:
        UsageError: For evaluators of several spaces, or two that measure the same.

    Example:
        >>> from vitruvius.evaluators.function import FunctionEvaluator
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> ones = FunctionEvaluator(cells, lambda a: {"ones": a.indices.count(1)}, "ones")
        >>> twos = FunctionEvaluator(cells, lambda a: {"twos": a.indices.count(2)}, "twos")
        >>> JoinedEvaluator([ones, twos]).evaluate((1, 1, 2, 0, 0, 0)).metrics
        {'ones': 2.0, 'twos': 1.0}
    """

    def __init__(self, evaluators: Sequence[Evaluator]) -> None:
        first = evaluators[0]
        for other in evaluators[1:]:
            if other.space.name != first.space.name:
                raise UsageError(
                    f"One evaluator is of {first.space.name}, another of {other.space.name}.",
                    "Join evaluators of one space.",
                )
        names = [name for each in evaluators for name in each.metrics]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise UsageError(
                f"Several evaluators measure {', '.join(twice)}.",
                "Name the metrics that each shall give, e.g. table.csv:accuracy=column.",
            )
        tasks = {each.task for each in evaluators} - {first.space.task}
        if len(tasks) > 1:
            raise UsageError(
                f"The evaluators are for different tasks: {'; '.join(sorted(map(str, tasks)))}.",
                "Join evaluators of one data set.",
            )
        metrics = {name: metric for each in evaluators for name, metric in each.metrics.items()}
        super().__init__(first.space, metrics, task=next(iter(tasks), first.task))
        self.evaluators = tuple(evaluators)
        self.fidelities = tuple(sorted({f for each in evaluators for f in each.fidelities}))
        self.batched = all(each.batched for each in evaluators)
        self.assumed = tuple(name for each in evaluators for name in each.assumed)
        self.noisy = tuple(name for each in evaluators for name in each.noisy)
        self.resumes = any(each.resumes for each in evaluators)
        self.sequential = any(each.sequential for each in evaluators)
        self.finished = all(each.finished for each in evaluators)

    @property
    def rows(self) -> Int[Tensor, "A V"] | None:
        known = next((each.rows for each in self.evaluators if each.rows is not None), None)
        return None if known is None else known[self.has(known)]

    def has(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        return reduce(torch.logical_and, (each.has(x) for each in self.evaluators))

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        found: dict[str, Float[Tensor, " B"]] = {}
        for each in self.evaluators:
            found |= each.values(x, fidelity if fidelity in each.fidelities else None)
        return found

    def label(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        found: dict[str, Float[Tensor, " B"]] = {}
        for each in self.evaluators:
            found |= each.label(x, fidelity if fidelity in each.fidelities else None)
        return found

    def measure_again(
        self, architecture: ArchitectureLike, context: Context | None = None
    ) -> dict[str, float]:
        metrics: dict[str, float] = {}
        for each in self.evaluators:
            metrics |= each.measure_again(architecture, context)
        return metrics

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for each in self.evaluators:
            found |= each.exact_values(x)
        return found

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        metrics: dict[str, float] = {}
        seconds = 0.0
        for each in self.evaluators:
            own = fidelity if fidelity in each.fidelities else None
            told = evaluate_with(each, architecture, own, seed, context)
            metrics |= told.metrics
            seconds += told.seconds
            if not told.ok:
                return Evaluation(
                    architecture, metrics, told.status, told.reason, fidelity, seed, seconds
                )
        return Evaluation(architecture, metrics, "ok", "", fidelity, seed, seconds)
