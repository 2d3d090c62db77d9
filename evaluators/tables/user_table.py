"""Tables of one's own: any .npz or CSV file with an architecture column."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import ArchitectureError, TableError, UsageError, nearest
from ...core.npz import Column, read_npz
from ...spaces import Space, Task
from ..metric import Better, Metric
from .table import Table

__all__ = ["UserTable", "metric_of"]

INDEX = "index"
LOWER_IS_BETTER = ("latency", "params", "macs", "energy", "flops", "loss", "size")
UNIT_SUFFIXES = {"_ms": "ms", "_us": "us", "_s": "s"}
BOUNDS = {
    "fraction": (0.0, 1.0),
    "%": (0.0, 100.0),
    "s": (0.0, math.inf),
    "ms": (0.0, math.inf),
    "us": (0.0, math.inf),
}
# Not a metric, but what a measurement cost.
SECONDS = "seconds"
_TERM = re.compile(
    r"(?P<name>[A-Za-z_][\w.]*)(?:@(?P<fidelity>\d+))?\s*(?:\[(?P<unit>[^\[\]]*)\])?\s*(?:=\s*(?P<column>[^:=]+?))?\s*"
    r"(?::\s*(?P<better>\w+))?"
)


@dataclass(frozen=True)
class _File:
    path: Path
    columns: Mapping[str, Column]

    @property
    def length(self) -> int:
        return len(next(iter(self.columns.values())))


class UserTable(Table):
    """Measurements from ``.npz`` or CSV files, of architectures as native strings.

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
            and the unit is that of a name which ends in ``_ms``, ``_us`` or ``_s``. Blank for
            every column of numbers.
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

    def __init__(
        self,
        space: Space,
        files: Sequence[Path],
        *,
        architecture_column: str = "arch_str",
        metrics: str = "",
        task: Task | None = None,
    ) -> None:
        main, *others = (_read(Path(path)) for path in files)
        strings = _column(architecture_column, [main])[1]
        keys = {architecture_column, INDEX}
        wanted = _parse_metrics(metrics) or _all_numbers([main, *others], keys)
        x = _rows(space, strings, main.path.name)
        columns: dict[tuple[str, int | None], Float[Tensor, " R"]] = {}
        for term in wanted:
            file, values = _column(term.column, [main, *others])
            measured = _numbers(values, term.column, file)
            if file is not main:
                measured = _joined(measured, file, main, x, space, architecture_column)
            _check_bounds(term.metric, term.column, measured, file)
            columns[term.metric.name, term.fidelity] = measured
        kept = torch.stack([column.isfinite() for column in columns.values()]).all(0)
        self.dropped_rows = len(x) - int(kept.sum())
        if not kept.any():
            raise TableError(
                f"No row of {main.path.name} has a value of every metric.",
                f"Metrics: {', '.join(name for name, _ in columns)}.",
            )
        measures: dict[int | None, dict[str, Float[Tensor, " R"]]] = {None: {}}
        seconds: dict[int | None, Float[Tensor, " R"]] = {}
        for (name, fidelity), column in columns.items():
            if name == SECONDS:
                seconds[fidelity] = column[kept]
            else:
                measures.setdefault(fidelity, {})[name] = column[kept]
        super().__init__(
            space,
            x[kept],
            measures.pop(None),
            {term.metric.name: term.metric for term in wanted if term.measures},
            lower={f: some for f, some in measures.items() if f is not None},
            seconds=seconds,
            task=task,
        )


@dataclass(frozen=True)
class _Term:
    metric: Metric
    fidelity: int | None
    column: str

    @property
    def measures(self) -> bool:
        """Whether it is a metric in full."""
        return self.fidelity is None and self.metric.name != SECONDS


def _parse_metrics(text: str) -> list[_Term]:
    """Reads ``name@fidelity[unit]=column:better`` terms."""
    wanted: list[_Term] = []
    for term in text.split(",") if text.strip() else []:
        match = _TERM.fullmatch(term.strip())
        better = match and match["better"]
        if match is None or better not in (None, "higher", "lower"):
            raise UsageError(
                f"{term.strip()!r} does not say which column holds a metric.",
                "Write e.g. 'accuracy=c10_valid_e200, latency[ms]=lat_ms_pixel3:lower'.",
            )
        name, fidelity = match["name"], int(match["fidelity"]) if match["fidelity"] else None
        if (name, fidelity) in {(given.metric.name, given.fidelity) for given in wanted}:
            raise UsageError(f"The metric {name!r} is given twice.", "Use two different names.")
        unit = "s" if name == SECONDS and match["unit"] is None else match["unit"]
        metric = metric_of(name, unit, better)
        wanted.append(_Term(metric, fidelity, _bare(match["column"] or term)))
    full = {given.metric.name for given in wanted if given.measures}
    for given in wanted:
        if given.metric.name not in (*full, SECONDS):
            raise UsageError(
                f"The metric {given.metric.name!r} is given at fidelity {given.fidelity} only.",
                f"Name its column at the full fidelity too: '{given.metric.name}=…'.",
            )
    if wanted and not full:
        raise UsageError(f"{text!r} names no metric.", "Write e.g. 'accuracy=c10_valid_e200'.")
    return wanted


def _bare(column: str) -> str:
    return re.split(r"[\[:@]", column)[0].strip()


def metric_of(name: str, unit: str | None = None, better: str | None = None) -> Metric:
    """Makes a metric, with the unit and direction that follow from its name where not given.

    Args:
        name: Its name.
        unit: By default that of a name that ends in ``_ms``, ``_us`` or ``_s``.
        better: By default ``"lower"`` for names that start as those of costs do.

    Example:
        >>> metric_of("latency_ms").unit, metric_of("latency_ms").better
        ('ms', 'lower')
    """
    if unit is None:
        unit = next((u for end, u in UNIT_SUFFIXES.items() if name.endswith(end)), "")
    default: Better = "lower" if name.startswith(LOWER_IS_BETTER) else "higher"
    direction: Better = {"higher": "higher", "lower": "lower"}.get(better or "", default)  # type: ignore[assignment]
    return Metric(name, unit.strip(), direction, BOUNDS.get(unit.strip(), (-math.inf, math.inf)))


def _all_numbers(files: list[_File], keys: set[str]) -> list[_Term]:
    names = dict.fromkeys(
        name
        for file in files
        for name, values in file.columns.items()
        if name not in keys and (values.dtype.kind in "iufb" or _is_numeric(values))
    )
    if not names:
        raise TableError(
            f"{files[0].path.name} has no column of numbers.",
            "Add one, or name the columns with `metrics`.",
        )
    return [_Term(metric_of(name), None, name) for name in names]


def _is_numeric(values: Column) -> bool:
    try:
        values.astype(np.float64)
    except ValueError:
        return False
    return True


def _read(path: Path) -> _File:
    readers = {".npz": _read_npz, ".csv": _read_csv}
    if not path.is_file():
        raise TableError(f"There is no file {str(path)!r}.", "Is the path right?")
    if path.suffix.lower() not in readers:
        raise TableError(f"{path.name} is no table that can be read.", "Use a .npz or a .csv file.")
    columns = readers[path.suffix.lower()](path)
    if not columns:
        raise TableError(f"{path.name} has no columns.", "It needs one array per column.")
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise TableError(
            f"The columns of {path.name} differ in length: {short!r} has {lengths[short]} rows, "
            f"{long!r} has {lengths[long]}.",
            "Give every column one value per architecture.",
        )
    if not next(iter(lengths.values())):
        raise TableError(f"{path.name} has no rows.", "Give at least one architecture.")
    return _File(path, columns)


def _read_npz(path: Path) -> dict[str, Column]:
    return {name: array for name, array in read_npz(path).items() if array.ndim == 1}


def _read_csv(path: Path) -> dict[str, Column]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = [line for line in csv.reader(file, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise TableError(f"{path.name} is no CSV file: {error}.", "Save it as UTF-8.") from None
    if not lines:
        raise TableError(f"{path.name} is empty.", "Its first line names the columns.")
    header = [name.strip() for name in lines[0]]
    if len(set(header)) < len(header):
        twice = next(name for name in header if header.count(name) > 1)
        raise TableError(f"{path.name} has two columns {twice!r}.", "Rename one of them.")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(header):
            raise TableError(
                f"Row {number} of {path.name} has {len(line)} cells, "
                f"its header names {len(header)} columns.",
                "Quote cells that contain commas.",
            )
    columns = zip(*lines[1:], strict=True) if lines[1:] else ([] for _ in header)
    return {
        name: np.array([cell.strip() for cell in cells], dtype=str)
        for name, cells in zip(header, columns, strict=True)
    }


def _column(name: str, files: list[_File]) -> tuple[_File, Column]:
    """The column of the first file that has it."""
    for file in files:
        if name in file.columns:
            return file, file.columns[name]
    known = sorted({column for file in files for column in file.columns})
    guess = nearest(name, known)
    raise TableError(
        f"{', '.join(file.path.name for file in files)}: there is no column {name!r}.",
        (f"Did you mean {guess!r}? " if guess else "") + f"Columns: {', '.join(known)}.",
    )


def _numbers(values: Column, name: str, file: _File) -> Float[Tensor, " R"]:
    """The column as numbers; empty cells are NaN."""
    if values.dtype.kind in "iufb":
        return torch.from_numpy(values.astype(np.float64))
    numbers = np.full(len(values), np.nan)
    for row, cell in enumerate(values.tolist()):
        text = cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)
        try:
            numbers[row] = float(text or "nan")
        except ValueError:
            raise TableError(
                f"Row {row + 1} of {file.path.name} has {text!r} in the column {name!r}.",
                "Leave cells without a value empty.",
            ) from None
    return torch.from_numpy(numbers)


def _rows(space: Space, strings: Column, file: str) -> Int[Tensor, "R V"]:
    """Reads native strings; the first that is none is named by its row."""
    if strings.dtype.kind not in "US":
        raise TableError(
            f"The architectures of {file} are of type {strings.dtype}, not strings.",
            f"One is written like {space.to_string(space.example)!r}.",
        )
    rows = []
    for number, cell in enumerate(strings.tolist(), start=1):
        text = cell.decode(errors="replace") if isinstance(cell, bytes) else cell
        try:
            rows.append(space.from_string(text))
        except ArchitectureError as error:
            raise TableError(f"Row {number} of {file}: {error.message}", error.hint) from error
    x = torch.tensor(rows)
    invalid = (~space.is_valid(x)).nonzero()[:, 0].tolist()
    if invalid:
        raise TableError(
            f"Row {invalid[0] + 1} of {file}: {strings[invalid[0]]!r} breaks a constraint of "
            f"{space.name}.",
            "Leave it out.",
        )
    return x


def _joined(
    measured: Float[Tensor, " S"],
    file: _File,
    main: _File,
    x: Int[Tensor, "R V"],
    space: Space,
    architecture_column: str,
) -> Float[Tensor, " R"]:
    """Values of another file in the order of the main one's rows; NaN where it has none."""
    if architecture_column in file.columns:
        theirs = _rows(space, file.columns[architecture_column], file.path.name)
        metric = Metric("value", "", "higher")
        return Table(space, theirs, {"value": measured}, {"value": metric}).values(x)["value"]
    if INDEX not in file.columns or INDEX not in main.columns:
        raise TableError(
            f"{file.path.name} cannot be joined to {main.path.name}.",
            f"Both need the column {architecture_column!r}, or both a column {INDEX!r}.",
        )
    theirs_at = {str(key): row for row, key in enumerate(file.columns[INDEX].tolist())}
    if len(theirs_at) < len(measured):
        raise TableError(
            f"The column {INDEX!r} of {file.path.name} repeats values.",
            "Give every row its own index.",
        )
    place = [theirs_at.get(str(key), -1) for key in main.columns[INDEX].tolist()]
    padded = torch.cat([measured, torch.tensor([math.nan], dtype=torch.float64)])
    return padded[place]


def _check_bounds(metric: Metric, column: str, measured: Float[Tensor, " R"], file: _File) -> None:
    low, high = metric.bounds
    outside = measured[(measured < low) | (measured > high)]
    if len(outside):
        raise TableError(
            f"The column {column!r} of {file.path.name} holds {float(outside[0]):g}, impossible "
            f"for {metric.name!r} in {metric.unit!r}.",
            "Give the right unit in brackets, e.g. 'accuracy[%]=…'.",
        )
