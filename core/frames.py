"""Tables of any file format, as columns of numbers and of text."""

from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cells import is_missing
from .compressed import ENDINGS, read_bytes, suffix_of
from .errors import TableError, UsageError
from .npz import Column, read_npz
from .optional import optional_import
from .texts import decode, numbered_lines

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["KINDS", "SUFFIXES", "Frame", "is_table", "parse_delimited", "read_frame"]

_SAY = logging.getLogger(__name__)
# In order of preference, where several part all lines into as many cells.
_SEPARATORS = {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "|", r"\s+": "spaces"}
# Parts no line: for a file of one column.
_NO_SEPARATOR = "\x1f"
# Headers of what had none: the index of a data frame, or what follows a last separator.
_UNNAMED = re.compile(r"(?:Unnamed: \d+)?")
_EXCEL_SAYS = re.compile(r"sep=(.)", re.IGNORECASE)


@dataclass(frozen=True)
class Frame:
    """A table.

    Args:
        name: Of the file.
        columns: By header, all of one length; numbers, or text in which a missing cell is blank.
        separator: What parts its cells in words, where that is not a comma; else blank.
    """

    name: str
    columns: Mapping[str, Column]
    separator: str = ""

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))


def is_table(path: str | Path) -> bool:
    """Whether a path ends as those of tables do.

    Args:
        path: The path, whether it is there or not.

    Example:
        >>> is_table("results.csv.gz"), is_table("results.parquet.gz")
        (True, False)
    """
    return str(path).lower().endswith(SUFFIXES)


def read_frame(path: str | Path) -> Frame:
    r"""Reads a table; nothing in it is unpickled or run.

    ============================  ================================================================
    ``.csv``, ``.tsv``, ``.txt``  text; what parts its cells is found
    ``.npz``                      one array a column
    ``.jsonl``, ``.ndjson``       one JSON object a line
    ``.json``                     a list of objects, or an object of columns
    ``.parquet``, ``.feather``    where pyarrow is installed
    ``.xlsx``                     its first sheet, where openpyxl is installed
    ============================  ================================================================

    Text may be compressed: ``.csv.gz``, ``.csv.bz2``, ``.csv.xz``, and so on.

    Rows without any value are left out, and columns without header that only count the rows.

    Args:
        path: The file.

    Raises:
        TableError: For a file that is missing, broken, ragged or of another kind.
        MissingExtraError: Where the package that reads it is not installed.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mine.csv"
        >>> _ = file.write_text("arch;acc\na;79,1")
        >>> frame = read_frame(file)
        >>> frame.separator, frame.columns["acc"].tolist()
        ('semicolons', ['79,1'])
    """
    path = Path(path)
    reader = _READERS[suffix_of(path)] if is_table(path) else None
    if not path.is_file():
        raise TableError(f"There is no file {str(path)!r}.", "Is the path right?")
    if reader is None:
        raise TableError(
            f"{path.name} is no table that can be read.", f"Use one of {', '.join(KINDS)}."
        )
    try:
        frame = reader(path)
    except TableError:
        raise
    except UsageError as error:
        raise TableError(error.message, error.hint) from None
    except OSError as error:
        raise TableError(f"{path.name} cannot be read: {error.strerror or error}.") from None
    return _checked(frame)


def parse_delimited(text: str, name: str) -> Frame:
    r"""Reads a table of text; what parts its cells is found by trying.

    Args:
        text: Its first line names the columns.
        name: What the table is called in errors.

    Raises:
        TableError: Where it is empty, or its lines have not as many cells as its header.

    Example:
        >>> frame = parse_delimited("arch\tacc\n[0,1]|a\t93.1", "mine.tsv")
        >>> frame.separator, frame.columns["arch"].tolist()
        ('tabs', ['[0,1]|a'])
    """
    lines = numbered_lines(text)
    if not lines:
        raise TableError(f"{name} is empty.", "Its first line names the columns.")
    said = _EXCEL_SAYS.fullmatch(lines[0][1])
    if said and len(lines) > 1:
        text = "\n".join(text.split("\n")[lines[0][0] :])
        return _of_rows(name, _split(text, said[1], name), _SEPARATORS.get(said[1], said[1]))
    header = lines[0][1]
    found: tuple[str, pd.DataFrame] | None = None
    failures: dict[str, TableError] = {}
    for separator in (each for each in _SEPARATORS if re.search(_pattern(each), header)):
        if separator == r"\s+" and (found or failures):
            break
        try:
            rows = _split(text, separator, name)
        except TableError as error:
            failures[separator] = error
            continue
        if found is None or rows.shape[1] > found[1].shape[1]:
            found = separator, rows
    if found is None and not set(failures) - {r"\s+"}:
        found = ",", _split(text, _NO_SEPARATOR, name)
    if found is None:
        raise max(failures.items(), key=lambda pair: header.count(pair[0]))[1]
    separator, rows = found
    return _of_rows(name, rows, "" if separator == "," else _SEPARATORS[separator])


def _pattern(separator: str) -> str:
    return separator if separator == r"\s+" else re.escape(separator)


def _split(text: str, separator: str, name: str) -> pd.DataFrame:
    """All lines, the header among them, as cells of text."""
    import pandas as pd

    try:
        rows = pd.read_csv(
            io.StringIO(text),
            sep=separator,
            header=None,
            dtype=str,
            keep_default_na=False,
            skipinitialspace=True,
            engine="python",  # the other fills short lines up without a word
        )
    except pd.errors.ParserError as error:
        raise _ragged(str(error), name) from None
    except (pd.errors.EmptyDataError, ValueError) as error:
        raise TableError(f"{name} is no table: {error}.", "Its first line names columns.") from None
    short = rows.isna().any(axis=1).to_numpy()
    if short.any():
        row = int(short.argmax())
        raise TableError(
            f"Row {row} of {name} has {int(rows.iloc[row].notna().sum())} cells, its header names "
            f"{rows.shape[1]} columns.",
            "Quote cells that contain what parts cells.",
        )
    return rows


def _ragged(reason: str, name: str) -> TableError:
    hint = "Quote cells that contain what parts cells, e.g. commas."
    if match := re.search(r"Expected (\d+) fields in line (\d+), saw (\d+)", reason):
        named, line, came = match.groups()
        return TableError(
            f"Row {int(line) - 1} of {name} has {came} cells, its header names {named} columns.",
            hint,
        )
    if "unexpected end of data" in reason:
        return TableError(f"A quote in {name} is never closed.", "Close it.")
    return TableError(f"{name} is no table: {reason.strip()}.", hint)


def _of_rows(name: str, rows: pd.DataFrame, separator: str = "") -> Frame:
    """The first row names the columns; what is blank throughout is left out."""
    header = ["" if cell != cell or cell is None else str(cell).strip() for cell in rows.iloc[0]]
    body = rows.iloc[1:]
    columns = {}
    for place, head in enumerate(header):
        values = body.iloc[:, place].tolist()
        if _UNNAMED.fullmatch(head) and (_is_blank(values) or _counts(values)):
            continue
        head = head or f"column {place + 1}"
        if head in columns:
            raise TableError(f"{name} has two columns {head!r}.", "Rename one of them.")
        columns[head] = _column(values)
    return Frame(name, columns, separator)


def _is_blank(values: list[Any]) -> bool:
    return all(cell is None or cell != cell or is_missing(str(cell)) for cell in values)


def _counts(values: list[Any]) -> bool:
    """Whether a column only numbers the rows, in ascending order, as an index does."""
    try:
        numbers = [float(cell) for cell in values]
    except (TypeError, ValueError):
        return False
    rising = all(a < b for a, b in pairwise(numbers))
    return rising and all(number >= 0 and number.is_integer() for number in numbers)


def _column(values: list[Any]) -> Column:
    """Numbers where all cells are, whole ones where all are and none is missing, else text."""
    there = [cell for cell in values if not (cell is None or cell != cell)]
    if there and all(isinstance(cell, int | float | np.number | np.bool_) for cell in there):
        if len(there) == len(values) and all(isinstance(cell, int | np.integer) for cell in there):
            try:
                return np.array(values, dtype=np.int64)
            except OverflowError:
                pass
        try:
            return np.array([np.nan if cell is None else cell for cell in values], dtype=np.float64)
        except (OverflowError, TypeError):
            pass
    return np.array(
        ["" if cell is None or cell != cell else str(cell).strip() for cell in values], dtype=str
    )


def _checked(frame: Frame) -> Frame:
    """The frame without rows that hold nothing."""
    if not frame.columns:
        raise TableError(f"{frame.name} has no columns.", "It needs one array per column.")
    lengths = {name: len(column) for name, column in frame.columns.items()}
    if len(set(lengths.values())) > 1:
        short, long = min(lengths, key=lengths.__getitem__), max(lengths, key=lengths.__getitem__)
        raise TableError(
            f"The columns of {frame.name} differ in length: {short!r} has {lengths[short]} rows, "
            f"{long!r} has {lengths[long]}.",
            "Give every column one value per architecture.",
        )
    empty = np.ones(len(frame), dtype=bool)
    for column in frame.columns.values():
        if column.dtype.kind not in "US":
            empty[:] = False
            break
        empty &= np.char.str_len(np.char.strip(column)) == 0
    if empty.any():
        _SAY.warning("%s: %d blank rows are left out.", frame.name, int(empty.sum()))
        kept = {name: column[~empty] for name, column in frame.columns.items()}
        frame = Frame(frame.name, kept, frame.separator)
    if not len(frame):
        raise TableError(f"{frame.name} has no rows.", "Give at least one architecture.")
    return frame


def _read_delimited(path: Path) -> Frame:
    return parse_delimited(decode(read_bytes(path), path.name), path.name)


def _read_npz(path: Path) -> Frame:
    columns = {name: array for name, array in read_npz(path).items() if array.ndim == 1}
    return Frame(path.name, columns)


def _read_json(path: Path) -> Frame:
    text = decode(read_bytes(path), path.name)
    return _of_records(path.name, _loads(text, path.name))


def _read_json_lines(path: Path) -> Frame:
    text = decode(read_bytes(path), path.name)
    lines = [_loads(line, f"Line {n} of {path.name}") for n, line in numbered_lines(text)]
    return _of_records(path.name, lines)


def _loads(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TableError(f"{name} is no JSON: {error}.", "Is it whole?") from None


def _of_records(name: str, read: Any) -> Frame:
    """A list of objects, or an object of columns, themselves lists or objects by row."""
    if isinstance(read, dict) and read and all(isinstance(v, list | dict) for v in read.values()):
        return Frame(
            name,
            {
                str(head): _column(list(cells.values() if isinstance(cells, dict) else cells))
                for head, cells in read.items()
            },
        )
    if not isinstance(read, list) or not all(isinstance(entry, dict) for entry in read):
        raise TableError(
            f"{name} holds no table.", "Give a list of objects, or an object of columns."
        )
    heads = dict.fromkeys(str(head) for entry in read for head in entry)
    return Frame(name, {head: _column([entry.get(head) for entry in read]) for head in heads})


def _read_arrow(path: Path) -> Frame:
    import pandas as pd

    read = pd.read_parquet if path.suffix.lower() == ".parquet" else pd.read_feather
    with _reading(path, "pyarrow"):
        frame = read(path)
        named = [name for name in frame.index.names if name is not None]
        frame = frame.reset_index(level=named) if named else frame
        # Damaged text is found only here.
        cells = [frame.iloc[:, place].tolist() for place in range(frame.shape[1])]
    heads = [str(head).strip() for head in frame.columns]
    if len(set(heads)) < len(heads):
        raise TableError(f"{path.name} has two columns of one name.", "Rename one of them.")
    return Frame(
        path.name,
        {head: _column(column) for head, column in zip(heads, cells, strict=True)},
    )


def _read_excel(path: Path) -> Frame:
    import pandas as pd

    with _reading(path, "openpyxl"), pd.ExcelFile(path, engine="openpyxl") as book:
        sheet, *others = [str(name) for name in book.sheet_names]
        rows = pd.read_excel(
            book, sheet_name=sheet, header=None, na_values=[""], keep_default_na=False
        )
    if others:
        _SAY.info("%s: the sheet %r is read, not %s.", path.name, sheet, ", ".join(others))
    rows = rows.dropna(how="all").dropna(how="all", axis=1)
    if rows.empty:
        raise TableError(f"{path.name} is empty.", "Its first row names the columns.")
    return _of_rows(path.name, rows)


@contextmanager
def _reading(path: Path, package: str) -> Iterator[None]:
    """Turns what a library says of a broken file, and its absence, into our errors."""
    optional_import(package, extra="tables")
    try:
        yield
    # A broken file raises whatever the library stumbles over.
    except Exception as error:
        raise TableError(
            f"{path.name} is refused: {(str(error).splitlines() or [type(error).__name__])[0]}.",
            f"Is it a whole {path.suffix} file?",
        ) from None


_READERS: dict[str, Callable[[Path], Frame]] = {
    ".csv": _read_delimited,
    ".tsv": _read_delimited,
    ".txt": _read_delimited,
    ".npz": _read_npz,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
    ".json": _read_json,
    ".parquet": _read_arrow,
    ".feather": _read_arrow,
    ".xlsx": _read_excel,
}
KINDS = tuple(_READERS)
_TEXTS = (_read_delimited, _read_json, _read_json_lines)
# Text may be compressed.
SUFFIXES = (
    *KINDS,
    *(kind + end for kind, reader in _READERS.items() if reader in _TEXTS for end in ENDINGS),
)
