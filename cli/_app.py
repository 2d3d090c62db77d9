"""The application that commands register with, and the options that they share."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from ..core.errors import UsageError, VitruviusError

__all__ = [
    "Column",
    "Data",
    "Device",
    "Format",
    "Metrics",
    "Output",
    "Seed",
    "SpaceName",
    "Tables",
    "app",
    "first_table",
    "main",
    "print_table",
    "talk",
]

INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    name="vitruvius",
    help="Sample, search and transfer neural-network architectures.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
talk = Console(stderr=True)


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"


SpaceName = Annotated[str, typer.Argument(help="A space, or the YAML file that declares one.")]
Data = Annotated[
    str | None, typer.Option(help="Data set known for the space, or a table (.npz, .csv).")
]
Tables = Annotated[
    list[str] | None, typer.Option("--table", help="A table; several are joined. As --data FILE.")
]
Column = Annotated[str, typer.Option(help="Column of the table that holds the architectures.")]
Metrics = Annotated[
    str, typer.Option(help='Metrics of the table, e.g. "accuracy=c10_valid, latency_ms=lat".')
]
Output = Annotated[Format, typer.Option("--format", help="How to print the result.")]
Device = Annotated[str, typer.Option(help="auto, cpu or cuda.")]
Seed = Annotated[int, typer.Option(help="Seed of everything random.")]


def main() -> None:
    """Runs the command line; a mistake shows its message and hint, not a traceback.

    ``--debug`` anywhere among the arguments shows the traceback.

    Raises:
        SystemExit: Always, with the exit code.
    """
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    try:
        app(arguments)
    except VitruviusError as error:
        if "--debug" in sys.argv:
            raise
        talk.print(f"[red]Error:[/red] {error.message}", highlight=False, soft_wrap=True)
        if error.hint:
            talk.print(f"[dim]{error.hint}[/dim]", highlight=False, soft_wrap=True)
        raise SystemExit(2) from None
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            talk.print(
                "Interrupted. What was saved goes on when it is run again, or with `resume`."
            )
        raise


def first_table(data: str | None, table: list[str] | None) -> tuple[str | None, list[str]]:
    """The first table stands for the data, the others are joined to it."""
    if table and data is not None:
        raise UsageError("Both --data and --table were given.", "Give one of them.")
    return (table[0], table[1:]) if table else (data, [])


def print_table(listing: Table) -> None:
    """Prints a table, wide where stdout is no terminal."""
    Console(width=None if sys.stdout.isatty() else 160).print(listing)
