"""Tables: evaluation by look-up of published measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from ...core.errors import TableError, UsageError
from ...core.torch_state import own_torch_state
from ...spaces import ArchitectureLike, Space, Task
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from ..metric import Metric

__all__ = ["Table"]

NOTHING: Mapping[int | None, Shaped[Tensor, " R"]] = MappingProxyType({})
NO_FIDELITIES: Mapping[int, Mapping[str, Shaped[Tensor, " R"]]] = MappingProxyType({})


class Table(Evaluator):
    """Looks architectures up in a table of measurements.

    Architectures measured several times, and isomorphic encodings measured separately, are one
    entry with the mean of what was measured (NaN counts as not measured). Every architecture
    whose values `label` or `evaluate` gave out counts once in `labels_used`, whether the table
    has it or not.

    Args:
        space: The space of the architectures.
        x: Valid choice indices of the measured rows.
        columns: One ``[R]`` column per metric, in the metric's unit; NaN where not measured.
        metrics: The metrics of the columns, by name.
        lower: Columns of some of the metrics at fidelities below the full one, by fidelity.
        seconds: What a measurement cost, by fidelity; None stands for the full one.
        task: What the architectures were built for; the space's own task by default.

    Attributes:
        fidelities: Those of ``lower``, ascending.
        measured_rows: Number of rows given.

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

    batched = True

    def __init__(
        self,
        space: Space,
        x: Int[Tensor, "R V"],
        columns: Mapping[str, Shaped[Tensor, " R"]],
        metrics: dict[str, Metric],
        *,
        lower: Mapping[int, Mapping[str, Shaped[Tensor, " R"]]] = NO_FIDELITIES,
        seconds: Mapping[int | None, Shaped[Tensor, " R"]] = NOTHING,
        task: Task | None = None,
    ) -> None:
        super().__init__(space, metrics, task=task)
        if not len(x):
            raise TableError("The table has no rows.", "Give at least one architecture.")
        if set(columns) != set(metrics) or any(set(some) - set(metrics) for some in lower.values()):
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
        self._rows: Int[Tensor, "A V"] = canonical[first[appearance]]
        self._hashes = distinct
        self._position = appearance.argsort()
        self.fidelities = tuple(sorted(lower))
        self._columns = {
            fidelity: {
                name: _means(column.double(), self._position[entry], len(distinct))
                for name, column in some.items()
            }
            for fidelity, some in ((None, columns), *lower.items())
        }
        self._seconds = {
            fidelity: _means(column.double(), self._position[entry], len(distinct))
            for fidelity, column in seconds.items()
        }
        self._labelled: dict[int | None, set[int]] = {f: set() for f in self._columns}

    @property
    def rows(self) -> Int[Tensor, "A V"]:
        """Canonical choice indices of the distinct architectures, in order of appearance."""
        return self._rows

    @property
    def architecture_count(self) -> int:
        """Number of distinct architectures in the table."""
        return len(self._rows)

    @property
    def labels_used(self) -> int:
        """Number of distinct architectures looked up in full through `label` and `evaluate`."""
        return self.labels_at(None)

    def labels_at(self, fidelity: int | None) -> int:
        """Returns the number of distinct architectures looked up at a fidelity.

        Args:
            fidelity: One of `fidelities`, or None for the full one.

        Raises:
            UsageError: For another fidelity.
        """
        return len(self._labelled[self._checked(fidelity)])

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        columns = self._columns[self._checked(fidelity)]
        found, position = self._find(x)
        return {
            name: torch.where(found, column[position], math.nan) for name, column in columns.items()
        }

    def seconds(self, x: Int[Tensor, "B V"], fidelity: int | None = None) -> Float[Tensor, " B"]:
        """Looks up what measurements cost, which counts no label; 0 where the table does not say.

        Args:
            x: Valid choice indices.
            fidelity: One of `fidelities`, or None for the full one.
        """
        if fidelity not in self._seconds:
            return torch.zeros(len(x), dtype=torch.float64)
        found, position = self._find(x)
        return torch.where(found, self._seconds[fidelity][position], 0.0).nan_to_num()

    def label(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        values = self.values(x, fidelity)
        self._labelled[fidelity].update(self.space.hashes(x).tolist())
        return values

    def is_labelled(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which rows were labelled in full before."""
        known = self._labelled[None]
        return torch.tensor([h in known for h in self.space.hashes(x).tolist()]).bool()

    def has(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        return torch.isin(self.space.hashes(x), self._hashes)

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        x = torch.tensor([architecture.indices])
        metrics = {name: float(value) for name, value in self.label(x, fidelity).items()}
        missing = [name for name, value in metrics.items() if math.isnan(value)]
        if missing:
            reason = f"no {', '.join(missing)}" if bool(self.has(x)) else "not in the table"
            return Evaluation(
                architecture, {}, "failed", reason=reason, fidelity=fidelity, seed=seed
            )
        seconds = float(self.seconds(x, fidelity))
        return Evaluation(architecture, metrics, fidelity=fidelity, seed=seed, seconds=seconds)

    def _find(self, x: Int[Tensor, "B V"]) -> tuple[Bool[Tensor, " B"], Int[Tensor, " B"]]:
        """Which rows are in the table, and where."""
        hashes = self.space.hashes(x)
        place = torch.searchsorted(self._hashes, hashes).clamp(max=len(self._hashes) - 1)
        return self._hashes[place] == hashes, self._position[place]

    def _checked(self, fidelity: int | None) -> int | None:
        if fidelity not in self._columns:
            known = ", ".join(map(str, self.fidelities)) or "none below the full one"
            raise UsageError(
                f"The table has nothing at fidelity {fidelity}.", f"Its fidelities: {known}."
            )
        return fidelity


def _means(
    column: Float[Tensor, " R"], position: Int[Tensor, " R"], size: int
) -> Float[Tensor, " A"]:
    """Mean of what was measured of every entry; NaN where nothing was."""
    measured = ~column.isnan()
    zeros = torch.zeros(size, dtype=torch.float64)
    total = zeros.index_add(0, position[measured], column[measured])
    return total / zeros.index_add(0, position[measured], measured[measured].double())
