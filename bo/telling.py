"""Telling: results from elsewhere enter the log of a run."""

from __future__ import annotations

from collections.abc import Sequence

from ..core.errors import UsageError
from ..evaluators.evaluation import Evaluation
from .checks import check_metrics, checked, replaces
from .problem import Problem
from .store import Entry, TrialLog
from .store.external import ExternalResult
from .trial import Trial

__all__ = ["Teller"]


class Teller:
    """Writes results that somebody brings; a result takes the place of a failure.

    Args:
        problem: What has to be measured.
        log: The log.
    """

    def __init__(self, problem: Problem, log: TrialLog) -> None:
        self.problem, self.log = problem, log

    def tell(self, given: Evaluation, number: int | None = None) -> Trial:
        """Takes one result.

        Args:
            given: The result.
            number: Of its trial; None where that follows from its architecture and fidelity.

        Raises:
            UsageError: Where there is no such trial, it has a result, or metrics are missing.
        """
        check_metrics(self.problem, given)
        row = given.architecture.canonical
        entries = self.log.read()
        known = [self.numbered(entries, number)] if number is not None else None
        # Of several trials of an architecture, the one that is open.
        known = self.log.of(row, given.fidelity) if known is None else known
        entry = next((each for each in known if not each.trial.done), known[-1] if known else None)
        new = checked(self.problem, given)
        if entry is None:
            return self.log.append([new])[0]
        old = entry.trial.evaluation
        if old is not None and not replaces(new, old):
            raise UsageError(
                f"Trial {entry.trial.number} has its result.",
                "Tell each result once; only a failure can be told anew, as a result.",
            )
        told = entry
        if entry.interrupted or old is not None:
            again = self.log.claim(
                entry.trial.number, entry.trial.proposal, attempt=entry.attempt + 1, asked=True
            )
            told = again or entry
        if not self.log.finish(told, new):
            raise UsageError(
                f"Trial {told.trial.number} got its result from elsewhere.",
                "This one does not count.",
            )
        return entry.trial.finish(new)

    def tell_all(self, results: Sequence[ExternalResult]) -> dict[str, int]:
        """Takes many results at once.

        Args:
            results: As for `Search.tell_all`.

        Returns:
            Counts, as for `Search.tell_all`.

        Raises:
            UsageError: As for `Search.tell_all`; then nothing of them is kept.
        """
        counts = {"told": 0, "failed": 0, "known": 0}
        entries = self.log.read()
        evaluations = []
        for position, result in enumerate(results):
            with result.named(position):
                told = self._told(result, entries)
                check_metrics(self.problem, told)
            evaluations.append(checked(self.problem, told))
        new: dict[tuple[tuple[int, ...], int | None], Evaluation] = {}
        for evaluation in evaluations:
            key = evaluation.architecture.canonical, evaluation.fidelity
            known = self.log.of(*key)
            before = [new[key]] if key in new else [e.trial.evaluation for e in known]
            if any(each and not replaces(evaluation, each) for each in before):
                counts["known"] += 1
            elif known:
                self.tell(evaluation)
                self.log.read()
                counts["told"] += 1
                counts["failed"] += evaluation.status == "failed"
            else:
                new[key] = evaluation
        counts["told"] += len(new)
        counts["failed"] += sum(each.status == "failed" for each in new.values())
        self.log.append(list(new.values()))
        return counts

    def _told(self, result: ExternalResult, entries: Sequence[Entry]) -> Evaluation:
        """The record of a result, whose architecture and fidelity may be those of a trial."""
        space = self.problem.space
        if result.architecture is None:
            assert result.number is not None
            proposal = self.numbered(entries, result.number).trial.proposal
            return result.evaluation(space.architecture(proposal.row), proposal.fidelity)
        return result.evaluation(space.architecture(result.architecture), result.fidelity)

    @staticmethod
    def numbered(entries: Sequence[Entry], number: int) -> Entry:
        """Returns the entry of a number.

        Args:
            entries: The log.
            number: Of a trial.

        Raises:
            UsageError: For a number that is no trial's.
        """
        if not 0 <= number < len(entries):
            raise UsageError(f"There is no trial {number}.", f"There are {len(entries)}, from 0.")
        return entries[number]
