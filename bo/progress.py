"""Progress of a search: a live table on a terminal or in a notebook, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ..core.progress import Cell, in_notebook
from .problem import Problem
from .trial import History, Trial

__all__ = [
    "LiveProgress",
    "NotebookProgress",
    "PlainProgress",
    "Progress",
    "Silent",
    "Snapshot",
    "default_progress",
    "progress",
]

# Seconds between redraws of the table, and between plain lines.
REDRAW, LINE = 0.25, 5.0


@dataclass(frozen=True)
class Snapshot:
    """How far a search has come.

    Args:
        problem: The objectives and constraints.
        best: The best trial so far, or the front.
        evaluated: Trials that are done.
        running: Trials that are not.
        failed: Trials that failed.
        budget: Trials there shall be.
    """

    problem: Problem
    best: list[Trial]
    evaluated: int
    running: int
    failed: int
    budget: int

    def headline(self) -> str:
        """Describes the best so far in a few words."""
        if not self.best:
            return "none feasible yet" if self.evaluated > self.failed else "none yet"
        if self.problem.multiple:
            return f"front of {len(self.best)}"
        name = self.problem.objectives[0].metric
        value = History(self.problem, self.best).scores[0, 0] * self.problem.objectives[0].sign
        return f"{name} {float(value):.6g}"


class Progress:
    """Where a search reports to; a context manager. This one reports nothing."""

    interval = 0.0

    def __init__(self) -> None:
        self._start = self._last = 0.0
        self._first: int | None = None

    def wants(self, *, last: bool = False) -> bool:
        """Whether it is time to `show` something.

        Args:
            last: Whether the search is over.
        """
        return last or time.monotonic() - self._last >= self.interval

    def show(self, snapshot: Snapshot) -> None:
        """Reports.

        Args:
            snapshot: How far the search has come.
        """
        self._last = time.monotonic()
        if self._first is None:
            self._first, self._start = snapshot.evaluated, self._last

    def rate(self, snapshot: Snapshot) -> float:
        """Evaluations per second since the first report."""
        done = snapshot.evaluated - (self._first or 0)
        return done / max(time.monotonic() - self._start, 1e-9)

    def left(self, snapshot: Snapshot) -> str:
        """Time to go, as text."""
        rate = self.rate(snapshot)
        return _clock((snapshot.budget - snapshot.evaluated) / rate) if rate else "–"

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        return None


class Silent(Progress):
    """Reports nothing."""

    def wants(self, *, last: bool = False) -> bool:
        return False


class PlainProgress(Progress):
    """Writes a line to stderr, at most one every few seconds."""

    interval = LINE

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        print(
            f"{snapshot.evaluated}/{snapshot.budget} evaluated, {snapshot.failed} failed, "
            f"best: {snapshot.headline()}, {_pace(self.rate(snapshot))}, "
            f"{self.left(snapshot)} to go",
            file=sys.stderr,
            flush=True,
        )


class LiveProgress(Progress):
    """Keeps a table on the terminal.

    Args:
        console: The terminal.
    """

    interval = REDRAW

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        self._live.update(_table(self, snapshot), refresh=True)

    def __enter__(self) -> Progress:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()


class NotebookProgress(Progress):
    """Keeps a table below the cell of a notebook."""

    interval = REDRAW

    def __init__(self) -> None:
        super().__init__()
        self._cell = Cell()

    def show(self, snapshot: Snapshot) -> None:
        super().show(snapshot)
        self._cell.show(_table(self, snapshot))


def default_progress() -> Progress:
    """Returns what Python shows where nothing is asked for: a table in notebooks, else nothing."""
    return NotebookProgress() if in_notebook() else Silent()


def progress() -> Progress:
    """Returns a live table where stderr is a terminal, plain lines elsewhere."""
    console = Console(stderr=True, markup=False, emoji=False, highlight=False)
    return LiveProgress(console) if console.is_terminal else PlainProgress()


def _table(progress: Progress, snapshot: Snapshot) -> Table:
    table = Table("best so far", "evaluated", "running", "failed", "pace", "to go")
    table.add_row(
        Text(snapshot.headline()),
        f"{snapshot.evaluated}/{snapshot.budget}",
        str(snapshot.running),
        str(snapshot.failed),
        _pace(progress.rate(snapshot)),
        progress.left(snapshot),
    )
    return table


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"


def _pace(rate: float) -> str:
    """How fast it goes: many a second, or how long one takes."""
    if rate >= 1 or not rate:
        return f"{rate:.3g}/s"
    seconds = 1 / rate
    return f"{seconds:.3g} s each" if seconds < 60 else f"{seconds / 60:.3g} min each"
