"""Which architecture comes next: initial designs, then the method, never one that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.seeding import derive_seed
from .draws import draw_possible, initial_design
from .method import Method
from .problem import Problem
from .store import Entry
from .trial import History, Proposal, Trial

__all__ = ["FALLBACK", "INITIAL", "Next", "Proposer"]

INITIAL, FALLBACK = "initial", "fallback"


@dataclass(frozen=True)
class Next:
    """What to evaluate next.

    Args:
        proposal: The architecture; None where there is none left.
        rejected: Proposals of the method that were known already.
    """

    proposal: Proposal | None
    rejected: int = 0


class Proposer:
    """Decides the trial of a position from the log alone.

    Trial k is proposed from the results of the trials 0 to k - batch; those since then are pending,
    even where their results have come in. That makes the trajectory of a run depend on its seed and
    batch only, not on how many processes work on it, how long evaluations take, or what was
    interrupted. Its seed derives from the run's and k.

    Args:
        problem: The objectives and constraints.
        method: Decides after the initial designs.
        seed: Of the run.
        batch: How many may be pending.
        initial: Random architectures, less the prior results told.
    """

    def __init__(
        self, problem: Problem, method: Method, *, seed: int, batch: int, initial: int
    ) -> None:
        self.problem, self.method = problem, method
        self.seed, self.batch, self.initial = seed, batch, initial

    def due(self, entries: Sequence[Entry]) -> bool:
        """Whether the results are in from which the next trial is proposed.

        Args:
            entries: The log.
        """
        if self._initial_left(entries):
            return sum(not (entry.trial.done or entry.asked) for entry in entries) < self.batch
        return all(entry.trial.done or entry.asked for entry in self._visible(entries))

    def next(self, entries: Sequence[Entry]) -> Next:
        """Decides the next trial of a run that works by itself.

        Args:
            entries: The log; `due` holds.
        """
        visible = {entry.trial.number for entry in self._visible(entries)}
        trials = [
            entry.trial if entry.trial.number in visible or entry.prior else entry.trial.pending()
            for entry in entries
        ]
        return self._decide(entries, trials)

    def ask(self, entries: Sequence[Entry], pool: Int[Tensor, "P V"] | None = None) -> Next:
        """Decides the next trial from all results there are.

        Args:
            entries: The log.
            pool: Where given, nothing else is proposed.
        """
        return self._decide(entries, [entry.trial for entry in entries], pool)

    def _decide(
        self,
        entries: Sequence[Entry],
        trials: Sequence[Trial],
        pool: Int[Tensor, "P V"] | None = None,
    ) -> Next:
        problem = self.problem if pool is None else self.problem.within(pool)
        history = History(problem, trials)
        seed = derive_seed(self.seed, "trial", len(trials))
        if pool is None and self._initial_left(entries):
            fresh = history.fresh(self._designs)
            if len(fresh):
                return Next(Proposal(tuple(fresh[0].tolist()), INITIAL))
        if not history.ok and self.initial:
            return Next(_uniform(history, seed, INITIAL))
        proposal = self.method.propose(history, seed)
        if proposal is None:
            return Next(None)
        row = torch.tensor([proposal.row])
        # The same architecture at another fidelity is another trial.
        known = bool(torch.isin(problem.space.hashes(row), history.proposed(proposal.fidelity)))
        if known or not bool(problem.possible(row)):
            return Next(_uniform(history, seed, FALLBACK), int(known))
        return Next(proposal)

    def _visible(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        return entries[: max(len(entries) - self.batch + 1, 0)]

    def _initial_left(self, entries: Sequence[Entry]) -> bool:
        known = [entry.trial for entry in entries if entry.prior]
        prior = sum(t.status == "ok" and t.fidelity is None for t in known)
        placed = sum(entry.trial.source == INITIAL for entry in entries)
        return placed < self.initial - prior

    @cached_property
    def _designs(self) -> Int[Tensor, "D V"]:
        """Twice as many as wanted, as some may be among prior results."""
        return draw_possible(self.problem, 2 * self.initial, derive_seed(self.seed, "initial"))


def _uniform(history: History, seed: int, source: str) -> Proposal | None:
    """Draws one that is not known; None where everything possible is."""
    whole = history.problem.whole()
    if whole is not None:
        fresh = history.fresh(whole)
        drawn = initial_design(fresh, 1, derive_seed(seed, "uniform"))
    else:
        few = draw_possible(history.problem, len(history) + 1, derive_seed(seed, "uniform"))
        drawn = history.fresh(few)[:1]
    return Proposal(tuple(drawn[0].tolist()), source) if len(drawn) else None
