"""Evaluator: where true values of architectures come from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from jaxtyping import Int
from torch import Tensor

from ..spaces import ArchitectureLike, Space, Task
from .evaluation import Evaluation
from .metric import Metric

__all__ = ["Evaluator"]


class Evaluator(ABC):
    """A source of ground truth: a benchmark table, a training run or a cost model.

    Args:
        space: Whose architectures it evaluates.
        metrics: What it measures, by name.
        task: What its architectures are built for; the space's own task by default.

    Attributes:
        fidelities: Budgets below the full one that `evaluate` takes, ascending (e.g. epochs).

    Example:
        >>> from vitruvius.spaces import space
        >>> class Size(Evaluator):
        ...     def evaluate(self, architecture, fidelity=None, seed=0):
        ...         built = self.space.build(architecture, self.task)
        ...         size = float(sum(p.numel() for p in built.parameters()))
        ...         return Evaluation(self.space.architecture(architecture), {"size": size})
        >>> cells = space("nasbench201")
        >>> evaluator = Size(cells, {"size": Metric("size", "", "lower")})
        >>> evaluator.evaluate((0, 0, 0, 0, 0, 0)).metrics
        {'size': 73306.0}
    """

    fidelities: tuple[int, ...] = ()

    def __init__(
        self, space: Space, metrics: dict[str, Metric], *, task: Task | None = None
    ) -> None:
        self.space = space
        self.metrics = metrics
        self.task = task or space.task

    @abstractmethod
    def evaluate(
        self, architecture: ArchitectureLike, fidelity: int | None = None, seed: int = 0
    ) -> Evaluation:
        """Evaluates one architecture.

        Args:
            architecture: An `Architecture`, a native string or a row of choice indices.
            fidelity: One of `fidelities`, or None for the full one.
            seed: Of the training, where there is one.

        Returns:
            What was measured; where that is impossible, a ``failed`` evaluation that says why.

        Raises:
            ArchitectureError: Where it is not an architecture of the space.
        """

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        """Computes those of `metrics` that need no label.

        Args:
            x: Valid choice indices.

        Returns:
            One ``[B]`` float64 tensor per metric whose ``exact`` is true.
        """
        return {}
