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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from optuna.distributions import CategoricalDistribution
from optuna.exceptions import OptunaError, UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from ...evaluators.evaluation import Evaluation
from ..problem import Problem
from ..trial import Proposal, Trial
from .liveness import GONE, Owner, Watch
from .run import BEAT, GRACE, Run

__all__ = ["ATTEMPTS", "PRIOR", "Entry", "TrialLog"]

# As many processes may vanish over an architecture until it counts as the cause.
ATTEMPTS = 5
# Seconds that one process may take to decide before another one decides the same.
LEASE = 30.0
PRIOR = "prior"
# An owner that is a person: what is asked for is never taken for vanished.
ASKED = ""
STATES = {"ok": TrialState.COMPLETE, "failed": TrialState.FAIL, "pruned": TrialState.PRUNED}


@dataclass(frozen=True)
class Entry:
    """A position of the log as it stands.

    Args:
        trial: The trial; its number is the position.
        attempt: Which attempt at it is the last, from 0.
        owner: Who made that attempt; blank for a person who trains elsewhere.
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
        return self.trial.proposal.source == PRIOR

    @property
    def asked(self) -> bool:
        """Whether a person evaluates it."""
        return self.owner == ASKED and not self.trial.done


class TrialLog:
    """Reads and writes the trials of a run.

    Args:
        run: The run.
        problem: What it searches for.
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
        self._choices = {
            v.name: CategoricalDistribution(v.choices) for v in problem.space.variables
        }
        self._settled: dict[int, Trial] = {}
        self._lease = (("", -1), 0.0)

    # -- reading --------------------------------------------------------------------------------

    def read(self) -> list[Entry]:
        """Returns the entry of every position, in order."""
        attempts: list[list[FrozenTrial]] = []
        taken = set()
        for trial in self._trials():
            place, attempt = trial.user_attrs["position"], trial.user_attrs["attempt"]
            if (place, attempt) in taken:
                continue  # lost the race
            taken.add((place, attempt))
            if place == len(attempts):
                attempts.append([])
            attempts[place].append(trial)
        return [self._entry(made) for made in attempts]

    def _trials(self) -> list[FrozenTrial]:
        trials = self.run.storage.get_all_trials(self.run.study, deepcopy=False)
        return [trial for trial in trials if "position" in trial.user_attrs]

    def _entry(self, made: list[FrozenTrial]) -> Entry:
        last = made[-1]
        cut = [trial.user_attrs["cut"] for trial in made if _interrupted(trial)]
        vanished = sum(entry["vanished"] for entry in cut)
        trial, due = self._trial(last), _interrupted(last)
        if due and vanished >= ATTEMPTS:
            reason = f"given up: {vanished} processes vanished while they evaluated it"
            trial, due = self._told(trial, {"status": "failed", "reason": reason}), False
        return Entry(
            trial=trial,
            attempt=last.user_attrs["attempt"],
            owner=last.user_attrs["owner"],
            interrupted=due,
            vanished=vanished,
            rejected=last.user_attrs["rejected"],
            key=last._trial_id,
        )

    def _trial(self, row: FrozenTrial) -> Trial:
        if row._trial_id in self._settled:
            return self._settled[row._trial_id]
        given = row.user_attrs
        indices = tuple(
            variable.choices.index(row.params[variable.name])
            for variable in self.problem.space.variables
        )
        proposal = Proposal(indices, given["source"], given["fidelity"])
        trial = Trial(given["position"], proposal)
        result = given.get("result")
        if not row.state.is_finished():
            # A prior result is claimed together with its values.
            return self._told(trial, result) if result and given["source"] == PRIOR else trial
        if not _interrupted(row):
            unknown = {"status": "failed", "reason": "ended from outside, without a result"}
            trial = self._told(trial, result or unknown)
        self._settled[row._trial_id] = trial
        return trial

    # -- writing --------------------------------------------------------------------------------

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
        space = self.problem.space
        architecture = space.architecture(proposal.row)
        row = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=None,
            datetime_complete=None,
            params={
                variable.name: variable.choices[index]
                for variable, index in zip(space.variables, proposal.row, strict=True)
            },
            distributions=dict(self._choices),
            user_attrs={
                "position": position,
                "attempt": attempt,
                "architecture": str(architecture),
                "source": proposal.source,
                "fidelity": proposal.fidelity,
                "owner": ASKED if asked else str(self.owner),
                "rejected": rejected,
                **({"result": self._result(result)} if result else {}),
            },
            system_attrs={},
            intermediate_values={},
        )
        key = self.run.storage.create_new_trial(self.run.study, template_trial=row)
        first = next(
            trial
            for trial in self._trials()
            if (trial.user_attrs["position"], trial.user_attrs["attempt"]) == (position, attempt)
        )
        if first._trial_id != key:
            self._end(key, TrialState.FAIL, "cut", _cut(f"lost the race for position {position}"))
            return None
        return Entry(
            trial=Trial(position, proposal),
            attempt=attempt,
            owner=ASKED if asked else str(self.owner),
            interrupted=False,
            vanished=0,
            rejected=rejected,
            key=key,
        )

    def finish(self, entry: Entry, evaluation: Evaluation) -> bool:
        """Writes a result.

        Args:
            entry: What was evaluated.
            evaluation: What came of it.

        Returns:
            False where the attempt had ended before, so that the result does not count.
        """
        state = STATES[evaluation.status]
        if evaluation.ok and evaluation.fidelity is not None:
            # Values at another fidelity must not compete in Optuna's eyes.
            state = TrialState.PRUNED
        values = self._values(evaluation) if state is TrialState.COMPLETE else None
        return self._end(entry.key, state, "result", self._result(evaluation), values)

    def interrupt(self, entry: Entry, reason: str, *, vanished: bool = False) -> bool:
        """Ends an attempt without a result, so that the next is due.

        Args:
            entry: The entry.
            reason: Why.
            vanished: Whether its process vanished, for which the architecture may be the cause.

        Returns:
            False where the attempt had ended before.
        """
        return self._end(entry.key, TrialState.FAIL, "cut", _cut(reason, vanished))

    def abandon(self, reason: str) -> None:
        """Interrupts all that is this search's own, also what it was just claiming.

        Args:
            reason: Why.
        """
        for entry in self.read():
            if entry.owner == str(self.owner) and not entry.trial.done and not entry.interrupted:
                self.interrupt(entry, reason)

    def reap(self, entries: list[Entry]) -> int:
        """Interrupts what belongs to processes that are no more; returns how many.

        Args:
            entries: As read.
        """
        running = [e for e in entries if not e.trial.done and not e.interrupted and not e.asked]
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

    def _end(
        self,
        key: int,
        state: TrialState,
        attribute: str,
        content: dict[str, Any],
        values: list[float] | None = None,
    ) -> bool:
        """Writes an attribute and then the state; the attribute alone means nothing."""
        try:
            self.run.storage.set_trial_user_attr(key, attribute, content)
            self.run.storage.set_trial_state_values(key, state, values)
        except UpdateFinishedTrialError:
            return False
        return True

    def _result(self, evaluation: Evaluation) -> dict[str, Any]:
        told: dict[str, Any] = {
            "status": evaluation.status,
            "metrics": {k: v for k, v in evaluation.metrics.items() if math.isfinite(v)},
            "reason": evaluation.reason,
            "seconds": evaluation.seconds,
            "seed": evaluation.seed,
        }
        if evaluation.ok and self.problem.complete(evaluation.metrics):
            told["feasible"] = bool(self.problem.feasible(self._measured(evaluation))[0])
        return told

    def _told(self, trial: Trial, result: Mapping[str, Any]) -> Trial:
        return trial.finish(
            Evaluation(
                self.problem.space.architecture(trial.proposal.row),
                result.get("metrics", {}),
                result["status"],
                result.get("reason", ""),
                trial.proposal.fidelity,
                result.get("seed", 0),
                result.get("seconds", 0.0),
            )
        )

    def _values(self, evaluation: Evaluation) -> list[float]:
        values = self._measured(evaluation)
        return [float(values[entry.metric]) for entry in self.problem.objectives]

    def _measured(self, evaluation: Evaluation) -> dict[str, torch.Tensor]:
        exact = self.problem.exact(torch.tensor([evaluation.architecture.canonical]))
        told = {
            name: torch.tensor([evaluation.metrics[name]], dtype=torch.float64)
            for name in self.problem.learned
        }
        return {**exact, **told}


def _interrupted(row: FrozenTrial) -> bool:
    return row.state is TrialState.FAIL and "cut" in row.user_attrs


def _cut(reason: str, vanished: bool = False) -> dict[str, Any]:
    return {"reason": reason, "vanished": vanished}
