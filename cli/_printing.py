"""What commands print: results on stdout, remarks on stderr, text of users as it is."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table

__all__ = ["print_json", "print_table", "quantity", "say", "survive_narrow_encodings", "talk"]

# Nothing is markup: whatever comes from users is printed as it is.
talk = Console(stderr=True, markup=False, emoji=False, highlight=False, soft_wrap=True)


def say(text: str, style: str = "") -> None:
    """Prints a remark on stderr.

    Args:
        text: What to say, on a line of its own however long.
        style: A style of rich.
    """
    talk.print(text, style=style or None)


def survive_narrow_encodings() -> None:
    """Lets the terminal's encoding lose a character, never a result."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def print_json(told: Any) -> None:
    """Prints JSON that is valid in the encoding of stdout.

    Args:
        told: What JSON can hold.
    """
    wide = "utf" in (getattr(sys.stdout, "encoding", None) or "").lower()
    typer.echo(json.dumps(told, indent=2, ensure_ascii=not wide))


def print_table(heads: Sequence[str], rows: Sequence[Sequence[str]], *, copied: str = "") -> None:
    """Prints a table; where it is wider than the terminal, what people copy stands below it.

    Args:
        heads: Names of the columns.
        rows: Cells.
        copied: Head of the column that has to stay in one piece, such as the architecture.
    """
    # Without a terminal to fit to, or COLUMNS, as wide as need be.
    console = Console(markup=False, emoji=False, highlight=False)
    table = _table(heads, rows)
    wide = Measurement.get(console, console.options.update(max_width=10_000), table).maximum
    if not (sys.stdout.isatty() or "COLUMNS" in os.environ):
        console.width = max(wide, console.width)
    if copied not in heads or wide <= console.width:
        console.print(table)
        return
    place = list(heads).index(copied)
    numbers = [str(number) for number in range(1, len(rows) + 1)]
    others = [head for head in heads if head != copied]
    cells = [
        [number, *(cell for i, cell in enumerate(row) if i != place)]
        for number, row in zip(numbers, rows, strict=True)
    ]
    console.print(_table(["", *others], cells))
    for number, row in zip(numbers, rows, strict=True):
        console.print(f"{number:>{len(numbers[-1])}}  {row[place]}", soft_wrap=True)


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    table = Table()
    for head in heads:
        table.add_column(head, overflow="fold")
    for row in rows:
        table.add_row(*row)
    return table


def quantity(value: float, unit: str = "") -> str:
    """Writes a value: whole numbers in full, others to six digits.

    Args:
        value: The value.
        unit: Its unit.

    Example:
        >>> quantity(3488700.0), quantity(0.00438, "s"), quantity(3.2e15)
        ('3,488,700', '0.00438 s', '3.2e+15')
    """
    whole = value == value and abs(value) < 1e15 and value == int(value)
    text = f"{value:,.0f}" if whole else f"{value:,.6g}"
    return f"{text} {unit}" if unit else text
