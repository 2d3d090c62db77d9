"""Learning curves that trainings have left in the folder of their run."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

__all__ = ["curves_of"]

FILE = "curve.json"


def curves_of(folder: Path, trials: Sequence[int], metric: str) -> dict[int, list[float]]:
    """Reads what a metric was after every epoch.

    Args:
        folder: Of the run.
        trials: Numbers of trials.
        metric: Its name.

    Returns:
        By the number of the trial; those that left none are left out.
    """
    found = {}
    for number in trials:
        try:
            told = json.loads((folder / "trials" / str(number) / FILE).read_text("utf-8"))
            values = [float(entry[metric]) for entry in told]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if values:
            found[number] = values
    return found
