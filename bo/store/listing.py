"""What runs there are, and how they stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from optuna.exceptions import OptunaError
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.exc import SQLAlchemyError

from ...core.errors import UsageError, VitruviusError
from .run import FILE, METRIC_NAMES, Run, read_config
from .storage import open_storage

__all__ = ["RunState", "list_runs", "state_of"]

UNREADABLE = "unreadable"
# What a damaged or foreign file can bring about while it is read.
DAMAGE = (VitruviusError, OptunaError, SQLAlchemyError, LookupError, TypeError, ValueError, OSError)


@dataclass(frozen=True)
class RunState:
    """One line of ``vitruvius runs``.

    Args:
        run: Folder, or name in the storage.
        state: ``"finished"``, ``"running"``, ``"stopped"``, which can be resumed, ``"waiting"``,
            for results that are told or for its first evaluation, or ``"unreadable"``.
        space: What was searched.
        objectives: Names, each with ``+`` or ``-`` in front.
        method: Name of the method.
        budget: Evaluations that it shall have.
        evaluated: Evaluations that are done, failed ones included.
        failed: Those that failed.
        best: Value of the best feasible result there is, prior ones included; empty where there is
            none, or several objectives.
        prior: Results that were told and not asked for.
        front: Of several objectives how many feasible results no other dominates.
        hypervolume: What the front dominates, from ``reference`` on.
        reference: The worst value of each objective among feasible results.
        problem: What is wrong with a run that cannot be read.
    """

    run: str
    state: str
    space: str = ""
    objectives: tuple[str, ...] = ()
    method: str = ""
    budget: int = 0
    evaluated: int = 0
    failed: int = 0
    best: dict[str, float] = field(default_factory=dict)
    prior: int = 0
    front: int | None = None
    hypervolume: float | None = None
    reference: dict[str, float] = field(default_factory=dict)
    problem: str = ""


def list_runs(folder: str | Path = "runs", storage: str | None = None) -> list[RunState]:
    """Sums up every run in a folder or a storage; one that cannot be read says why.

    Args:
        folder: Holds runs' folders, or is one.
        storage: As for `open_storage`; instead of the folder.

    Raises:
        UsageError: Where the folder is not there or the storage cannot be opened.
    """
    if storage is None:
        if not Path(folder).is_dir():
            raise UsageError(
                f"There is no folder {folder}.",
                "Give the one that holds runs, or a --storage. Before the first search there is "
                "none.",
            )
        files = sorted(Path(folder).glob(FILE)) + sorted(Path(folder).glob(f"*/{FILE}"))
        return [_read(str(file.parent), None) for file in files]
    opened = open_storage(storage)
    found = []
    for study in opened.get_all_studies():
        name = study.study_name
        try:
            config = read_config(opened, study._study_id, name)
            if config is not None:
                found.append(state_of(Run(opened, study._study_id, name, config)))
        except DAMAGE as error:
            found.append(_unreadable(name, error))
    return found


def state_of(run: Run) -> RunState:
    """Sums a run up, without its space and evaluator.

    Args:
        run: The run.
    """
    # Of the attempts at a position the last one counts, of equal attempts the first.
    last: dict[int, FrozenTrial] = {}
    for trial in run.storage.get_all_trials(run.study, deepcopy=False):
        place = trial.user_attrs.get("position")
        if place is not None:
            before = last.get(place)
            if before is None or trial.user_attrs["attempt"] > before.user_attrs["attempt"]:
                last[place] = trial
    told = [t for t in last.values() if t.user_attrs.get("result") and t.state.is_finished()]
    done = [t for t in told if t.user_attrs["source"] != "prior"]
    prior = len(told) - len(done)
    directions = run.storage.get_study_directions(run.study)
    up = [way is StudyDirection.MAXIMIZE for way in directions]
    names = run.storage.get_study_system_attrs(run.study)[METRIC_NAMES]
    budget = run.budget()
    if run.alive():
        state = "running"
    elif budget and len(done) >= budget:
        state = "finished"
    elif not run.config.evaluators or (prior and not done):
        state = "waiting"
    else:
        state = "stopped"
    return RunState(
        run=run.location,
        state=state,
        space=run.config.space,
        objectives=tuple(f"{'+' if u else '-'}{n}" for n, u in zip(names, up, strict=True)),
        method=run.config.method,
        budget=budget,
        evaluated=len(done),
        failed=sum(t.state is TrialState.FAIL for t in done),
        prior=prior,
        **_best(told, names, up),
    )


def _best(told: Sequence[FrozenTrial], names: Sequence[str], up: Sequence[bool]) -> dict[str, Any]:
    """The best value, or of several objectives what is known of the front."""
    good = [
        t.values
        for t in told
        if t.state is TrialState.COMPLETE and t.user_attrs["result"].get("feasible")
    ]
    if not good:
        return {}
    if len(names) == 1:
        return {"best": {names[0]: (max if up[0] else min)(values[0] for values in good)}}
    # They need torch and BoTorch, which nothing else here does.
    import torch

    from ..measures import hypervolume, pareto_mask, reference_point

    signs = torch.tensor([1.0 if each else -1.0 for each in up], dtype=torch.float64)
    scores = torch.tensor(good, dtype=torch.float64) * signs
    worst = reference_point(scores)
    return {
        "front": int(pareto_mask(scores).sum()),
        "hypervolume": hypervolume(scores, worst),
        "reference": dict(zip(names, (worst * signs).tolist(), strict=True)),
    }


def _read(run: str, storage: str | None) -> RunState:
    try:
        return state_of(Run.open(run, storage, writable=False))
    except DAMAGE as error:
        return _unreadable(run, error)


def _unreadable(run: str, error: Exception) -> RunState:
    said = (
        error.message if isinstance(error, VitruviusError) else f"{type(error).__name__}: {error}"
    )
    return RunState(run=run, state=UNREADABLE, problem=said)
