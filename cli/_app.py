"""The application that commands register with, and the options that they share."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from ..core.errors import UsageError, VitruviusError
from ..core.output import talk_to_stderr
from ._listing import Listing
from ._printing import say, survive_narrow_encodings

__all__ = [
    "Column",
    "Device",
    "Evaluators",
    "ExecutorName",
    "Format",
    "Metrics",
    "Output",
    "RunFolder",
    "Seed",
    "SpaceName",
    "Storage",
    "Tables",
    "TaskText",
    "Timeout",
    "Workers",
    "app",
    "command",
    "first_table",
    "main",
    "resumable",
]

INTERRUPTED = 130  # what typer makes of Ctrl-C

app = typer.Typer(
    name="vitruvius",
    help="Sample, search and transfer neural-network architectures.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
# Registers a command; names in braces in its help are filled in when help is asked for.
command = partial(app.command, cls=Listing)


class _Notes(logging.Handler):
    """Says on stderr, once, what modules have to say of what they read."""

    def __init__(self) -> None:
        super().__init__(logging.INFO)
        self._said: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage()
        if said not in self._said:
            self._said.add(said)
            style = "yellow" if record.levelno >= logging.WARNING else "dim"
            say(said, style)


class Format(StrEnum):
    """How results are printed."""

    table = "table"
    json = "json"


SpaceName = Annotated[
    str, typer.Argument(help="One of {spaces}, or the YAML file that declares one.")
]
Evaluators = Annotated[
    list[str] | None,
    typer.Option(
        "--evaluator",
        "--data",
        help="Where true values come from: a data set known for the space, a table (.npz, .csv), "
        "FILE.py:NAME or MODULE:NAME, with options as NAME:KEY=VALUE; repeated, they are joined.",
    ),
]
TaskText = Annotated[
    str,
    typer.Option(
        "--task",
        help='What to count and build for: "classes=6, features=3703", or raw data (a path, or a '
        "name: {data sets}).",
    ),
]
Workers = Annotated[int, typer.Option(help="Evaluations at the same time, here.")]
ExecutorName = Annotated[str, typer.Option(help="One of {executors}.")]
Timeout = Annotated[
    float | None, typer.Option(help="Seconds after which an evaluation has failed.")
]
RunFolder = Annotated[
    str | None, typer.Option("--run", help="Folder to keep the run in, or with --storage its name.")
]
Storage = Annotated[
    str | None,
    typer.Option(help="postgresql://…, sqlite:///FILE or journal:///FILE, instead of a folder."),
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
    survive_narrow_encodings()
    arguments = [argument for argument in sys.argv[1:] if argument != "--debug"]
    notes = logging.getLogger(__name__.partition(".")[0])
    notes.setLevel(logging.INFO)
    notes.addHandler(_Notes())
    try:
        app(arguments)
    except VitruviusError as error:
        if "--debug" in sys.argv:
            raise
        say(f"Error: {error.message}", "red")
        if error.hint:
            say(error.hint, "dim")
        raise SystemExit(2) from None
    except SystemExit as stop:
        if stop.code == INTERRUPTED:
            say("Interrupted. What was saved goes on when the command is repeated.")
        raise
    except KeyboardInterrupt:
        raise SystemExit(INTERRUPTED) from None


@contextmanager
def resumable(again: str, there: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Keeps stdout for the result, whatever evaluators print, and says how to go on.

    Args:
        again: The command that goes on after an interruption; blank where nothing is kept.
        there: Whether there is something to go on with.
    """
    try:
        with talk_to_stderr():
            yield
    except KeyboardInterrupt:
        if again and there():
            say(f"Saved. Go on with: {again}")
        elif again:
            say("Nothing was there to save yet. Repeat the command.")
        raise


def first_table(
    evaluators: list[str] | None, table: list[str] | None
) -> tuple[list[str] | None, list[str]]:
    """The first table stands for the evaluator, the others are joined to it."""
    if table and evaluators:
        raise UsageError("Both --evaluator and --table were given.", "Give one of them.")
    return (table[:1], table[1:]) if table else (evaluators or None, [])
