"""View: what an evaluator tells of architectures, as features."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import cached_property
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.errors import UsageError
from ..core.normal_scores import NormalScores
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import evaluator
from ..spaces import Space

__all__ = ["KEPT", "View", "views_of"]

# Name of the file that a run keeps views in.
KEPT = "views.jsonl"
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
        self._file: Path | None = None

    def keep_in(self, file: Path) -> None:
        """Keeps what is computed in a file of JSON lines, and takes what is there.

        Args:
            file: Views of several names may share it, and processes may write to it together.
        """
        self._file, space = file, self.evaluator.space
        for line in file.read_text(encoding="utf-8").splitlines() if file.is_file() else []:
            try:
                entry = json.loads(line)
            except ValueError:
                continue  # cut off by an interruption
            if entry["names"] == list(self.names):
                row = torch.tensor([space.architecture(entry["architecture"]).indices])
                self._told[int(space.hashes(row))] = [
                    torch.nan if value is None else value for value in entry["values"]
                ]

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
                self._told[key] = self._computed(tuple(row))
        rows = torch.tensor([self._told[key] for key in keys], dtype=torch.float64)
        return rows.reshape(len(x), len(self.names))

    def _computed(self, row: tuple[int, ...]) -> list[float]:
        found = self.evaluator.evaluate(row)
        values = [found.metrics.get(name) for name in self.names]
        if self._file is not None:
            entry = {"names": self.names, "architecture": str(found.architecture), "values": values}
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(entry) + "\n")
        return [torch.nan if value is None else value for value in values]


def views_of(
    space: Space, sources: str | Iterable[str | View], file: Path | None = None
) -> tuple[View, ...]:
    """Makes views.

    Args:
        space: The space.
        sources: Evaluators as text, such as ``proxy:naswot+synflow``, or views.
        file: Where they keep what they compute.

    Raises:
        UnknownNameError: For an evaluator, proxy or metric that there is not.

    Example:
        >>> from vitruvius.spaces import space
        >>> [view.names for view in views_of(space("nasbench201"), "proxy:snip")]
        [('snip',)]
    """
    listed = [sources] if isinstance(sources, str) else sources
    views = tuple(
        each if isinstance(each, View) else View(evaluator(space, each)) for each in listed
    )
    for view in views:
        if view.costly and file is not None:
            view.keep_in(file)
    return views
