"""Optuna sampler: the search methods for people who already use Optuna."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
import torch
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.study import Study, StudyDirection
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from ..core.seeding import derive_seed, make_generator
from ..core.torch_state import own_torch_state
from ..evaluators.evaluation import Evaluation, Status
from ..evaluators.metric import Metric
from ..spaces import Architecture, Space, space as space_named
from .method import Method
from .methods import method as method_named
from .methods.neighbourhood import fresh_uniform
from .problem import Problem
from .trial import History, Proposal, Trial

__all__ = ["VitruviusSampler", "suggest"]

# Draws among which those that agree with what a user fixed are looked for.
DRAWN = 4096
_STATES: Mapping[TrialState, Status | None] = {
    TrialState.COMPLETE: "ok",
    TrialState.FAIL: "failed",
    TrialState.PRUNED: "pruned",
    TrialState.RUNNING: None,
    TrialState.WAITING: None,
}


def suggest(trial: BaseTrial, space: Space) -> Architecture:
    """Asks an Optuna trial for an architecture: one categorical parameter per variable.

    Args:
        trial: A trial.
        space: The space.

    Raises:
        ArchitectureError: Where the sampler is another, or a user enqueued what breaks a
            constraint of the space.
        TrialPruned: Where every architecture was evaluated.
    """
    row = [
        variable.choices.index(trial.suggest_categorical(variable.name, variable.choices))
        for variable in space.variables
    ]
    return space.architecture(row)


class VitruviusSampler(BaseSampler):
    """Proposes architectures in an Optuna study by a search method of this package.

    An objective calls `suggest`, or ``suggest_categorical(variable.name, variable.choices)`` for
    every variable of the space. Trials of the study that hold an architecture are the history,
    those that users enqueued or that other processes run included. No architecture is proposed
    twice, by canonical form; when all were, the trial that asks is pruned and the study stops.
    Parameters that are no variable of the space are drawn at random.

    Use `vitruvius.search` for constraints, tables, and runs that go on after an interruption;
    one process at a time (``n_jobs=1``), for trials that ask at the same moment do not see each
    other.

    Args:
        space: A space, or the name of one.
        method: A search method, or the name of one; several objectives are Optuna's directions.
        seed: Of everything random.
        initial: Random architectures before the method decides.

    Raises:
        UnknownNameError: For an unknown space or method.

    Example:
        >>> import optuna
        >>> from vitruvius.evaluators import evaluator
        >>> from vitruvius.spaces import space
        >>> cells = space("nas-bench-graph")
        >>> cora = evaluator(cells, "cora")
        >>> def objective(trial):
        ...     return cora.evaluate(suggest(trial, cells)).metrics["valid_perf"]
        >>> optuna.logging.set_verbosity(optuna.logging.WARNING)
        >>> study = optuna.create_study(direction="maximize", sampler=VitruviusSampler(cells))
        >>> study.optimize(objective, n_trials=12)
        >>> len({tuple(trial.params.values()) for trial in study.trials})
        12
    """

    def __init__(
        self,
        space: str | Space,
        *,
        method: str | Method = "bo",
        seed: int = 0,
        initial: int = 5,
    ) -> None:
        self.space = space_named(space) if isinstance(space, str) else space
        self.method = method_named(method) if isinstance(method, str) else method
        self.seed, self.initial = seed, initial
        self._problems: dict[tuple[StudyDirection, ...], Problem] = {}
        self._others = RandomSampler(seed=seed)
        self._exhausted_at: set[int] = set()

    @own_torch_state()
    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        return {
            variable.name: CategoricalDistribution(variable.choices)
            for variable in self.space.variables
        }

    @own_torch_state()
    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        history = self._history(study, trial.number)
        seed = derive_seed(self.seed, "optuna", trial.number)
        fixed = self._fixed(trial)
        if len(fixed) == len(self.space.variables):
            return {}
        if fixed:
            proposal = self._complete(history, fixed, seed)
        elif len(history) < self.initial or not history.ok:
            proposal = fresh_uniform(history, seed, "initial")
        else:
            proposal = self.method.propose(history, seed)
        if proposal is not None:
            pairs = zip(self.space.variables, proposal.row, strict=True)
            return {variable.name: variable.choices[index] for variable, index in pairs}
        if not fixed:
            self._exhausted_at.add(trial.number)
            _stop(study)
        return {}

    @own_torch_state()
    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        if trial.number in self._exhausted_at and param_name in self._columns:
            raise optuna.TrialPruned(f"All architectures of {self.space.name} were evaluated.")
        return self._others.sample_independent(study, trial, param_name, param_distribution)

    def reseed_rng(self) -> None:
        self._others.reseed_rng()

    @property
    def _columns(self) -> dict[str, int]:
        return {variable.name: i for i, variable in enumerate(self.space.variables)}

    def _history(self, study: Study, number: int) -> History:
        directions = tuple(study.directions)
        if directions not in self._problems:
            self._problems[directions] = _problem(self.space, directions)
        problem = self._problems[directions]
        kept = []
        for frozen in study.get_trials(deepcopy=False):
            row = self._row(frozen)
            if row is not None and frozen.number != number:
                kept.append((frozen, row))
        x = torch.tensor([row for _, row in kept], dtype=torch.long)
        x = x.reshape(-1, len(self.space.variables))
        valid = self.space.is_valid(x).tolist()
        canonical = self.space.canonical(x[valid]).tolist()
        found = [frozen for (frozen, _), ok in zip(kept, valid, strict=True) if ok]
        trials: list[Trial] = []
        for frozen, row in zip(found, canonical, strict=True):
            state, metrics = _STATES[frozen.state], _metrics(frozen.values)
            if state == "ok" and not problem.complete(metrics):
                state = "failed"
            trial = Trial(len(trials), Proposal(tuple(row), "optuna"))
            if state is not None:
                architecture = self.space.architecture(row)
                told = metrics if state == "ok" else {}
                trial = trial.finish(Evaluation(architecture, told, state))
            trials.append(trial)
        return History(problem, trials)

    def _row(self, frozen: FrozenTrial) -> list[int] | None:
        """Choice indices; None where the trial does not have every variable."""
        params = {**frozen.system_attrs.get("fixed_params", {}), **frozen.params}
        row = []
        for variable in self.space.variables:
            if params.get(variable.name) not in variable.choices:
                return None
            row.append(variable.choices.index(params[variable.name]))
        return row

    def _fixed(self, trial: FrozenTrial) -> dict[int, int]:
        """Columns that the user who enqueued the trial fixed, and their choices."""
        params = trial.system_attrs.get("fixed_params", {})
        return {
            i: variable.choices.index(params[variable.name])
            for i, variable in enumerate(self.space.variables)
            if params.get(variable.name) in variable.choices
        }

    def _complete(self, history: History, fixed: Mapping[int, int], seed: int) -> Proposal | None:
        """Draws a new architecture that is as fixed; its encoding may not be canonical."""
        x = self.space.sample(DRAWN, make_generator(seed))
        x[:, list(fixed)] = torch.tensor(list(fixed.values()))
        x = x[self.space.is_valid(x)]
        x = x[~history.knows(x)]
        return Proposal(tuple(x[0].tolist()), "enqueued") if len(x) else None


def _problem(space: Space, directions: Sequence[StudyDirection]) -> Problem:
    names = _names(len(directions))
    ways = {
        way: ",".join(name for name, d in zip(names, directions, strict=True) if d == way)
        for way in (StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE)
    }
    return Problem(
        space,
        {
            name: Metric(name, "", "higher" if d == StudyDirection.MAXIMIZE else "lower")
            for name, d in zip(names, directions, strict=True)
        },
        maximize=ways[StudyDirection.MAXIMIZE],
        minimize=ways[StudyDirection.MINIMIZE],
    )


def _names(count: int) -> list[str]:
    return ["value"] if count == 1 else [f"value_{i}" for i in range(count)]


def _metrics(values: Sequence[float] | None) -> dict[str, float]:
    """Infinite values are none that a method could learn from."""
    found = dict(zip(_names(len(values or ())), values or (), strict=True))
    return {name: value for name, value in found.items() if math.isfinite(value)}


def _stop(study: Study) -> None:
    """Stops the study, unless its user asks and tells by hand."""
    try:
        study.stop()
    except RuntimeError:
        return
