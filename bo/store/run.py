"""A run: one Optuna study with the configuration that it was made with."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna import Study
from optuna.exceptions import DuplicatedStudyError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState
from pydantic import ValidationError

from ...core.errors import UsageError
from .config import RunConfig
from .liveness import GONE, Owner
from .storage import open_storage, printable

if TYPE_CHECKING:
    from ..problem import Objective

__all__ = ["BEAT", "CONFIG", "GRACE", "Run", "RunState", "list_runs"]

FILE, NAME = "run.sqlite", "run"
CONFIG = "vitruvius"
# Optuna's key for the names of objectives, which its dashboard shows.
METRIC_NAMES = "study:metric_names"
WORKER, LEASE = "worker ", "deciding"
# Seconds between heartbeats, and without one until a process elsewhere counts as dead.
BEAT, GRACE = 5.0, 60.0
# Seconds to wait for another process that is just making the same run.
PATIENCE = 5.0


@dataclass(frozen=True)
class RunState:
    """One line of ``vitruvius runs``.

    Args:
        run: Folder, or name in the storage.
        state: ``"finished"``, ``"running"`` or ``"stopped"``, which can be resumed.
        space: What was searched.
        objectives: Names, each with ``+`` or ``-`` in front.
        method: Name of the method.
        budget: Evaluations that it shall have.
        evaluated: Evaluations that are done, failed ones included.
        failed: Those that failed.
        best: Best feasible values by objective, each for itself; empty where there is none.
    """

    run: str
    state: str
    space: str
    objectives: tuple[str, ...]
    method: str
    budget: int
    evaluated: int
    failed: int
    best: dict[str, float]


class Run:
    """One search in a storage.

    Args:
        storage: An Optuna storage.
        study: Id of the study in it.
        location: How users call it: a folder, or a name in a storage.
        config: Its configuration.
        folder: Its folder, where it has one.

    Example:
        >>> from vitruvius.bo.problem import Objective
        >>> run = Run.in_memory(RunConfig(space="toy", maximize="x"), [Objective("x", True)])
        >>> run.config.space, run.beats()
        ('toy', {})
    """

    def __init__(
        self,
        storage: BaseStorage,
        study: int,
        location: str,
        config: RunConfig,
        *,
        folder: Path | None = None,
    ) -> None:
        self.storage, self.study, self.location, self.config = storage, study, location, config
        self.folder = folder

    @classmethod
    def in_memory(cls, config: RunConfig, objectives: Sequence[Objective]) -> Run:
        """Makes a run that ends with this process.

        Args:
            config: Its configuration.
            objectives: The objectives.
        """
        return cls._create(InMemoryStorage(), NAME, "", config, objectives)

    @classmethod
    def create(
        cls,
        config: RunConfig,
        objectives: Sequence[Objective],
        run: str | Path,
        storage: str | None = None,
    ) -> Run:
        """Makes a run, or joins the one that is there with the same configuration.

        Args:
            config: Its configuration. A larger budget than that of the run there extends it.
            objectives: The objectives.
            run: A folder, or with ``storage`` a name in it.
            storage: As for `open_storage`.

        Raises:
            UsageError: Where a run of another configuration is there, or no folder can be made.
        """
        url, name, location = _place(run, storage)
        if storage is None:
            try:
                Path(run).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"{run} cannot be made a folder: {error.strerror}.", "Name another."
                ) from error
        made = cls._create(open_storage(url), name, location, config, objectives)
        made.folder = _folder(run, storage)
        if different := made.config.differences(config):
            told = "; ".join(f"{key}: {a!r} there, {b!r} here" for key, (a, b) in different.items())
            raise UsageError(
                f"{location} is there already, made with other settings: {told}.",
                "Resume it without them, or give the new search another --run.",
            )
        made.extend(config.budget)
        return made

    @classmethod
    def open(cls, run: str | Path, storage: str | None = None) -> Run:
        """Opens a run.

        Args:
            run: A folder, or with ``storage`` a name in it.
            storage: As for `open_storage`.

        Raises:
            UsageError: Where there is none.
        """
        url, name, location = _place(run, storage)
        hint = "`vitruvius runs` lists those there are."
        if storage is None and not (Path(run) / FILE).is_file():
            raise UsageError(f"There is no run in {run}.", hint)
        opened = open_storage(url)
        try:
            study = opened.get_study_id_from_name(name)
        except KeyError:
            raise UsageError(f"There is no run {location}.", hint) from None
        config = _config(opened, study)
        if config is None:
            raise UsageError(f"{location} is a study, but no run of vitruvius.", hint)
        return cls(opened, study, location, config, folder=_folder(run, storage))

    @classmethod
    def _create(
        cls,
        storage: BaseStorage,
        name: str,
        location: str,
        config: RunConfig,
        objectives: Sequence[Objective],
    ) -> Run:
        ways = (StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE)
        try:
            study = storage.create_new_study([ways[entry.maximize] for entry in objectives], name)
        except DuplicatedStudyError:
            study = storage.get_study_id_from_name(name)
            if found := _await_config(storage, study, location):
                return cls(storage, study, location, found)
        storage.set_study_system_attr(study, METRIC_NAMES, [entry.metric for entry in objectives])
        storage.set_study_user_attr(study, CONFIG, config.model_dump(mode="json"))
        return cls(storage, study, location, config)

    def extend(self, budget: int) -> None:
        """Raises the budget, also of processes that are at work on the run.

        Args:
            budget: Evaluations that the run shall have at least.
        """
        if budget > self.config.budget:
            self.config = self.config.model_copy(update={"budget": budget})
            dumped = self.config.model_dump(mode="json")
            self.storage.set_study_user_attr(self.study, CONFIG, dumped)

    def budget(self) -> int:
        """The budget as it is in the storage now."""
        return RunConfig.model_validate(self._attributes()[CONFIG]).budget

    def beat(self, owner: Owner, *, gone: bool = False) -> None:
        """Writes a heartbeat.

        Args:
            owner: The process.
            gone: Whether it is the last one.
        """
        when = GONE if gone else time.time()
        self.storage.set_study_user_attr(self.study, WORKER + str(owner), when)

    def beats(self) -> dict[str, float]:
        """Last heartbeat of every process, by its `Owner` as text."""
        return {
            key.removeprefix(WORKER): float(value)
            for key, value in self._attributes().items()
            if key.startswith(WORKER)
        }

    def lease(self) -> tuple[str, int]:
        """Which process was the last to decide, and about which position."""
        who, position = self._attributes().get(LEASE, ("", -1))
        return str(who), int(position)

    def take_lease(self, owner: Owner, position: int) -> None:
        """Says that a process is about to decide.

        Args:
            owner: The process.
            position: The position it decides about.
        """
        self.storage.set_study_user_attr(self.study, LEASE, [str(owner), position])

    def prunes(self, key: int, step: int, value: float, pruner: BasePruner) -> bool:
        """Keeps an intermediate value, and tells whether a pruner would stop there.

        Args:
            key: Optuna's id of the trial.
            step: For example the epoch.
            value: Of the objective.
            pruner: What decides, from the trials of this run.
        """
        self.storage.set_trial_intermediate_value(key, step, value)
        name = self.storage.get_study_name_from_id(self.study)
        study = Study(name, self.storage, pruner=pruner)
        return bool(pruner.prune(study, self.storage.get_trial(key)))

    def state(self) -> RunState:
        """Sums the run up, without its space and evaluator."""
        # Of the attempts at a position the last one counts, of equal attempts the first.
        last: dict[int, Any] = {}
        for trial in self.storage.get_all_trials(self.study, deepcopy=False):
            place = trial.user_attrs.get("position")
            if place is not None and trial.user_attrs["source"] != "prior":
                before = last.get(place)
                attempt = trial.user_attrs["attempt"]
                if before is None or attempt > before.user_attrs["attempt"]:
                    last[place] = trial
        done = [t for t in last.values() if t.user_attrs.get("result") and t.state.is_finished()]
        good = [
            t
            for t in done
            if t.state is TrialState.COMPLETE and t.user_attrs["result"].get("feasible")
        ]
        ways = self.storage.get_study_directions(self.study)
        names = self.storage.get_study_system_attrs(self.study)[METRIC_NAMES]
        up = [way is StudyDirection.MAXIMIZE for way in ways]
        best = {
            name: (max if up[i] else min)(t.values[i] for t in good)
            for i, name in enumerate(names)
            if good
        }
        budget = self.budget()
        alive = any(
            Owner.parse(owner).running if Owner.parse(owner).here else time.time() - beat < GRACE
            for owner, beat in self.beats().items()
            if beat != GONE
        )
        state = "running" if alive else "finished" if len(done) >= budget else "stopped"
        return RunState(
            run=self.location,
            state=state,
            space=self.config.space,
            objectives=tuple(f"{'+' if u else '-'}{n}" for n, u in zip(names, up, strict=True)),
            method=self.config.method,
            budget=budget,
            evaluated=len(done),
            failed=sum(t.state is TrialState.FAIL for t in done),
            best=best,
        )

    def _attributes(self) -> dict[str, Any]:
        return self.storage.get_study_user_attrs(self.study)


def list_runs(folder: str | Path = "runs", storage: str | None = None) -> list[RunState]:
    """Sums up every run in a folder or a storage.

    Args:
        folder: Holds runs' folders, or is one.
        storage: As for `open_storage`; instead of the folder.

    Raises:
        UsageError: Where the folder is not there or the storage cannot be opened.
    """
    if storage is None:
        if not Path(folder).is_dir():
            raise UsageError(
                f"There is no folder {folder}.", "Give the one that holds runs, or a --storage."
            )
        files = sorted(Path(folder).glob(FILE)) + sorted(Path(folder).glob(f"*/{FILE}"))
        return [Run.open(file.parent).state() for file in files]
    opened = open_storage(storage)
    return [
        Run(opened, study._study_id, study.study_name, config).state()
        for study in opened.get_all_studies()
        if (config := _config(opened, study._study_id))
    ]


def _folder(run: str | Path, storage: str | None) -> Path | None:
    return Path(run).absolute() if storage is None else None


def _place(run: str | Path, storage: str | None) -> tuple[str, str, str]:
    """URL of the storage, name of the study in it, and what to call the run."""
    if storage is None:
        return f"sqlite:///{Path(run).absolute() / FILE}", NAME, str(run)
    return storage, str(run), f"{run} in {printable(storage)}"


def _config(storage: BaseStorage, study: int) -> RunConfig | None:
    found = storage.get_study_user_attrs(study).get(CONFIG)
    if not found:
        return None
    try:
        return RunConfig.model_validate(found)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its root"
        raise UsageError(
            f"The settings of the run are wrong at {where}: {first['msg']}.",
            "They were changed after it was made, or by a later version.",
        ) from None


def _await_config(storage: BaseStorage, study: int, location: str) -> RunConfig | None:
    """The configuration, once the process that makes the run has written it.

    None where that process ended in between, so that nothing is there yet.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if config := _config(storage, study):
            return config
        time.sleep(0.1)
    if storage.get_all_trials(study, deepcopy=False):
        raise UsageError(f"{location} is a study, but no run of vitruvius.", "Name another run.")
    return None
