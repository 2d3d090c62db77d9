"""Tables of one's own: any file of a known format with an architecture column."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.cells import NotANumberError, decimal_marks, is_missing, read_numbers
from ...core.errors import ArchitectureError, TableError, nearest
from ...core.frames import Frame, read_frame
from ...core.npz import Column
from ...core.units import factor, split_unit, unit_of
from ...spaces import Space, Task
from ..metric import Metric, metric_of
from .metric_terms import SECONDS, MetricTerm, metric_name, parse_metric_terms, table_options
from .table import Table

__all__ = ["UserTable"]

_SAY = logging.getLogger(__name__)
INDEX = "index"
# Columns of numbers that say which row it is or how it was measured, not what came.
NO_METRICS = {
    "batch_size", "epoch", "epochs", "fidelity", "fold", "id", "iteration", "number", "run",
    "seed", "step", "steps", "timestamp", "trial", "trial_id",
}  # fmt: skip


class UserTable(Table):
    """Measurements from tables (see `read_frame`), of architectures as strings.

    One file holds the architectures; others are joined to it on the architecture column, or on
    a column named ``index`` where they lack that. An architecture written several times, or in
    isomorphic encodings, has the mean of its values. Rows that lack the value of any metric are
    left out.

    Args:
        space: The space of the architectures.
        files: The files, the one with the architectures first. Nothing in them is unpickled.
        architecture_column: Column of native strings.
        metrics: Which columns to read: ``"accuracy=c10_valid_e200, latency[ms]=pixel3:lower"``.
            A term is a name, the unit in brackets, the column (the name by default) and the
            better direction. ``accuracy@12=c10_valid_e12`` gives ``accuracy`` at fidelity 12 as
            well (for example, after 12 epochs), and ``seconds=…`` and ``seconds@12=…`` what a
            measurement cost. By default the better direction is ``lower`` for names that start
            with latency, params, macs, energy, flops, loss or size, ``higher`` for all others,
            and the unit is that of the cells (``4.2 ms``), else of the header (``Latency [ms]``),
            else that of a name which ends in ``_ms``, ``_us`` or ``_s``. Blank for every column
            whose cells are numbers or missing, but those that only count, such as seeds.
            ``decimal=,`` among the terms says the decimal mark where the file leaves it open.
        decimal: The same by keyword.
        task: What the architectures were built for; the space's own task by default.

    Attributes:
        dropped_rows: Number of rows that lacked a value.

    Raises:
        TableError: For a file that is missing, ragged, of another kind or holds pickles; a
            missing column; a value that is no number or impossible in its unit; a string that is
            no architecture of the space; files that cannot be joined.
        UsageError: For a malformed ``metrics``, or a metric that is given only at a lower fidelity.

    Example:
        >>> import tempfile
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> file = Path(tempfile.mkdtemp()) / "mine.csv"
        >>> with file.open("w") as lines:
        ...     print(
        ...         "arch_str,acc",
        ...         f"{cells.to_string(cells.example)},93.5",
        ...         sep=chr(10),
        ...         file=lines,
        ...     )
        >>> table = UserTable(cells, [file], metrics="accuracy[%]=acc")
        >>> table.evaluate(cells.example).metrics
        {'accuracy': 93.5}
    """

    finished = True

    def __init__(
        self,
        space: Space,
        files: Sequence[Path],
        *,
        architecture_column: str = "arch_str",
        metrics: str = "",
        decimal: str = "",
        task: Task | None = None,
    ) -> None:
        given = table_options(metrics)
        frames = [read_frame(path) for path in files]
        for frame in frames:
            if frame.separator:
                _SAY.info("%s: cells are parted by %s.", frame.name, frame.separator)
        main = frames[0]
        hint = (
            "Say which holds the architectures: --architecture-column NAME, or FILE:column=NAME. "
        )
        keys = {architecture_column, INDEX}
        strings = _find(architecture_column, [main], hint)[1]
        there = _there(strings)
        x = _rows(space, strings, there, main.name)
        reader = _Reader(frames, decimal or given.get("decimal", ""))
        headers = list(dict.fromkeys(header for frame in frames for header in frame.columns))
        terms = parse_metric_terms(given.get("metrics", ""), headers)
        read = [reader.named(term) for term in terms] if terms else reader.all_numbers(keys)
        columns: dict[tuple[str, int | None], Float[Tensor, " R"]] = {}
        for file, column in read:
            measured = column.measured
            if file is main:
                measured = measured[there]
            else:
                measured = _joined(measured, file, main, x, there, space, architecture_column)
            _check_bounds(column.metric, column.term.column, measured, file)
            columns[column.term.name, column.term.fidelity] = measured
        kept = torch.stack([column.isfinite() for column in columns.values()]).all(0)
        self.dropped_rows = len(strings) - int(kept.sum())
        if not kept.any():
            raise TableError(
                f"No row of {main.name} has a value of every metric.",
                f"Metrics: {', '.join(name for name, _ in columns)}.",
            )
        if self.dropped_rows:
            lacking = {
                name: int((~column.isfinite()).sum()) for (name, _), column in columns.items()
            }
            reasons = {"an architecture": len(strings) - len(x), **lacking}
            _SAY.warning(
                "%s: %d of %d rows are left out: %s.",
                main.name,
                self.dropped_rows,
                len(strings),
                ", ".join(f"{number} without {name}" for name, number in reasons.items() if number),
            )
        measures: dict[int | None, dict[str, Float[Tensor, " R"]]] = {None: {}}
        seconds: dict[int | None, Float[Tensor, " R"]] = {}
        for (name, fidelity), values in columns.items():
            if name == SECONDS:
                seconds[fidelity] = values[kept]
            else:
                measures.setdefault(fidelity, {})[name] = values[kept]
        super().__init__(
            space,
            x[kept],
            measures.pop(None),
            {column.term.name: column.metric for _, column in read if column.term.measures},
            lower={f: some for f, some in measures.items() if f is not None},
            seconds=seconds,
            task=task,
        )


@dataclass(frozen=True)
class _Column:
    """A column as numbers, and what it measures."""

    term: MetricTerm
    metric: Metric
    measured: Float[Tensor, " R"]


class _Reader:
    """Reads the columns of metrics from the files, and says what it made of them.

    Args:
        files: The one with the architectures first.
        decimal: The decimal mark, where it was said.
    """

    def __init__(self, files: Sequence[Frame], decimal: str) -> None:
        self.files, self.decimal = files, decimal

    def named(self, term: MetricTerm) -> tuple[Frame, _Column]:
        """The column that a term names."""
        frame, values = _find(term.column, self.files)
        try:
            return frame, self._read(term, frame, values)
        except NotANumberError as error:
            raise TableError(
                f"Row {error.row + 1} of {frame.name} has {error.cell!r} in the column "
                f"{term.column!r}: {error.why}.",
                "Leave cells without a value empty.",
            ) from None

    def all_numbers(self, keys: set[str]) -> list[tuple[Frame, _Column]]:
        """Every column whose cells that are not missing are numbers, but those that only count."""
        found: dict[str, tuple[Frame, _Column]] = {}
        reasons: list[str] = []
        for frame in self.files:
            passed_over = []
            for header, values in frame.columns.items():
                if header in keys or header in {each.term.column for _, each in found.values()}:
                    continue
                if header.lower() in NO_METRICS:
                    passed_over.append(header)
                    continue
                name = metric_name(header)
                if name in found:
                    raise TableError(
                        f"The columns {found[name][1].term.column!r} and {header!r} would both be "
                        f"the metric {name!r}.",
                        f"Name them with `metrics`, e.g. '{name}={header}'.",
                    )
                try:
                    read = self._read(MetricTerm(name, header), frame, values)
                except NotANumberError as error:
                    reasons.append(f"{header!r} has {error.cell!r} in row {error.row + 1}")
                    if _mostly_numbers(values):
                        _SAY.warning(
                            "%s: the column %r is left out: row %d has %r, and %s.",
                            frame.name, header, error.row + 1, error.cell, error.why,
                        )  # fmt: skip
                    continue
                if bool(read.measured.isfinite().any()):
                    found[name] = frame, read
            if passed_over:
                _SAY.warning(
                    "%s: not taken for metrics: %s. Name them with --metrics if they are.",
                    frame.name,
                    ", ".join(passed_over),
                )
        if not found:
            raise TableError(
                f"{self.files[0].name} has no column of numbers.",
                "Add one, or name the columns with `metrics`."
                + (f" No numbers: {'; '.join(reasons[:3])}." if reasons else ""),
            )
        return list(found.values())

    def _read(self, term: MetricTerm, frame: Frame, values: Column) -> _Column:
        if values.dtype.kind not in "iufbUS":
            raise NotANumberError(0, str(values[0]), f"its type is {values.dtype}")
        numbers = read_numbers(
            values,
            term.column,
            decimal=self.decimal,
            elsewhere=lambda: self._marks(frame, term.column),
        )
        measured = torch.from_numpy(numbers.values.copy())
        there = numbers.unit or split_unit(term.column)[1]
        unit = there if term.unit is None else unit_of(term.unit.strip())
        metric = metric_of(term.name, unit or term.unit, term.better)
        by = factor(there, metric.unit) if there else None
        if by is not None and there != metric.unit:
            measured = measured * float(by)
        said = [f"its decimal mark is {numbers.decimal!r}"] if numbers.decimal else []
        said += [f"it is in {metric.unit}"] if there else []
        said += [f"it is the metric {term.name}"] if term.name != term.column else []
        if said:
            _SAY.info("%s: column %r: %s.", frame.name, term.column, ", ".join(said))
        return _Column(term, metric, measured)

    def _marks(self, frame: Frame, header: str) -> set[str]:
        return decimal_marks([v for name, v in frame.columns.items() if name != header])


def _mostly_numbers(values: Column) -> bool:
    """Whether a column of text was meant to hold numbers."""
    if values.dtype.kind not in "US":
        return False
    found = 0
    for cell in values.tolist():
        try:
            found += bool(np.isfinite(read_numbers(np.array([cell]), "", decimal=".").values[0]))
        except NotANumberError:
            continue
    return 2 * found > len(values)


def _find(name: str, files: Sequence[Frame], hint: str = "") -> tuple[Frame, Column]:
    """The column of the first file that has it."""
    for file in files:
        if name in file.columns:
            return file, file.columns[name]
    known = sorted({column for file in files for column in file.columns})
    guess = nearest(name, known)
    raise TableError(
        f"{', '.join(file.name for file in files)}: there is no column {name!r}.",
        (f"Did you mean {guess!r}? " if guess else "") + f"{hint}Columns: {', '.join(known)}.",
    )


def _there(strings: Column) -> Bool[Tensor, " R"]:
    """Which rows have an architecture."""
    if strings.dtype.kind not in "US":
        return torch.ones(len(strings), dtype=torch.bool)
    texts = (cell.decode(errors="replace") if isinstance(cell, bytes) else cell for cell in strings)
    return torch.tensor([not is_missing(text) for text in texts])


def _rows(
    space: Space, strings: Column, there: Bool[Tensor, " R"], file: str
) -> Int[Tensor, "A V"]:
    """Reads the strings that are there; the first that is none is named by its row."""
    # Some benchmarks number their architectures.
    if strings.dtype.kind not in "USiu":
        raise TableError(
            f"The architectures of {file} are of type {strings.dtype}, not strings.",
            f"One is written like {space.to_string(space.example)!r}.",
        )
    numbers = there.nonzero()[:, 0].tolist()
    if not numbers:
        raise TableError(f"{file} has no architectures.", "Give at least one.")
    rows = []
    for number in numbers:
        cell = strings[number]
        text = cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
        try:
            rows.append(space.from_string(text))
        except ArchitectureError as error:
            raise TableError(f"Row {number + 1} of {file}: {error.message}", error.hint) from error
    x = torch.tensor(rows)
    invalid = (~space.is_valid(x)).nonzero()[:, 0].tolist()
    if invalid:
        row = numbers[invalid[0]]
        raise TableError(
            f"Row {row + 1} of {file}: {str(strings[row])!r} breaks a constraint of {space.name}.",
            "Leave it out.",
        )
    return x


def _joined(
    measured: Float[Tensor, " S"],
    file: Frame,
    main: Frame,
    x: Int[Tensor, "A V"],
    there: Bool[Tensor, " R"],
    space: Space,
    architecture_column: str,
) -> Float[Tensor, " A"]:
    """Values of another file by the main one's architectures; NaN where it has none."""
    if architecture_column in file.columns:
        strings = file.columns[architecture_column]
        known = _there(strings)
        theirs = _rows(space, strings, known, file.name)
        metric = Metric("value", "", "higher")
        return Table(space, theirs, {"value": measured[known]}, {"value": metric}).values(x)[
            "value"
        ]
    if INDEX not in file.columns or INDEX not in main.columns:
        raise TableError(
            f"{file.name} cannot be joined to {main.name}.",
            f"Both need the column {architecture_column!r}, or both a column {INDEX!r}.",
        )
    theirs_at = {str(key): row for row, key in enumerate(file.columns[INDEX].tolist())}
    if len(theirs_at) < len(measured):
        raise TableError(
            f"The column {INDEX!r} of {file.name} repeats values.",
            "Give every row its own index.",
        )
    place = [theirs_at.get(str(key), -1) for key in main.columns[INDEX].tolist()]
    padded = torch.cat([measured, torch.tensor([math.nan], dtype=torch.float64)])
    return padded[place][there]


def _check_bounds(metric: Metric, column: str, measured: Float[Tensor, " R"], file: Frame) -> None:
    low, high = metric.bounds
    outside = measured[(measured < low) | (measured > high)]
    if len(outside):
        raise TableError(
            f"The column {column!r} of {file.name} holds {float(outside[0]):g}, impossible "
            f"for {metric.name!r} in {metric.unit!r}.",
            "Give the right unit in brackets, e.g. 'accuracy[%]=…'.",
        )
