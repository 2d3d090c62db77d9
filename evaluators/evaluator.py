"""Evaluator: where true values of architectures come from."""

from __future__ import annotations

import inspect
from abc import ABC, abstractmethod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.torch_state import users_torch_state
from ..spaces import ArchitectureLike, Space, Task
from .context import Context
from .evaluation import Evaluation
from .metric import Metric

__all__ = ["Evaluator", "evaluate_with"]


class Evaluator(ABC):
    """A source of ground truth: a benchmark table, a training run or a cost model.

    What code asks of an evaluator is what it can do: `rows` that it knows, where it knows but
    some; `values` of many architectures at a time, where it is `batched`.

    Args:
        space: The space of the architectures.
        metrics: What it measures, by name.
        task: What its architectures are built for; the space's own task by default.

    Attributes:
        fidelities: Budgets below the full one that `evaluate` takes, ascending (e.g. epochs).
        batched: Whether `values` looks many architectures up at once, at next to no cost.
        assumed: Those of `metrics` that it was only asked for, so that nobody knows yet whether it
            returns them.
        builds: Whether it builds networks on this machine, so that what is asked besides can be
            measured of them.
        noisy: Those of `metrics` that come out a little different each time, so that a limit on
            them counts as met where it is met when measured again.
        resumes: Whether an evaluation whose process died goes on where it was when it is repeated
            in the same folder, so that repeating it is worth while.
        sequential: Whether an evaluation depends on those before it, so that there can be but one
            at a time.
        finished: Whether its values are results that its user already has, so that looking at all
            of them spends nothing; a published benchmark stands in for training, and is not.

    Example:
        >>> from vitruvius.spaces import space
        >>> class Size(Evaluator):
        ...     def evaluate(self, architecture, fidelity=None, seed=0, context=None):
        ...         built = self.space.build(architecture, self.task)
        ...         size = float(sum(p.numel() for p in built.parameters()))
        ...         return Evaluation(self.space.architecture(architecture), {"size": size})
        >>> cells = space("nasbench201")
        >>> evaluator = Size(cells, {"size": Metric("size", "", "lower")})
        >>> evaluator.evaluate((0, 0, 0, 0, 0, 0)).metrics
        {'size': 73306.0}
        >>> evaluator.rows is None, evaluator.batched
        (True, False)
    """

    fidelities: tuple[int, ...] = ()
    batched: bool = False
    assumed: tuple[str, ...] = ()
    builds: bool = False
    noisy: tuple[str, ...] = ()
    resumes: bool = False
    sequential: bool = False
    finished: bool = False

    def __init__(
        self, space: Space, metrics: dict[str, Metric], *, task: Task | None = None
    ) -> None:
        self.space = space
        self.metrics = metrics
        self.task = task or space.task

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.space.name!r}, metrics={sorted(self.metrics)})"

    @abstractmethod
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        """Evaluates one architecture.

        Args:
            architecture: An `Architecture`, a native string or a row of choice indices.
            fidelity: One of `fidelities`, or None for the full one.
            seed: Of the training, where there is one.
            context: Device, folder, deadline, and whether to go on; an evaluator that needs none
                of it may leave the argument out.

        Returns:
            What was measured; where that is impossible, a ``failed`` evaluation that says why.

        Raises:
            ArchitectureError: Where it is not an architecture of the space.
        """

    @property
    def rows(self) -> Int[Tensor, "A V"] | None:
        """Canonical choice indices of all it knows, or None where it can evaluate any."""
        return None

    def has(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows it can evaluate, which reveals no value.

        Args:
            x: Valid choice indices.
        """
        if self.rows is None:
            return torch.ones(len(x), dtype=torch.bool)
        return torch.isin(self.space.hashes(x), self.space.hashes(self.rows))

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        """Looks values up without counting them: for reports, never to decide anything.

        Args:
            x: Valid choice indices.
            fidelity: One of `fidelities`, or None for the full one.

        Returns:
            One float64 tensor per metric; NaN where there is no value.

        Raises:
            NotImplementedError: Where it is not `batched`.
        """
        raise NotImplementedError(f"{type(self).__name__} evaluates one architecture at a time")

    def label(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        """Looks values up to decide by them; an evaluator that counts its labels counts these.

        Args:
            x: Valid choice indices.
            fidelity: One of `fidelities`, or None for the full one.

        Returns:
            As `values`.

        Raises:
            NotImplementedError: Where it is not `batched`.
        """
        return self.values(x, fidelity)

    def measure_again(
        self, architecture: ArchitectureLike, context: Context | None = None
    ) -> dict[str, float]:
        """Measures the `noisy` metrics afresh.

        Args:
            architecture: As for `evaluate`.
            context: As for `evaluate`.

        Returns:
            Their values, and maybe others that were measured with them; what could not be measured
            is left out.
        """
        if not self.noisy:
            return {}
        return self.evaluate(architecture, context=context).metrics

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        """Computes those of `metrics` that need no label.

        Args:
            x: Valid choice indices.

        Returns:
            One ``[B]`` float64 tensor per metric whose ``exact`` is true.
        """
        return {}


def evaluate_with(
    evaluator: Evaluator,
    architecture: ArchitectureLike,
    fidelity: int | None,
    seed: int,
    context: Context | None,
) -> Evaluation:
    """Evaluates, with the context where the evaluator takes one.

    Args:
        evaluator: The evaluator.
        architecture: As for `Evaluator.evaluate`.
        fidelity: As for `Evaluator.evaluate`.
        seed: As for `Evaluator.evaluate`.
        context: As for `Evaluator.evaluate`.

    Raises:
        TypeError: Where what it returned is no evaluation.
    """
    takes = "context" in inspect.signature(evaluator.evaluate).parameters
    given = {"context": context} if takes else {}
    with users_torch_state():
        told: object = evaluator.evaluate(architecture, fidelity, seed, **given)
    if not isinstance(told, Evaluation):
        raise TypeError(f"the evaluator returned {type(told).__name__}, not an Evaluation")
    return told
