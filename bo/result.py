"""What a search returns: the best, every trial, and how it came about."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..core.errors import UsageError
from ..reports import draw, notebook_html, sheet_caption, write_report
from ..spaces import Architecture
from .best import best_trials
from .confirmation import CONFIRMED, as_confirmed
from .first_failures import commonest
from .problem import Problem
from .store import Entry, Run
from .trial import History, Trial

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["THREADS", "SearchResult", "result_of", "summarise"]


# Threads of torch that an evaluation has, as the run remembers it.
THREADS = "threads"


@dataclass(frozen=True, repr=False)
class SearchResult:
    """What a search returns; a notebook shows the best (else the trials) as a table, and drawings.

    Args:
        problem: What was searched for.
        trials: Every trial in order, with prior results and those that still run.
        best: The best feasible trial; with several objectives all that no other dominates; nothing
            where none is feasible.
        summary: See the documentation of ``vitruvius search``.
        notes: What the user should know, in whole sentences.
        mistake: Why the first evaluations all failed, where that ended the search; else blank.
    """

    problem: Problem
    trials: list[Trial]
    best: list[Trial]
    summary: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    mistake: str = ""

    def __repr__(self) -> str:
        return f"SearchResult({self.problem.space.name}: {self.headline()})"

    def _repr_html_(self) -> str:
        frame = self._frame(self.best or self.trials)
        if self.best:
            frame = frame.drop(columns=["status", "reason"])
        heads = {name: metric.head for name, metric in self.problem.metrics.items()}
        return notebook_html(
            f"{self.problem.space.name}: {self.headline()}",
            frame.dropna(axis="columns", how="all").rename(columns=heads),
            self._drawings(),
            self.notes,
        )

    def headline(self) -> str:
        """Says in a few words how many were evaluated, and what the best is."""
        told = self.summary
        counts = {"failed": told["failed"], "running": told["running"], "prior": told["prior"]}
        said = [f"{told['evaluated']} evaluated"]
        said += [f"{count} {name}" for name, count in counts.items() if count]
        if not self.best:
            measured = any(trial.status == "ok" for trial in self.trials)
            said.append("none feasible" if measured else "none measured")
        elif self.problem.multiple:
            said.append(f"front of {len(self.best)}")
        else:
            name = self.problem.objectives[0].metric
            said.append(f"best {name} {self.metrics(self.best[0])[name]:.6g}")
        return ", ".join(said)

    @property
    def missed(self) -> bool:
        """Whether something was measured and none of it is feasible."""
        return not self.best and any(trial.done for trial in self.trials)

    def check(self) -> SearchResult:
        """Returns itself.

        Raises:
            UsageError: Where the first evaluations all failed alike, which ended the search.
        """
        if self.mistake:
            raise UsageError(
                f"The first evaluations all failed alike: {self.mistake}.",
                "Mend that and repeat it: they are free again.",
            )
        return self

    def architecture(self, trial: Trial) -> Architecture:
        """Returns the architecture of a trial.

        Args:
            trial: One of `trials`.
        """
        return self.problem.space.architecture(trial.proposal.row)

    def metrics(self, trial: Trial) -> dict[str, float]:
        """Returns what was measured, and the exact metrics that the problem names.

        Args:
            trial: One of `trials`.
        """
        used = {entry.metric for entry in self.problem.objectives}
        used |= set(self.problem.constraints.names)
        exact = self.problem.exact(torch.tensor([trial.proposal.row]))
        return {**{n: float(exact[n]) for n in sorted(used & set(exact))}, **trial.metrics}

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form that the command line prints."""
        return {
            "best": [
                {
                    "architecture": str(self.architecture(trial)),
                    "metrics": self.metrics(trial),
                    "trial": trial.number,
                }
                for trial in self.best
            ],
            "trials": [self._trial(trial) for trial in self.trials],
            "summary": self.summary,
        }

    def to_dataframe(self) -> pd.DataFrame:
        """Returns the trials in order, with the names of the JSON form and one column a metric.

        A metric that is called as another column has ``metrics.`` before its name.
        """
        return self._frame(self.trials)

    def save(self, folder: str | Path) -> list[Path]:
        """Writes ``result.json``, ``trials.csv``, drawings of the best and a contact sheet.

        What is in ``trials.csv`` can be told to another run (``vitruvius tell``).

        Args:
            folder: Made where it does not exist.

        Raises:
            OutputError: Where it cannot be written to.
        """
        trials = self.to_dataframe().to_csv(index=False, lineterminator="\n")
        tables = {"trials.csv": trials}
        return write_report(folder, self.to_json(), self._drawings(), tables=tables)

    def _frame(self, trials: Sequence[Trial]) -> pd.DataFrame:
        import pandas as pd

        rows = []
        for trial in trials:
            told = {**self._trial(trial), "reason": trial.reason}
            measured = told.pop("metrics")
            told |= {f"metrics.{k}" if k in told else k: value for k, value in measured.items()}
            rows.append(told)
        first = ("number", "architecture", "status", "source", "seconds", "fidelity", "reason")
        metrics = dict.fromkeys(name for row in rows for name in row if name not in first)
        frame = pd.DataFrame(rows, columns=[*first[:2], *metrics, *first[2:]])
        # Whole numbers, where some have none.
        return frame.astype({"fidelity": "Int64"})

    def _drawings(self) -> list[tuple[str, str]]:
        heads = {name: metric.head for name, metric in self.problem.metrics.items()}
        return [
            (
                draw(self.problem.space, trial.proposal.row),
                sheet_caption({heads.get(n, n): float(v) for n, v in self.metrics(trial).items()}),
            )
            for trial in self.best
        ]

    def _trial(self, trial: Trial) -> dict[str, Any]:
        told = {
            "number": trial.number,
            "architecture": str(self.architecture(trial)),
            "metrics": self.metrics(trial) if trial.done else {},
            "status": trial.status,
            "source": trial.source,
            "seconds": trial.seconds,
            "fidelity": trial.fidelity,
        }
        return {**told, "reason": trial.reason} if trial.reason else told


def result_of(
    problem: Problem,
    run: Run,
    entries: Sequence[Entry],
    more: Mapping[str, Any],
    *,
    ended: str = "",
    mistake: str = "",
) -> SearchResult:
    """Sums up what a log holds.

    Args:
        problem: The objectives and constraints.
        run: The run.
        entries: Its log.
        more: What the summary says besides.
        ended: Why nothing more was proposed; blank where that is not so.
        mistake: As for `SearchResult`.
    """
    trials, missed = as_confirmed([e.trial for e in entries], run.remark(CONFIRMED))
    best = best_trials(History(problem, [t for t in trials if t.number not in missed]))
    counts = {**summarise(problem, entries), "budget": run.config.budget, "run": run.location}
    if (threads := run.remark(THREADS)) is not None:
        counts[THREADS] = threads
    return SearchResult(
        problem,
        trials,
        best,
        {**counts, **more},
        [*_notes(trials, found=bool(best), ended=ended, mistake=mistake), *_missed(missed)],
        mistake,
    )


def _notes(trials: Sequence[Trial], *, found: bool, ended: str, mistake: str) -> Iterator[str]:
    failed = [trial.reason for trial in trials if trial.status == "failed"]
    if mistake:
        yield (
            f"The search ended, as its first evaluations all failed alike: {mistake}. They are "
            "free again: mend that and go on. Where architectures are to blame, return an "
            'Evaluation with the status "failed".'
        )
    elif failed:
        reason, often = commonest(failed)
        most = f"{often} of them" if often < len(failed) else "all" if often > 1 else "as"
        yield f"{len(failed)} failed, {most}: {reason}."
    if ended:
        yield ended
    if any(trial.status == "ok" for trial in trials) and not found:
        yield "Nothing that was measured meets the constraints."


def _missed(missed: Collection[int]) -> Iterator[str]:
    if missed:
        numbers = ", ".join(map(str, sorted(missed)))
        yield (
            f"Measured again, {len(missed)} of the best did not meet the constraints with a margin "
            f"and do not count as feasible: trial {numbers}."
        )


def summarise(problem: Problem, entries: Sequence[Entry]) -> dict[str, Any]:
    """Counts what a log holds.

    Args:
        problem: The objectives and constraints.
        entries: The log.
    """
    own = [entry for entry in entries if not entry.prior]
    done = [entry for entry in own if entry.trial.done]
    return {
        "space": problem.space.name,
        "objectives": {
            entry.metric: "maximize" if entry.maximize else "minimize"
            for entry in problem.objectives
        },
        "where": str(problem.constraints),
        "evaluated": len(done),
        "prior": len(entries) - len(own),
        "running": len(own) - len(done),
        "failed": sum(entry.trial.status == "failed" for entry in done),
        "duplicates_avoided": sum(entry.rejected for entry in entries),
        "evaluation_seconds": math.fsum(entry.trial.seconds for entry in done),
    }
