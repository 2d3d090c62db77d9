"""Progress bars with an ETA: on a terminal's stderr, in notebooks, silent elsewhere."""

from __future__ import annotations

import importlib.util

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


def in_notebook() -> bool:
    """Whether cells of a notebook run this code (Jupyter, Colab, Databricks), as rich tells it."""
    return Console().is_jupyter


def progress_bar(*, show: bool = True) -> Progress:
    """Returns a rich progress bar; use it as a context manager.

    Args:
        show: False keeps it silent everywhere.
    """
    console = Console(stderr=True)
    # In notebooks rich draws with widgets.
    widgets = console.is_jupyter and importlib.util.find_spec("ipywidgets") is not None
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not (show and (console.is_terminal or widgets)),
    )
