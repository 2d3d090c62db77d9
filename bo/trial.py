"""Trials, and the history of a search that methods decide from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..core.distinct import first_of_each
from ..evaluators.evaluation import Evaluation
from .problem import Problem

__all__ = ["History", "Proposal", "Trial"]


@dataclass(frozen=True)
class Proposal:
    """What to evaluate next, and who thought of it.

    Args:
        row: Canonical choice indices.
        source: For example ``"initial"``, ``"exhaustive"``, ``"diffusion"``, ``"mutation"``.
        fidelity: One of the evaluator's, or None for the full one.
    """

    row: tuple[int, ...]
    source: str
    fidelity: int | None = None


@dataclass(frozen=True, repr=False)
class Trial:
    """A proposal in the order of proposals, and its evaluation once that is in.

    Args:
        number: Place in the order of proposals, from 0.
        proposal: What was proposed.
        evaluation: What came of it; None while it runs.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> trial = Trial(0, Proposal((3, 3, 3, 3, 3, 3), "initial"))
        >>> done = trial.finish(Evaluation(cells.architecture((3,) * 6), {"accuracy": 93.0}))
        >>> trial.status, done.status, done.metrics
        ('running', 'ok', {'accuracy': 93.0})
        >>> trial
        Trial(number=0, row=(3, 3, 3, 3, 3, 3), status='running', source='initial')
    """

    number: int
    proposal: Proposal
    evaluation: Evaluation | None = None

    @classmethod
    def of(cls, number: int, evaluation: Evaluation, source: str = "initial") -> Trial:
        """Makes the trial of an evaluation that is there.

        Args:
            number: Place in the order of proposals.
            evaluation: The result.
            source: Source of the proposal.
        """
        proposal = Proposal(evaluation.architecture.canonical, source, evaluation.fidelity)
        return cls(number, proposal, evaluation)

    def __repr__(self) -> str:
        what = f"row={self.proposal.row}"
        if self.evaluation is not None:
            what = f"architecture={str(self.evaluation.architecture)!r}, metrics={self.metrics}"
        said = {"status": self.status, "source": self.source, "fidelity": self.fidelity}
        told = {key: value for key, value in said.items() if value is not None}
        rest = ", ".join(f"{key}={value!r}" for key, value in told.items())
        return f"Trial(number={self.number}, {what}, {rest})"

    @property
    def source(self) -> str:
        """Who thought of it (see `Proposal`)."""
        return self.proposal.source

    @property
    def fidelity(self) -> int | None:
        """The fidelity that was proposed; None for the full one."""
        return self.proposal.fidelity

    @property
    def done(self) -> bool:
        """Whether its result is in."""
        return self.evaluation is not None

    @property
    def status(self) -> Literal["running", "ok", "failed", "pruned"]:
        """The status of the evaluation, ``"running"`` where there is none."""
        return "running" if self.evaluation is None else self.evaluation.status

    @property
    def metrics(self) -> dict[str, float]:
        """What was measured; empty while it runs."""
        return {} if self.evaluation is None else self.evaluation.metrics

    @property
    def reason(self) -> str:
        """Why it is not ``"ok"``."""
        return "" if self.evaluation is None else self.evaluation.reason

    @property
    def seconds(self) -> float:
        """What the evaluation cost; 0 while it runs."""
        return 0.0 if self.evaluation is None else self.evaluation.seconds

    def finish(self, evaluation: Evaluation) -> Trial:
        """Returns the trial with its evaluation.

        Args:
            evaluation: Of what was proposed.
        """
        return replace(self, evaluation=evaluation)

    def pending(self) -> Trial:
        """Returns the trial as it was before its result came in."""
        return replace(self, evaluation=None)


class History:
    """All trials so far, as tensors; what a method decides from, and nothing else.

    Args:
        problem: The objectives and constraints.
        trials: In the order of their numbers; running ones count as pending.

    Example:
        >>> from vitruvius.evaluators import evaluator
        >>> from vitruvius.spaces import space
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> problem = Problem.of(cora, maximize="valid_perf")
        >>> row = tuple(cora.rows[0].tolist())
        >>> history = History(problem, [Trial(0, Proposal(row, "initial"))])
        >>> len(history.x), len(history.pending), history.knows(cora.rows[:2]).tolist()
        (0, 1, [True, False])
    """

    def __init__(self, problem: Problem, trials: Sequence[Trial]) -> None:
        self.problem, self.trials = problem, tuple(trials)
        # Measured in full: what objectives are told by.
        self.ok = tuple(t for t in trials if t.status == "ok" and t.fidelity is None)
        self.running = tuple(t for t in trials if not t.done)

    def __len__(self) -> int:
        return len(self.trials)

    @cached_property
    def x(self) -> Int[Tensor, "n V"]:
        """Choice indices of what was measured in full, in order."""
        return self._rows(self.ok)

    @cached_property
    def pending(self) -> Int[Tensor, "p V"]:
        """Choice indices of what is being measured."""
        return self._rows(self.running)

    @cached_property
    def everything(self) -> Int[Tensor, "t V"]:
        """Choice indices of all trials, whatever became of them."""
        return self._rows(self.trials)

    @cached_property
    def values(self) -> dict[str, Float[Tensor, " n"]]:
        """Values of what was measured in full: of every metric in use, and all exact ones."""
        exact = self.problem.exact(self.x) if len(self.x) else {}
        learned = {
            name: torch.tensor([t.metrics[name] for t in self.ok], dtype=torch.float64)
            for name in self.problem.learned
        }
        return {**exact, **learned}

    @cached_property
    def scores(self) -> Float[Tensor, "n M"]:
        """Objectives of what was measured in full; more is better in every column."""
        if not self.ok:
            return torch.zeros(0, len(self.problem.objectives), dtype=torch.float64)
        return self.problem.scores(self.values)

    @cached_property
    def feasible(self) -> Bool[Tensor, " n"]:
        """Which of those meet all constraints."""
        if not self.ok:
            return torch.zeros(0, dtype=torch.bool)
        return self.problem.feasible(self.values)

    @cached_property
    def hashes(self) -> Int[Tensor, " t"]:
        """Hashes of all trials, by canonical form."""
        return self.problem.space.hashes(self.everything)

    def proposed(self, fidelity: int | None) -> Int[Tensor, " p"]:
        """Returns the hashes of what was proposed at a fidelity.

        Args:
            fidelity: One of the evaluator's; None is the full one.
        """
        there = [trial.fidelity == fidelity for trial in self.trials]
        return self.hashes[torch.tensor(there, dtype=torch.bool)]

    def at(self, fidelity: int) -> History:
        """Returns the trials at a fidelity as if it were the full one.

        Args:
            fidelity: One of the evaluator's.
        """
        there = (trial for trial in self.trials if trial.fidelity == fidelity)
        return History(
            self.problem,
            [
                replace(trial, proposal=replace(trial.proposal, fidelity=None))
                for trial in there
                if trial.status != "ok" or self.problem.complete(trial.metrics)
            ],
        )

    def knows(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which architectures were ever proposed in full, by canonical form.

        What is known at a lower fidelity alone may still be evaluated in full.

        Args:
            x: Valid choice indices.
        """
        return torch.isin(self.problem.space.hashes(x), self.proposed(None))

    def fresh(self, x: Int[Tensor, "B V"]) -> Int[Tensor, "F V"]:
        """Returns those that may be proposed and never were in full, each once, in canonical form.

        Args:
            x: Valid choice indices.
        """
        space = self.problem.space
        x = space.canonical(x)
        kinds, first = first_of_each(space.hashes(x))
        x = x[first[~torch.isin(kinds, self.proposed(None))].sort().values]
        return x[self.problem.possible(x)]

    def _rows(self, trials: Sequence[Trial]) -> Int[Tensor, "n V"]:
        rows = [trial.proposal.row for trial in trials]
        return torch.tensor(rows, dtype=torch.long).reshape(-1, len(self.problem.space.variables))
