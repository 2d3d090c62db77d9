"""An evaluator of one part of a product, such as a table of networks where chips are open too."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import UnknownNameError, UsageError
from ..spaces import ArchitectureLike, ProductSpace
from .context import Context
from .evaluation import Evaluation
from .evaluator import Evaluator, evaluate_with

__all__ = ["PartEvaluator"]

Value = TypeVar("Value", float, Tensor)


class PartEvaluator(Evaluator):
    """Evaluates one part of architectures of a product, whatever the others are.

    Args:
        space: The product.
        part: Name of the part.
        evaluator: Of that part's space.
        prefixed: Whether metrics are called ``part.metric``, for parts that are alike.

    Raises:
        UnknownNameError: For a part that there is not.
        UsageError: For an evaluator of another space.

    Example:
        >>> from vitruvius.evaluators.function import FunctionEvaluator
        >>> from vitruvius.spaces import space
        >>> pairs = space("nasbench201 x accelerator")
        >>> cells = pairs.parts["nasbench201"]
        >>> ones = FunctionEvaluator(cells, lambda a: {"ones": a.indices.count(1)}, "ones")
        >>> told = PartEvaluator(pairs, "nasbench201", ones).evaluate(pairs.example)
        >>> sorted(told.metrics), told.architecture.space
        (['ones'], 'nasbench201 x accelerator')
    """

    space: ProductSpace

    def __init__(
        self, space: ProductSpace, part: str, evaluator: Evaluator, *, prefixed: bool = False
    ) -> None:
        if part not in space.parts:
            raise UnknownNameError.of(f"part of {space.name}", part, space.parts)
        if evaluator.space.name != space.parts[part].name:
            raise UsageError(
                f"The evaluator is of {evaluator.space.name}, {part!r} is "
                f"{space.parts[part].name}.",
                "Give one of the part's space.",
            )
        self.part, self.evaluator = part, evaluator
        self._names = {name: f"{part}.{name}" if prefixed else name for name in evaluator.metrics}
        metrics = {
            self._names[name]: replace(metric, name=self._names[name])
            for name, metric in evaluator.metrics.items()
        }
        super().__init__(space, metrics, task=evaluator.task)
        self.fidelities, self.batched = evaluator.fidelities, evaluator.batched
        self.assumed = tuple(self._names[name] for name in evaluator.assumed)
        self.noisy = tuple(self._names[name] for name in evaluator.noisy)
        self.builds, self.resumes = evaluator.builds, evaluator.resumes
        self.sequential = evaluator.sequential

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        made = self.space.architecture(architecture)
        own = self.space.parted(made.indices)[self.part]
        told = evaluate_with(self.evaluator, own, fidelity, seed, context)
        return replace(told, architecture=made, metrics=self._renamed(told.metrics))

    def has(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        return self.evaluator.has(self._own(x))

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        return self._renamed(self.evaluator.values(self._own(x), fidelity))

    def label(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        return self._renamed(self.evaluator.label(self._own(x), fidelity))

    def measure_again(
        self, architecture: ArchitectureLike, context: Context | None = None
    ) -> dict[str, float]:
        own = self.space.parted(self.space.architecture(architecture).indices)[self.part]
        return self._renamed(self.evaluator.measure_again(own, context))

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        return self._renamed(self.evaluator.exact_values(self._own(x)))

    def _own(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "B W"]:
        return x[:, self.space.columns[self.part]]

    def _renamed(self, told: dict[str, Value]) -> dict[str, Value]:
        return {self._names.get(name, name): value for name, value in told.items()}
