"""Random search."""

from __future__ import annotations

from typing import ClassVar

from ..trial import History, Proposal
from .neighbourhood import fresh_uniform

__all__ = ["RandomSearch"]


class RandomSearch:
    """Draws uniformly among what is possible and new: the least a method has to beat.

    Example:
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.spaces import space
        >>> problem = Problem(space("nasbench201"), {}, minimize="params", where="macs>=100M")
        >>> len(RandomSearch().propose(History(problem, []), seed=0).row)
        6
    """

    name: ClassVar[str] = "random"

    def propose(self, history: History, seed: int) -> Proposal | None:
        return fresh_uniform(history, seed)
