"""Numbers in the cells of a table: missing ones, decimal marks, units."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from .errors import TableError
from .npz import Column
from .units import COUNTS, factor, unit_of

__all__ = ["DECIMALS", "NotANumberError", "Numbers", "decimal_marks", "is_missing", "read_numbers"]

DECIMALS = (".", ",")
_MISSING = {"", "na", "n/a", "#n/a", "nan", "null", "none", "-", "--", "–", "—"}
_CELL = re.compile(
    r"(?P<sign>[+\-−]?)(?P<body>[.,]?\d(?:[\d.,'’ \u00a0\u202f]*[\d.,])?)"
    r"(?P<power>[eE][+-]?\d{1,4})?\s*(?P<unit>%|[A-Za-zµμ][A-Za-zµμ/]{0,11})?"
)
_GROUPED_BY_SPACE = re.compile(r"\d{1,3}([ '’\u00a0\u202f])\d{3}(?:\1\d{3})*(?:[.,]\d*)?")
_SPACES = re.compile(r"[ '’\u00a0\u202f]")


class NotANumberError(ValueError):
    """A cell that is no number.

    Args:
        row: Its row, from 0.
        cell: What it holds.
        why: What is wrong with it.
    """

    def __init__(self, row: int, cell: str, why: str = "it is no number") -> None:
        super().__init__(row, cell, why)
        self.row, self.cell, self.why = row, cell, why


@dataclass(frozen=True)
class Numbers:
    """A column of numbers.

    Args:
        values: Float64; NaN where a cell is missing.
        unit: That of the cells, ``""`` where they have none.
        decimal: The decimal mark where that is not a point, else ``""``.
    """

    values: Column
    unit: str = ""
    decimal: str = ""


@dataclass(frozen=True)
class _Cell:
    """A number as it is written.

    ``mark`` is its decimal mark where it can only be read one way, ``"?."`` or ``"?,"`` where the
    mark may also part thousands, else blank.
    """

    row: int
    text: str
    body: str
    power: str
    unit: str
    mark: str

    def number(self, decimal: str) -> Decimal:
        other = "," if decimal == "." else "."
        plain = self.body.replace(other, "").replace(decimal, ".")
        return Decimal(plain + self.power)


def is_missing(cell: str) -> bool:
    """Whether a cell stands for no value.

    Args:
        cell: What it holds.

    Example:
        >>> [is_missing(cell) for cell in ("", "N/A", " - ", "0")]
        [True, True, True, False]
    """
    return cell.strip().lower() in _MISSING


def read_numbers(
    column: Column,
    name: str,
    *,
    decimal: str = "",
    elsewhere: Callable[[], set[str]] = set,
) -> Numbers:
    """Reads a column as numbers, by the decimal mark and the unit that its cells have.

    ``1,234`` may be a thousand or a little more than one. What it is follows from the column's
    other cells, else from the file's others, else has to be said.

    Args:
        column: Numbers or text.
        name: What the column is called in errors.
        decimal: The decimal mark, where it is known.
        elsewhere: Returns the decimal marks that are certain in the rest of the file; asked only
            where the column leaves it open.

    Raises:
        NotANumberError: For a cell that is neither a number nor missing.
        TableError: Where the decimal mark cannot be told, or units do not agree.

    Example:
        >>> read = read_numbers(np.array(["79,13 %", "", "1.080,5 %"]), "acc")
        >>> read.values.tolist(), read.unit, read.decimal
        ([79.13, nan, 1080.5], '%', ',')
    """
    if column.dtype.kind in "iufb":
        return Numbers(column.astype(np.float64))
    texts = [_text(cell) for cell in column.tolist()]
    values = np.full(len(texts), np.nan)
    there = [row for row, text in enumerate(texts) if not is_missing(text)]
    if decimal != "," and (plain := _plain([texts[row] for row in there])) is not None:
        thousands = there and all(_parse(row, texts[row]).mark == "?." for row in there)
        if decimal or not thousands or elsewhere() != {","}:
            values[there] = plain
            return Numbers(values)
    cells = [_parse(row, texts[row]) for row in there]
    mark = _mark_of(cells, name, decimal, elsewhere)
    numbers, unit = _in_one_unit([(cell, cell.number(mark)) for cell in cells])
    values[there] = numbers
    return Numbers(values, unit, mark if mark == "," else "")


def decimal_marks(columns: Sequence[Column]) -> set[str]:
    """Returns the decimal marks that are certain in some cell.

    Args:
        columns: Of a table; those that are no text are passed over.
    """
    found: set[str] = set()
    for column in columns:
        texts = [_text(cell) for cell in column.tolist()] if column.dtype.kind in "US" else []
        try:
            cells = [_parse(row, text) for row, text in enumerate(texts) if not is_missing(text)]
        except NotANumberError:
            continue
        found |= {cell.mark for cell in cells} & set(DECIMALS)
    return found


def _text(cell: object) -> str:
    return (cell.decode(errors="replace") if isinstance(cell, bytes) else str(cell)).strip()


def _plain(texts: list[str]) -> Column | None:
    """The numbers, where all are written as programs write them."""
    if any("_" in text for text in texts):
        return None
    try:
        return np.array(texts, dtype=str).astype(np.float64)
    except ValueError:
        return None


def _parse(row: int, text: str) -> _Cell:
    match = _CELL.fullmatch(text)
    body = match["body"] if match else ""
    if text.lower().lstrip("+-") in ("inf", "infinity"):
        return _Cell(row, text, text, "", "", "")
    if match is None:
        raise NotANumberError(row, text)
    if _SPACES.search(body):
        if not _GROUPED_BY_SPACE.fullmatch(body):
            raise NotANumberError(row, text)
        body = _SPACES.sub("", body)
    mark = _mark(body)
    if mark is None:
        raise NotANumberError(row, text)
    sign = "-" if match["sign"] in ("-", "−") else ""
    return _Cell(row, text, sign + body, match["power"] or "", unit_of(match["unit"] or ""), mark)


def _mark(body: str) -> str | None:
    """The decimal mark of digits with points and commas; None where no reading makes sense."""
    marks = [letter for letter in body if letter in DECIMALS]
    if not marks:
        return ""
    last = marks[-1]
    other = "," if last == "." else "."
    if len(set(marks)) == 2:
        whole, _, _ = body.rpartition(last)
        return last if marks.count(last) == 1 and _grouped(whole, other) else None
    if len(marks) > 1:
        return other if _grouped(body, last) else None
    return f"?{last}" if re.fullmatch(r"[1-9]\d{0,2}[.,]\d{3}", body) else last


def _grouped(body: str, mark: str) -> bool:
    return bool(re.fullmatch(rf"\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+", body))


def _mark_of(cells: list[_Cell], name: str, decimal: str, elsewhere: Callable[[], set[str]]) -> str:
    """The decimal mark of a column."""
    sure = {cell.mark: cell for cell in cells if cell.mark in DECIMALS}
    open_cells = {cell.mark[1]: cell for cell in cells if cell.mark.startswith("?")}
    if decimal:
        if against := next((c for mark, c in sure.items() if mark != decimal), None):
            raise NotANumberError(against.row, against.text, f"the decimal mark is {decimal!r}")
        return decimal
    if len(sure) == 2:
        point, comma = (sure[mark].text for mark in DECIMALS)
        raise TableError(
            f"The column {name!r} has decimal points ({point!r}) and decimal commas ({comma!r}).",
            "Write all its numbers in one way.",
        )
    if sure:
        return next(iter(sure))
    others = elsewhere() if open_cells else set()
    if len(others) == 1:
        return next(iter(others))
    if "," in open_cells:
        raise TableError(
            f"{open_cells[','].text!r} in the column {name!r} may have a decimal comma or one that "
            "parts thousands; nothing in the file tells which.",
            "Say which among the metrics: decimal=, or decimal=.",
        )
    return "."


def _in_one_unit(numbers: list[tuple[_Cell, Decimal]]) -> tuple[list[float], str]:
    """The numbers in the unit of the first; letters for powers of ten are multiplied out."""
    units: dict[str, _Cell] = {}
    for cell, _ in numbers:
        units.setdefault(cell.unit, cell)
    if set(units) <= set(COUNTS):
        return [float(number * COUNTS[cell.unit]) for cell, number in numbers], ""
    unit = next(iter(units))
    factors = {each: factor(each, unit) for each in units}
    if odd := next((units[each] for each, by in factors.items() if by is None), None):
        raise NotANumberError(odd.row, odd.text, f"other cells are like {units[unit].text!r}")
    return [float(number * (factors[cell.unit] or 1)) for cell, number in numbers], unit
