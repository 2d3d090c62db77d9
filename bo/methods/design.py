"""Designs: the architectures to label before anything is known."""

from __future__ import annotations

from typing import ClassVar

from jaxtyping import Int
from torch import Tensor

from ..draws import initial_design
from ..trial import History, Proposal

__all__ = ["Design"]


class Design:
    """Proposes a random design fixed beforehand, whatever comes of it: labels to learn from.

    Args:
        n: How many architectures.
        draw: Seed of the design, which does not depend on that of the run.
        exclude: Canonical rows not to propose.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params")
        >>> row = Design(n=3, draw=7).propose(History(problem, []), seed=0).row
        >>> row == tuple(initial_design(problem.space, 3, 7)[0].tolist())
        True
    """

    name: ClassVar[str] = "design"

    def __init__(self, *, n: int, draw: int = 0, exclude: Int[Tensor, "E V"] | None = None) -> None:
        self.n, self.draw, self.exclude = n, draw, exclude

    @property
    def text(self) -> str:
        """The name with its options, by which a run is resumed."""
        return f"{self.name}:n={self.n},draw={self.draw}"

    def propose(self, history: History, seed: int) -> Proposal | None:
        evaluator, space = history.problem.evaluator, history.problem.space
        rows = None if evaluator is None else evaluator.rows
        design = initial_design(space if rows is None else rows, self.n, self.draw, self.exclude)
        left = history.fresh(design)
        return Proposal(tuple(left[0].tolist()), self.name) if len(left) else None
