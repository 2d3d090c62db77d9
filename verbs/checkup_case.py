"""A run as its checkup sees it."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..bo.problem import Objective
from ..bo.store import Entry, TrialLog
from ..bo.trial import Trial
from .run_told import RunTold

__all__ = ["Case", "counted", "listed"]


@dataclass(frozen=True)
class Case:
    """A run, its log, and how the command line calls it.

    Args:
        told: The run.
        entries: Its log.
        called: Its arguments of a command.
    """

    told: RunTold
    entries: Sequence[Entry]
    called: str

    @classmethod
    def of(cls, run: str | Path, storage: str | None) -> Case:
        """Reads a run.

        Args:
            run: As for `show`.
            storage: As for `show`.
        """
        told = RunTold.of(run, storage)
        entries = TrialLog(told.run, told.problem).read()
        parts = [str(run), "--storage", storage] if storage else [str(run)]
        return cls(told, entries, shlex.join(parts))

    @property
    def ok(self) -> Sequence[Trial]:
        """What was measured in full."""
        return self.told.history.ok

    @property
    def objective(self) -> Objective | None:
        """The only objective, if there is but one."""
        objectives = self.told.problem.objectives
        return objectives[0] if len(objectives) == 1 else None

    @cached_property
    def own(self) -> list[Trial]:
        """What was measured in full and not told as known before."""
        prior = {entry.trial.number for entry in self.entries if entry.prior}
        return [trial for trial in self.ok if trial.number not in prior]

    @cached_property
    def short(self) -> int:
        """Evaluations of the budget that are left."""
        summary = self.told.result.summary
        return max(0, summary["budget"] - summary["evaluated"])

    @cached_property
    def groups(self) -> list[list[Trial]]:
        """What was measured, by architecture and fidelity."""
        groups: dict[tuple[int, int | None], list[Trial]] = {}
        history = self.told.history
        for trial, kind in zip(history.trials, history.hashes.tolist(), strict=True):
            if trial.status == "ok":
                groups.setdefault((kind, trial.fidelity), []).append(trial)
        return list(groups.values())


def counted(number: int, what: str) -> str:
    """Writes a number of things.

    Args:
        number: How many.
        what: The word for one.
    """
    return f"{number} {what}{'' if number == 1 else 's'}"


def listed(numbers: Iterable[int]) -> str:
    """Names trials, the first ten of them.

    Args:
        numbers: Their numbers.
    """
    told = list(numbers)
    more = f" and {len(told) - 10} more" if len(told) > 10 else ""
    return f"trial{'s' if len(told) > 1 else ''} {', '.join(map(str, told[:10]))}{more}"
