"""Problem: what a search shall make better, and what it must keep to."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.errors import TargetError, UnknownNameError, UsageError
from ..core.seeding import make_generator
from ..evaluators.evaluator import Evaluator
from ..evaluators.metric import Metric
from ..evaluators.names import check_names
from ..evaluators.reachable import check_reachable
from ..evaluators.targets import Targets, exact_metrics, parse_targets
from ..spaces import Space

__all__ = ["WHOLE", "Objective", "Problem"]

# Up to this many architectures every one is scored in each round; beyond, generators propose.
WHOLE = 50_000
# Draws that a share is told from where there are more.
DRAWN = 2_000


@dataclass(frozen=True)
class Objective:
    """A metric and the direction it shall go.

    Args:
        metric: Name of the metric.
        maximize: Whether more is better.
    """

    metric: str
    maximize: bool

    @property
    def sign(self) -> float:
        """1 where more is better, -1 where less is."""
        return 1.0 if self.maximize else -1.0


class Problem:
    """Objectives and constraints on the metrics of an evaluator, or on exact counts.

    Args:
        space: The space.
        metrics: What can be measured, by name; exact counts of the space are added.
        maximize: Names of metrics, joined by commas.
        minimize: As ``maximize``.
        where: Constraints in the grammar of `parse_targets`.
        evaluator: The evaluator; the rows it knows also bound what can be proposed.

    Attributes:
        objectives: At least one.
        constraints: Those of ``where``.
        learned: Metrics of objectives and constraints that have to be evaluated to be known.

    Raises:
        UsageError: Where no objective is named, or one twice.
        UnknownNameError: For a metric that there is not.
        TargetError: For constraints that cannot be read.

    Example:
        >>> from vitruvius.spaces import space
        >>> accuracy = Metric("accuracy", "%", "higher")
        >>> problem = Problem(
        ...     space("nasbench201"),
        ...     {"accuracy": accuracy},
        ...     maximize="accuracy",
        ...     minimize="params",
        ...     where="macs<=100M",
        ... )
        >>> problem.learned
        ('accuracy',)
        >>> problem.scores({"accuracy": torch.tensor([94.0]), "params": torch.tensor([1e6])})
        tensor([[ 9.4000e+01, -1.0000e+06]], dtype=torch.float64)
    """

    def __init__(
        self,
        space: Space,
        metrics: Mapping[str, Metric],
        *,
        maximize: str = "",
        minimize: str = "",
        where: str = "",
        evaluator: Evaluator | None = None,
    ) -> None:
        self.space, self.evaluator = space, evaluator
        self.metrics = {**exact_metrics(space), **metrics}
        self.objectives = (
            *(Objective(name, True) for name in _names(maximize)),
            *(Objective(name, False) for name in _names(minimize)),
        )
        wanted = [objective.metric for objective in self.objectives]
        if not wanted:
            raise UsageError(
                "Nothing to search for.",
                f"Name what to maximize or minimize, of: {', '.join(sorted(self.metrics))}.",
            )
        for name in wanted:
            if name not in self.metrics:
                raise UnknownNameError.of("metric", name, self.metrics)
        if len(set(wanted)) < len(wanted):
            raise UsageError(f"An objective is named twice: {', '.join(wanted)}.", "Name it once.")
        self.constraints = parse_targets(where, self.metrics) if where else Targets()
        used = dict.fromkeys([*wanted, *self.constraints.names])
        self.learned = tuple(name for name in used if not self.metrics[name].exact)
        self._allows: Callable[[Int[Tensor, "B V"]], Bool[Tensor, " B"]] | None = None
        self._pool: Int[Tensor, "P V"] | None = None
        self._listed: Int[Tensor, "A V"] | None = None

    @classmethod
    def of(
        cls, evaluator: Evaluator, *, maximize: str = "", minimize: str = "", where: str = ""
    ) -> Problem:
        """Makes the problem of an evaluator's space and metrics.

        Args:
            evaluator: The evaluator.
            maximize: As for `Problem`.
            minimize: As for `Problem`.
            where: As for `Problem`.
        """
        return cls(
            evaluator.space,
            evaluator.metrics,
            maximize=maximize,
            minimize=minimize,
            where=where,
            evaluator=evaluator,
        )

    def check_names(self) -> None:
        """Questions names of metrics that are only assumed and look like slips.

        Raises:
            UnknownNameError: For the first of them (see `vitruvius.evaluators.names`).
        """
        assumed = self.learned if self.evaluator is None else self.evaluator.assumed
        check_names(assumed, [name for name in self.metrics if name not in assumed])

    @property
    def multiple(self) -> bool:
        """Whether there are several objectives."""
        return len(self.objectives) > 1

    def within(self, pool: Int[Tensor, "P V"]) -> Problem:
        """Returns the same problem where nothing but ``pool`` can be proposed.

        Args:
            pool: Valid choice indices.
        """
        narrowed = copy(self)
        narrowed._pool = self.space.canonical(pool)
        narrowed._listed = None
        return narrowed

    def allowing(self, allows: Callable[[Int[Tensor, "B V"]], Bool[Tensor, " B"]]) -> Problem:
        """Returns the same problem where some architectures cannot be proposed.

        Args:
            allows: Tells which valid rows still can.
        """
        narrowed = copy(self)
        narrowed._allows, narrowed._listed = allows, None
        return narrowed

    @property
    def bounded(self) -> bool:
        """Whether only certain rows may be proposed, of an evaluator or a pool."""
        return self._rows() is not None

    def listed(self) -> Int[Tensor, "A V"] | None:
        """Lists what may be proposed, constraints counted, or None where it cannot be listed."""
        if self._listed is None:
            rows = self._rows()
            if rows is None and self.space.enumerable:
                rows = self.space.enumerate()
            if rows is not None:
                self._listed = rows[self.possible(rows)]
        return self._listed

    def check_reachable(self) -> float:
        """Refuses counted constraints that nothing can meet which may be proposed.

        Returns:
            As `share_possible`.

        Raises:
            TargetError: With the bound of the first that is beyond reach by itself; or where no
                architecture meets all of them.
        """
        share = self.share_possible()
        if share or not self.exact_constraints:
            return share
        check_reachable(self.space, self.exact_constraints, self.exact, self._rows())
        listed = self.listed()
        if listed is not None and not len(listed):
            raise TargetError(
                f"No architecture meets all of {self.exact_constraints}.",
                "Each alone can be met: loosen one of them.",
            )
        return share

    def whole(self) -> Int[Tensor, "A V"] | None:
        """Lists everything that can be proposed, or None where that is too much to score."""
        if self._pool is not None:
            return self._pool
        rows = self._rows()
        if rows is not None:
            return rows if len(rows) <= WHOLE else None
        if self.space.architecture_count <= WHOLE:
            return self.space.enumerate()
        return None

    def possible(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which valid rows may be proposed: in the table, and within exact constraints.

        Args:
            x: Valid choice indices.
        """
        known = torch.ones(len(x), dtype=torch.bool)
        if self.evaluator is not None:
            known = self.evaluator.has(x)
        if self._pool is not None:
            known &= torch.isin(self.space.hashes(x), self.space.hashes(self._pool))
        if self._allows is not None and len(x):
            known &= self._allows(x)
        exact = self.exact_constraints
        return known & exact.satisfied(self.exact(x)) if exact and len(x) else known

    @property
    def exact_constraints(self) -> Targets:
        """Constraints that are counted, not measured."""
        return self.constraints.restrict(set(self.constraints.names) - set(self.learned))

    def share_possible(self) -> float:
        """Share that counted constraints leave of what could be proposed without them.

        In what is too much to score that is the share of `DRAWN` draws.
        """
        whole, rows = self.whole(), self._rows()
        if whole is None and rows is not None:
            whole = rows[torch.randperm(len(rows), generator=make_generator(0))[:DRAWN]]
        x = self.space.sample(DRAWN, 0) if whole is None else whole
        return float(self.possible(x).double().mean())

    def exact(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        """Counts what needs no evaluation, in the units of the metrics.

        Args:
            x: Valid choice indices.
        """
        task = self.evaluator.task if self.evaluator else None
        counted = self.space.statistics(x, task)
        return {**counted, **(self.evaluator.exact_values(x) if self.evaluator else {})}

    def scores(self, values: Mapping[str, Tensor]) -> Float[Tensor, "n M"]:
        """Stacks the objectives so that more is better in every column.

        Args:
            values: One ``[n]`` tensor per metric.
        """
        columns = [values[entry.metric].double() * entry.sign for entry in self.objectives]
        return torch.stack(columns, 1)

    def feasible(self, values: Mapping[str, Tensor]) -> Bool[Tensor, " n"]:
        """Tells which meet all constraints.

        Args:
            values: One ``[n]`` tensor per metric.
        """
        if not self.constraints:
            return torch.ones(len(next(iter(values.values()))), dtype=torch.bool)
        return self.constraints.satisfied(values)

    def complete(self, metrics: Mapping[str, float]) -> bool:
        """Whether a measurement has a finite value for everything that had to be measured.

        Args:
            metrics: Values by name.
        """
        return all(math.isfinite(metrics.get(name, math.nan)) for name in self.learned)

    def _rows(self) -> Int[Tensor, "A V"] | None:
        if self._pool is not None or self.evaluator is None:
            return self._pool
        return self.evaluator.rows


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
