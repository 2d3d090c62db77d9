"""The log of a run: who claimed which position, and what came of it.

Nothing is locked. A claim is one atomic write of a new Optuna trial that carries its position; of
several claims to one position the one with the lowest Optuna number counts, for every reader alike.
A result is one atomic change of state that succeeds only once. What a process has not written when
it dies never happened; what it has claimed and not finished is claimed again, as the next attempt
at the same position.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from optuna.exceptions import OptunaError
from optuna.trial import TrialState

from ...core.interrupts import interrupts_held_back
from ...evaluators.evaluation import Evaluation
from ..problem import Problem
from ..trial import Proposal, Trial
from .liveness import GONE, Owner, Watch
from .run import BEAT, GRACE, Run
from .trials import NewTrial, Record, trial_table

__all__ = ["ATTEMPTS", "PRIOR", "Entry", "TrialLog"]

# As many processes may vanish over an architecture until it counts as the cause.
ATTEMPTS = 5
# Seconds that one process may take to decide before another one decides the same.
LEASE = 30.0
PRIOR = "prior"
# An owner that is a person: what is asked for is never taken for vanished.
ASKED = ""
# An architecture and a fidelity.
Key = tuple[tuple[int, ...], int | None]
STATES = {"ok": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


@dataclass(frozen=True)
class Entry:
    """A position of the log as it stands.

    Args:
        trial: The trial; its number is the position.
        attempt: Which attempt at it is the last, from 0.
        owner: The process that made that attempt; blank for a person who trains elsewhere.
        interrupted: Whether that attempt ended without a result, so that the next is due.
        vanished: Attempts whose process vanished.
        rejected: Proposals that were known already and that this one stands in for.
        key: Optuna's id of the attempt.
    """

    trial: Trial
    attempt: int
    owner: str
    interrupted: bool
    vanished: int
    rejected: int
    key: int

    @property
    def prior(self) -> bool:
        """Whether it is a result from elsewhere, which the budget does not count."""
        return self.trial.source == PRIOR

    @property
    def asked(self) -> bool:
        """Whether a person evaluates it."""
        return self.owner == ASKED and not self.trial.done


class TrialLog:
    """Reads and writes the trials of a run.

    Args:
        run: The run.
        problem: The objectives and constraints.
        beat: Seconds between heartbeats.
        grace: Seconds without one until a process elsewhere counts as dead.

    Example:
        >>> from ...evaluators import evaluator
        >>> from ...spaces import space
        >>> from .config import RunConfig
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> problem = Problem.of(cora, maximize="valid_perf")
        >>> config = RunConfig(space="nas-bench-graph", maximize="valid_perf")
        >>> log = TrialLog(Run.in_memory(config, problem.objectives), problem)
        >>> entry = log.claim(0, Proposal(tuple(cora.rows[0].tolist()), "initial"))
        >>> log.finish(entry, cora.evaluate(entry.trial.proposal.row))
        True
        >>> [(e.trial.number, e.trial.status) for e in log.read()]
        [(0, 'ok')]
    """

    def __init__(
        self, run: Run, problem: Problem, *, beat: float = BEAT, grace: float = GRACE
    ) -> None:
        self.run, self.problem, self.owner = run, problem, Owner.new()
        self._beat, self._watch = beat, Watch(grace)
        self._table = trial_table(run.storage, run.study, problem.space)
        # Attempts by position, what they come to, and where each architecture stands.
        self._attempts: list[list[Record]] = []
        self._entries: list[Entry] = []
        self._open: dict[int, None] = {}
        self._places: dict[Key, list[int]] = {}
        self._lease = (("", -1), 0.0)

    # -- reading --------------------------------------------------------------------------------

    @interrupts_held_back()
    def read(self) -> list[Entry]:
        """Returns the entry of every position, in order; only what has changed is read."""
        self._take(self._table.changes())
        return list(self._entries)

    def _take(self, records: Sequence[Record]) -> None:
        """Brings the entries up to date."""
        changed: dict[int, None] = {}
        for record in records:
            place, attempt = record.attributes["position"], record.attributes["attempt"]
            if place == len(self._attempts):
                self._attempts.append([])
            made = self._attempts[place]
            if attempt == len(made):
                made.append(record)
            elif made[attempt].key == record.key:
                made[attempt] = record
            else:
                continue  # lost the race
            changed[place] = None
        for place in changed:
            entry = self._entry(self._attempts[place])
            if place == len(self._entries):
                self._entries.append(entry)
                proposal = entry.trial.proposal
                self._places.setdefault((proposal.row, proposal.fidelity), []).append(place)
            self._entries[place] = entry
            if entry.trial.done:
                self._open.pop(place, None)
            else:
                self._open[place] = None

    def open(self) -> list[Entry]:
        """Returns those entries, as last read, that have no result yet."""
        return [self._entries[place] for place in sorted(self._open)]

    def of(self, row: tuple[int, ...], fidelity: int | None) -> list[Entry]:
        """Returns the entries, as last read, of an architecture at a fidelity.

        Args:
            row: Canonical choice indices.
            fidelity: The fidelity; None is the full one.
        """
        return [self._entries[place] for place in self._places.get((row, fidelity), ())]

    def _entry(self, made: list[Record]) -> Entry:
        last = made[-1]
        vanished = 0
        for cut in (record.attributes["cut"] for record in made if _interrupted(record)):
            vanished = 0 if cut.get("released") else vanished + cut["vanished"]
        trial, due = self._trial(last), _interrupted(last)
        if due and vanished >= ATTEMPTS:
            reason = f"given up: {vanished} processes vanished while they evaluated it"
            trial, due = self._told(trial, {"status": "failed", "reason": reason}), False
        return Entry(
            trial=trial,
            attempt=last.attributes["attempt"],
            owner=last.attributes["owner"],
            interrupted=due,
            vanished=vanished,
            rejected=last.attributes["rejected"],
            key=last.key,
        )

    def _trial(self, record: Record) -> Trial:
        given = record.attributes
        proposal = Proposal(record.row, given["source"], given["fidelity"])
        trial = Trial(given["position"], proposal)
        result = given.get("result")
        if not record.state.is_finished():
            # A prior result is claimed together with its values.
            return self._told(trial, result) if result and given["source"] == PRIOR else trial
        if _interrupted(record):
            return trial
        unknown = {"status": "failed", "reason": "ended from outside, without a result"}
        return self._told(trial, result or unknown)

    # -- writing --------------------------------------------------------------------------------

    @interrupts_held_back()
    def claim(
        self,
        position: int,
        proposal: Proposal,
        *,
        attempt: int = 0,
        rejected: int = 0,
        asked: bool = False,
        result: Evaluation | None = None,
    ) -> Entry | None:
        """Takes a position, unless another process was faster.

        Args:
            position: The one after the last, or one whose last attempt was interrupted.
            proposal: What shall be evaluated there.
            attempt: The next at this position, from 0.
            rejected: Proposals that were known already and that this one stands in for.
            asked: Whether a person evaluates it.
            result: What came of it, where that is known before.

        Returns:
            The entry, or None where the position is another's.
        """
        owner = ASKED if asked else str(self.owner)
        attributes = self._attributes(position, proposal, attempt, rejected, owner)
        if result is not None:
            attributes["result"] = self._results([result])[0][0]
        (key,), records = self._table.create([NewTrial(proposal.row, attributes)])
        self._take(records)
        if self._attempts[position][attempt].key != key:
            cut = _cut(f"lost the race for position {position}")
            self._table.end(key, TrialState.FAIL, "cut", cut, None)
            return None
        return Entry(
            trial=Trial(position, proposal),
            attempt=attempt,
            owner=owner,
            interrupted=False,
            vanished=0,
            rejected=rejected,
            key=key,
        )

    def append(self, evaluations: Sequence[Evaluation]) -> list[Trial]:
        """Adds results from elsewhere at the end, all at once.

        Args:
            evaluations: What came of them.

        Returns:
            Their trials, in order.
        """
        left = list(evaluations)
        trials: list[Trial] = []
        while left:
            first = len(self.read())
            new = self._prior(first, left)
            keys, records = self._table.create(new)
            self._take(records)
            # Another process may have taken some of the positions.
            won = [self._attempts[first + i][0].key == key for i, key in enumerate(keys)]
            trials += [self._entries[first + i].trial for i, mine in enumerate(won) if mine]
            left = [evaluation for evaluation, mine in zip(left, won, strict=True) if not mine]
        return trials

    def _prior(self, first: int, evaluations: Sequence[Evaluation]) -> list[NewTrial]:
        """Trials that are written with their results."""
        new = []
        results = zip(evaluations, self._results(evaluations), strict=True)
        for position, (evaluation, (result, values)) in enumerate(results, first):
            proposal = Trial.of(position, evaluation, PRIOR).proposal
            attributes = self._attributes(position, proposal, 0, 0, str(self.owner))
            state = _state(evaluation)
            told = {**attributes, "result": result}
            new.append(NewTrial(proposal.row, told, state, values, evaluation.seconds))
        return new

    @interrupts_held_back()
    def finish(self, entry: Entry, evaluation: Evaluation) -> bool:
        """Writes a result.

        Args:
            entry: The entry that was evaluated.
            evaluation: The result.

        Returns:
            False where the attempt had ended before, so that the result does not count.
        """
        ((result, values),) = self._results([evaluation])
        return self._table.end(entry.key, _state(evaluation), "result", result, values)

    @interrupts_held_back()
    def interrupt(self, entry: Entry, reason: str, *, vanished: bool = False) -> bool:
        """Ends an attempt without a result, so that the next is due.

        Args:
            entry: The entry.
            reason: The reason.
            vanished: Whether its process vanished, for which the architecture may be the cause.

        Returns:
            False where the attempt had ended before.
        """
        return self._table.end(entry.key, TrialState.FAIL, "cut", _cut(reason, vanished), None)

    @interrupts_held_back()
    def release(self, entries: Sequence[Entry], reason: str) -> None:
        """Frees positions whatever came of them, so that the next attempt at each is due.

        Args:
            entries: Entries as they stand; what came of them stays in the storage.
            reason: The reason.
        """
        cut = {**_cut(reason), "released": True}
        new = [
            NewTrial(
                entry.trial.proposal.row,
                {
                    **self._attributes(
                        entry.trial.number,
                        entry.trial.proposal,
                        entry.attempt + 1,
                        entry.rejected,
                        str(self.owner),
                    ),
                    "cut": cut,
                },
                TrialState.FAIL,
            )
            for entry in entries
        ]
        if new:
            self._take(self._table.create(new)[1])

    @interrupts_held_back()
    def abandon(self, reason: str) -> None:
        """Interrupts all that is this search's own, also what it was just claiming.

        Args:
            reason: The reason.
        """
        self.read()
        for entry in self.open():
            if entry.owner == str(self.owner) and not entry.trial.done and not entry.interrupted:
                self.interrupt(entry, reason)

    @interrupts_held_back()
    def reap(self) -> int:
        """Interrupts what belongs to processes that are no more; returns how many."""
        running = [entry for entry in self.open() if not entry.interrupted and not entry.asked]
        others = [entry for entry in running if entry.owner != str(self.owner)]
        if not others:
            return 0
        beats = self.run.beats()
        dead = [entry for entry in others if self._watch.dead(entry.owner, beats)]
        return sum(self.interrupt(entry, "its process vanished", vanished=True) for entry in dead)

    def may_propose(self, position: int) -> bool:
        """Whether no other process is just deciding what to evaluate at a position.

        It saves two processes from deciding the same; that they do is harmless. None may take
        longer than `LEASE`.

        Args:
            position: The one after the last.
        """
        beats = self.run.beats()
        others = [who for who, beat in beats.items() if beat != GONE and who != str(self.owner)]
        if not others:
            return True
        who, where = self.run.lease()
        if where == position and who in others and not self._watch.dead(who, beats):
            if self._lease[0] != (who, where):
                self._lease = ((who, where), time.monotonic())
            if time.monotonic() - self._lease[1] < LEASE:
                return False
        self.run.take_lease(self.owner, position)
        return True

    @contextmanager
    def alive(self) -> Iterator[None]:
        """Sends heartbeats while it is open."""
        stop = threading.Event()

        def beat() -> None:
            while not stop.wait(self._beat):
                try:
                    self.run.beat(self.owner)
                except OptunaError:
                    continue  # a busy storage; the next one may get through

        self.run.beat(self.owner)
        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            self.run.beat(self.owner, gone=True)

    def _attributes(
        self, position: int, proposal: Proposal, attempt: int, rejected: int, owner: str
    ) -> dict[str, Any]:
        return {
            "position": position,
            "attempt": attempt,
            "architecture": self.problem.space.to_string(proposal.row),
            "source": proposal.source,
            "fidelity": proposal.fidelity,
            "owner": owner,
            "rejected": rejected,
        }

    def _results(
        self, evaluations: Sequence[Evaluation]
    ) -> list[tuple[dict[str, Any], list[float] | None]]:
        """What is kept of evaluations, and their objectives where they are complete."""
        told: list[dict[str, Any]] = [
            {
                "status": each.status,
                "metrics": {k: v for k, v in each.metrics.items() if math.isfinite(v)},
                "reason": each.reason,
                "seconds": each.seconds,
                "seed": each.seed,
            }
            for each in evaluations
        ]
        objectives: list[list[float] | None] = [None] * len(told)
        complete = self.problem.complete
        whole = [i for i, e in enumerate(evaluations) if e.ok and complete(e.metrics)]
        if whole:
            measured = self._measured([evaluations[i] for i in whole])
            feasible = self.problem.feasible(measured).tolist()
            columns = [measured[entry.metric].tolist() for entry in self.problem.objectives]
            for place, i in enumerate(whole):
                told[i]["feasible"] = feasible[place]
                if _state(evaluations[i]) is TrialState.COMPLETE:
                    objectives[i] = [float(column[place]) for column in columns]
        return list(zip(told, objectives, strict=True))

    def _told(self, trial: Trial, result: Mapping[str, Any]) -> Trial:
        return trial.finish(
            Evaluation(
                self.problem.space.architecture(trial.proposal.row),
                result.get("metrics", {}),
                result["status"],
                result.get("reason", ""),
                trial.fidelity,
                result.get("seed", 0),
                result.get("seconds", 0.0),
            )
        )

    def _measured(self, evaluations: Sequence[Evaluation]) -> dict[str, torch.Tensor]:
        exact = self.problem.exact(torch.tensor([e.architecture.canonical for e in evaluations]))
        learned = {
            name: torch.tensor([e.metrics[name] for e in evaluations], dtype=torch.float64)
            for name in self.problem.learned
        }
        return {**exact, **learned}


def _state(evaluation: Evaluation) -> TrialState:
    """How a trial of Optuna ends with an evaluation."""
    if evaluation.ok and evaluation.fidelity is not None:
        # Values at another fidelity must not compete in Optuna's eyes.
        return TrialState.PRUNED
    return STATES[evaluation.status]


def _interrupted(record: Record) -> bool:
    return record.state is TrialState.FAIL and "cut" in record.attributes


def _cut(reason: str, vanished: bool = False) -> dict[str, Any]:
    return {"reason": reason, "vanished": vanished}
