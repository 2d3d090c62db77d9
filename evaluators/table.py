"""Tables: evaluation by look-up of published measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ..errors import TableError
from ..spaces import ArchitectureLike, Space, Task
from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric

__all__ = ["Table"]


class Table(Evaluator):
    """Looks architectures up in a table of measurements.

    Architectures measured several times, and isomorphic encodings measured separately, are one
    entry with the mean of what was measured (NaN counts as not measured). Every architecture
    whose values `label` or `evaluate` gave out counts once in `labels_used`, whether the table
    has it or not.

    Args:
        space: Whose architectures they are.
        x: Valid choice indices of the measured rows.
        columns: One ``[R]`` column per metric, in the metric's unit; NaN where not measured.
        metrics: The metrics of the columns, by name.
        task: What the architectures were built for; the space's own task by default.

    Attributes:
        measured_rows: Number of rows given.
        rows: Canonical choice indices of the distinct architectures, in order of appearance.

    Raises:
        TableError: Where there are no rows, or columns and metrics do not match.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = torch.tensor([[1, 0, 0, 0, 0, 3], [3, 0, 0, 0, 0, 1], [3, 3, 3, 3, 3, 3]])
        >>> table = Table(
        ...     cells,
        ...     x,
        ...     {"accuracy": torch.tensor([10.0, 11.0, 94.0])},
        ...     {"accuracy": Metric("accuracy", "%", "higher")},
        ... )
        >>> table.architecture_count, table.measured_rows
        (3, 3)
        >>> table.evaluate(x[2]).metrics, table.labels_used
        ({'accuracy': 94.0}, 1)
    """

    def __init__(
        self,
        space: Space,
        x: Int[Tensor, "R V"],
        columns: Mapping[str, Shaped[Tensor, " R"]],
        metrics: dict[str, Metric],
        *,
        task: Task | None = None,
    ) -> None:
        super().__init__(space, metrics, task=task)
        if not len(x):
            raise TableError("The table has no rows.", "Give at least one architecture.")
        if set(columns) != set(metrics):
            raise TableError(
                f"The table has the columns {sorted(columns)}, its metrics are {sorted(metrics)}.",
                "Give one column per metric.",
            )
        self.measured_rows = len(x)
        canonical = space.canonical(x)
        # Hashes are of canonical forms, so those need not be found again.
        distinct, entry = space.hashes(x).unique(return_inverse=True)
        first = torch.full((len(distinct),), len(x)).scatter_reduce(
            0, entry, torch.arange(len(x)), "amin"
        )
        appearance = first.argsort()
        self.rows: Int[Tensor, "A V"] = canonical[first[appearance]]
        self._hashes = distinct
        self._position = appearance.argsort()
        self._columns = {
            name: _means(column.double(), self._position[entry], len(distinct))
            for name, column in columns.items()
        }
        self._labelled: set[int] = set()

    @property
    def architecture_count(self) -> int:
        """Number of distinct architectures in the table."""
        return len(self.rows)

    @property
    def labels_used(self) -> int:
        """Number of distinct architectures looked up through `label` and `evaluate`."""
        return len(self._labelled)

    def values(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        """Looks values up without counting them: for reports, never to decide anything.

        Args:
            x: Valid choice indices.

        Returns:
            One float64 tensor per metric; NaN where the table has no value.
        """
        hashes = self.space.hashes(x)
        place = torch.searchsorted(self._hashes, hashes).clamp(max=len(self._hashes) - 1)
        found = self._hashes[place] == hashes
        position = self._position[place]
        return {
            name: torch.where(found, column[position], math.nan)
            for name, column in self._columns.items()
        }

    def label(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        """Looks values up and counts the architectures in `labels_used`.

        Args:
            x: Valid choice indices.

        Returns:
            As `values`.
        """
        self._labelled.update(self.space.hashes(x).tolist())
        return self.values(x)

    def is_labelled(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows were labelled before."""
        return torch.tensor([h in self._labelled for h in self.space.hashes(x).tolist()]).bool()

    def has(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows are in the table, which reveals no value."""
        return torch.isin(self.space.hashes(x), self._hashes)

    def evaluate(
        self, architecture: ArchitectureLike, fidelity: int | None = None, seed: int = 0
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        x = torch.tensor([architecture.indices])
        metrics = {name: float(value) for name, value in self.label(x).items()}
        missing = [name for name, value in metrics.items() if math.isnan(value)]
        if missing:
            reason = f"no {', '.join(missing)}" if bool(self.has(x)) else "not in the table"
            return Evaluation(
                architecture, {}, "failed", reason=reason, fidelity=fidelity, seed=seed
            )
        return Evaluation(architecture, metrics, fidelity=fidelity, seed=seed)


def _means(
    column: Float[Tensor, " R"], position: Int[Tensor, " R"], size: int
) -> Float[Tensor, " A"]:
    """Mean of what was measured of every entry; NaN where nothing was."""
    measured = ~column.isnan()
    zeros = torch.zeros(size, dtype=torch.float64)
    total = zeros.index_add(0, position[measured], column[measured])
    return total / zeros.index_add(0, position[measured], measured[measured].double())
