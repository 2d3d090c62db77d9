"""View: what an evaluator tells of architectures, as features."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.normal_scores import NormalScores
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import evaluator
from ..spaces import Space

__all__ = ["View", "views_of"]

# Architectures that scores are taken by: of what is looked up, and of what is computed.
LOOKED_UP, COMPUTED = 2048, 48
# Farthest score: of few architectures nobody knows the tails.
FARTHEST = 3.0


class View:
    """Cheap metrics of architectures (zero-cost proxies, tables), by which others are predicted.

    Each metric becomes normal scores by its rank among random architectures; what has no value has
    the middle one. What was computed once is kept.

    Args:
        evaluator: Tells the metrics, all of which are taken.

    Attributes:
        costly: Whether each architecture takes a computation.

    Raises:
        UsageError: For one whose metrics nobody knows the names of.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> view = View(evaluator(cells, "proxy:l2_norm+synflow,batch=2"))
        >>> scores = view(cells.sample(5, 1))
        >>> scores.shape, view.trend(scores).shape
        (torch.Size([5, 2]), torch.Size([5]))
    """

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.names = tuple(evaluator.metrics)
        if not self.names:
            raise UsageError(
                "A view needs metrics with names, and this evaluator has none.",
                "Give an Evaluator with `metrics`, a table, or proxies.",
            )
        self.costly = not evaluator.batched
        self._told: dict[int, list[float]] = {}

    def __call__(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """Returns the normal scores of every metric.

        Args:
            x: Valid choice indices.
        """
        pairs = zip(self._scores, self._values(x).T.contiguous(), strict=True)
        columns = [
            torch.zeros(len(x)) if scores is None else scores(column) for scores, column in pairs
        ]
        return torch.stack(columns, 1).nan_to_num(0.0).clamp(-FARTHEST, FARTHEST).float()

    def trend(self, scores: Float[Tensor, "B D"]) -> Float[Tensor, " B"]:
        """Returns what all metrics say together: their mean score, of deviation 1.

        Args:
            scores: As they are returned.
        """
        return scores.mean(1) / self._deviation

    @cached_property
    def _reference(self) -> Float[Tensor, "R D"]:
        known = self.evaluator.rows
        if known is not None and not self.costly:
            return self._values(known)
        n = COMPUTED if self.costly else LOOKED_UP
        return self._values(self.evaluator.space.sample(n, 0))

    @cached_property
    def _scores(self) -> list[NormalScores | None]:
        known = [column[column.isfinite()] for column in self._reference.T]
        return [NormalScores(column) if len(column) else None for column in known]

    @cached_property
    def _deviation(self) -> float:
        pairs = zip(self._scores, self._reference.T.contiguous(), strict=True)
        columns = [scores(column) for scores, column in pairs if scores is not None]
        if not columns:
            return 1.0
        return max(float(torch.stack(columns, 1).nan_to_num(0.0).mean(1).std()), 1e-6)

    def _values(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        """One column a metric; NaN where there is no value."""
        if not self.costly:
            values = self.evaluator.values(x)
            return torch.stack([values[name].double() for name in self.names], 1)
        keys = self.evaluator.space.hashes(x).tolist()
        for key, row in zip(keys, x.tolist(), strict=True):
            if key not in self._told:
                told = self.evaluator.evaluate(tuple(row)).metrics
                self._told[key] = [told.get(name, torch.nan) for name in self.names]
        rows = torch.tensor([self._told[key] for key in keys], dtype=torch.float64)
        return rows.reshape(len(x), len(self.names))


def views_of(space: Space, sources: str | Iterable[str | View]) -> tuple[View, ...]:
    """Makes views.

    Args:
        space: The space.
        sources: Evaluators as text, such as ``proxy:naswot+synflow``, or views.

    Raises:
        UnknownNameError: For an evaluator, proxy or metric that there is not.

    Example:
        >>> from vitruvius.spaces import space
        >>> [view.names for view in views_of(space("nasbench201"), "proxy:snip")]
        [('snip',)]
    """
    listed = [sources] if isinstance(sources, str) else sources
    return tuple(
        each if isinstance(each, View) else View(evaluator(space, each)) for each in listed
    )
