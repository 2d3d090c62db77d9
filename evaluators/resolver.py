"""From a data set's name, or a table's path, to the evaluator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.metadata import entry_points
from pathlib import Path
from typing import ClassVar, Protocol

from ..core.errors import UnknownNameError
from ..spaces import Space
from .evaluator import Evaluator
from .tables.analog_nasbench import AnalogNASBench
from .tables.nas_bench_graph import NASBenchGraphTable
from .tables.user_table import UserTable

__all__ = ["ENTRY_POINT_GROUP", "NamedEvaluator", "data_sets", "evaluator"]

ENTRY_POINT_GROUP = "vitruvius.evaluators"


class NamedEvaluator(Protocol):
    """An evaluator class found by data-set name.

    Attributes:
        serves: Name of the space whose architectures it evaluates.
        data_sets: The names it answers to.
    """

    serves: ClassVar[str]
    data_sets: ClassVar[tuple[str, ...]]

    @classmethod
    def load(cls, data_set: str) -> Evaluator:
        """Makes the evaluator of a data set of `data_sets`."""


_SHIPPED: tuple[type[NamedEvaluator], ...] = (NASBenchGraphTable, AnalogNASBench)


def data_sets(space_name: str) -> list[str]:
    """Lists the data sets known for a space, of what ships and of installed packages.

    Example:
        >>> data_sets("nasbench201")
        ['analog']
    """
    return sorted(name for kind in _serving(space_name) for name in kind.data_sets)


def evaluator(
    space: Space,
    data: str | Path,
    *,
    architecture_column: str = "arch_str",
    metrics: str = "",
    tables: Sequence[str | Path] = (),
) -> Evaluator:
    """Returns the evaluator of a data set by name, or of a table by path.

    Args:
        space: Whose architectures to evaluate.
        data: One of `data_sets`, or the path of a ``.npz`` or ``.csv`` file (see `UserTable`).
        architecture_column: The file's column of native strings.
        metrics: The file's columns to read, e.g. ``"accuracy=c10_valid_e200"``.
        tables: More files to join to it.

    Raises:
        UnknownNameError: Where it is neither a data set of this space nor a path.
        TableError: Where the table cannot be read.
        MissingExtraError: Where the package that brings the data set is not installed.

    Example:
        >>> from vitruvius.spaces import space
        >>> evaluator(space("nas-bench-graph"), "cora").task.classes
        7
    """
    for kind in _serving(space.name):
        if data in kind.data_sets:
            return kind.load(str(data))
    path = Path(data)
    if not (path.is_file() or path.suffix or len(path.parts) > 1):
        raise UnknownNameError.of(
            f"data set of {space.name}",
            str(data),
            data_sets(space.name),
            "Or give the path of a .npz or .csv table.",
        )
    return UserTable(
        space,
        [path, *map(Path, tables)],
        architecture_column=architecture_column,
        metrics=metrics,
    )


def _serving(space_name: str) -> Iterator[type[NamedEvaluator]]:
    plugged = (point.load() for point in entry_points(group=ENTRY_POINT_GROUP))
    return (kind for kind in (*_SHIPPED, *plugged) if kind.serves == space_name)
