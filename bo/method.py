"""Method: what decides which architecture to evaluate next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, runtime_checkable

from jaxtyping import Float, Int
from torch import Tensor

from .problem import Problem
from .trial import History, Proposal

__all__ = [
    "CheckingMethod",
    "KeepingMethod",
    "Method",
    "ReportingMethod",
    "Scores",
    "ScoringMethod",
]


@runtime_checkable
class Method(Protocol):
    """Decides which architecture to evaluate next.

    A method keeps no state that its answers depend on: the same history and seed give the same
    proposal, in a new process as in an old one. That is what makes resuming equal to never having
    stopped. (What is expensive, such as a fitted surrogate, may be cached by the history it came
    from.)

    Attributes:
        name: What results and the command line call it.

    A class may say by ``initial`` how many random architectures come before it decides, of which
    there are five otherwise.
    """

    name: ClassVar[str]

    def propose(self, history: History, seed: int) -> Proposal | None:
        """Chooses one architecture that was never proposed before.

        Args:
            history: All trials so far, pending ones included; at least one is done.
            seed: Of this decision alone.

        Returns:
            The proposal; None where everything possible was proposed.
        """


@dataclass(frozen=True)
class Scores:
    """What a method thinks of architectures that it did not evaluate.

    Args:
        acquisition: How much is to be gained by evaluating each, ``[P]``; more is better.
        predicted: Median and standard deviation of every measured metric, in its unit.
    """

    acquisition: Float[Tensor, " P"]
    predicted: Mapping[str, tuple[Float[Tensor, " P"], Float[Tensor, " P"]]]


@runtime_checkable
class ScoringMethod(Method, Protocol):
    """A method that can say what it thinks of any architecture."""

    def score(self, history: History, x: Int[Tensor, "P V"], seed: int) -> Scores:
        """Scores architectures, evaluated or not.

        Args:
            history: All trials so far; at least two were measured in full.
            x: Valid choice indices.
            seed: Of Monte-Carlo draws.
        """


@runtime_checkable
class ReportingMethod(Protocol):
    """A method that can tell what it went by."""

    def report(self, history: History) -> dict[str, Any]:
        """Returns what the summary of a result shall say, by name.

        Args:
            history: All trials.
        """


@runtime_checkable
class CheckingMethod(Protocol):
    """A method that can tell before any evaluation that it cannot do what it was asked for."""

    def check(self, problem: Problem) -> None:
        """Looks names up that only the problem's space makes sense of.

        Args:
            problem: What is searched for.

        Raises:
            VitruviusError: For the first mistake.
        """


@runtime_checkable
class KeepingMethod(Protocol):
    """A method that keeps what is costly, and would come out the same again, beside the run."""

    def keep_in(self, folder: Path) -> None:
        """Takes what is kept there, and keeps more.

        Args:
            folder: Of the run.
        """
