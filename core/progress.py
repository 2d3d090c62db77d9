"""Progress bars with an ETA: on a terminal's stderr, in notebooks, silent elsewhere."""

from __future__ import annotations

import time
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

__all__ = ["Cell", "in_notebook", "progress_bar"]

# Seconds between two drawings in a notebook.
REDRAW = 0.25


def in_notebook() -> bool:
    """Whether cells of a notebook run this code (Jupyter, Colab, Databricks), as rich tells it."""
    return Console().is_jupyter


class Cell:
    """What stands below a cell of a notebook and is replaced as a whole; it needs no widgets."""

    def __init__(self) -> None:
        self._shown: Any = None

    def show(self, what: RenderableType) -> None:
        """Shows something in the place of what was shown before.

        Args:
            what: A table of rich or anything else that a notebook displays.
        """
        if self._shown is not None:
            self._shown.update(what)
            return
        from IPython.display import display

        self._shown = display(what, display_id=True)


def progress_bar(*, show: bool = True) -> Progress:
    """Returns a rich progress bar; use it as a context manager.

    Args:
        show: False keeps it silent everywhere.
    """
    console = Console(stderr=True)
    kind = _CellProgress if console.is_jupyter else Progress
    return kind(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (show and (console.is_terminal or console.is_jupyter)),
    )


class _CellProgress(Progress):
    """Below a cell; rich's own needs ipywidgets there."""

    def __init__(self, *columns: Any, **options: Any) -> None:
        super().__init__(*columns, **options)
        self._cell, self._drawn = Cell(), 0.0

    def start(self) -> None:
        self.refresh()

    def stop(self) -> None:
        self.refresh()

    def update(self, *args: Any, **changes: Any) -> None:
        super().update(*args, **changes)
        if time.monotonic() - self._drawn >= REDRAW:
            self.refresh()

    def refresh(self) -> None:
        if not self.disable and self.tasks:
            self._drawn = time.monotonic()
            self._cell.show(self.make_tasks_table(self.tasks))
