"""A run: one Optuna study with the configuration that it was made with."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from optuna import Study
from optuna.exceptions import DuplicatedStudyError
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.study import StudyDirection
from pydantic import ValidationError

from ...core.errors import UsageError
from ...core.evaluator_config import EvaluatorConfig
from .config import RunConfig
from .liveness import GONE, Owner
from .moved import moved
from .storage import open_file, open_storage, printable

if TYPE_CHECKING:
    from ..problem import Objective

__all__ = ["BEAT", "CONFIG", "FILE", "GRACE", "METRIC_NAMES", "Run", "read_config"]

HINT = "`vitruvius runs FOLDER` lists those there are in a folder."
FILE, NAME = "run.sqlite", "run"
CONFIG = "vitruvius"
# Where the run's folder was when its configuration was written.
PLACE = "folder"
# Optuna's key for the names of objectives, which its dashboard shows.
METRIC_NAMES = "study:metric_names"
WORKER, LEASE = "worker ", "deciding"
# Seconds between heartbeats, and without one until a process elsewhere counts as dead.
BEAT, GRACE = 5.0, 60.0
# Seconds to wait for another process that is just making the same run.
PATIENCE = 5.0


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
            UsageError: Where a run of another configuration or a larger budget is there, or no
                folder can be made.
        """
        if storage is None:
            try:
                Path(run).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise UsageError(
                    f"{run} cannot be made a folder: {error.strerror}.", "Name another."
                ) from error
        opened, name, location = _place(run, storage)
        made = cls._create(opened, name, location, config, objectives, _folder(run, storage))
        if different := made.config.differences(config):
            told = "; ".join(f"{key}: {a!r} there, {b!r} here" for key, (a, b) in different.items())
            raise UsageError(
                f"{location} is there already, made with other settings: {told}.",
                "Resume it without them, or give the new search another --run.",
            )
        if config.budget:
            made.extend(config.budget)
        return made

    @classmethod
    def open(cls, run: str | Path, storage: str | None = None, *, writable: bool = True) -> Run:
        """Opens a run.

        Args:
            run: A folder, or with ``storage`` a name in it.
            storage: As for `open_storage`.
            writable: Whether it shall go on; else its file is only read.

        Raises:
            UsageError: Where there is none, or one of a newer version.
        """
        folder = Path(run)
        file = folder / FILE
        if storage is None and not (file.is_file() and file.stat().st_size):
            if folder.is_dir():
                raise _nothing_yet(str(run))
            raise UsageError(f"There is no run in {run}.", HINT)
        opened, name, location = _place(run, storage, writable=writable)
        try:
            study = opened.get_study_id_from_name(name)
        except KeyError:
            if storage is None:
                raise _nothing_yet(location) from None
            raise UsageError(f"There is no run {location}.", HINT) from None
        config = read_config(opened, study, location)
        if config is None:
            raise UsageError(f"{location} is a study, but no run of vitruvius.", HINT)
        found = cls(opened, study, location, config, folder=_folder(run, storage))
        found._follow(writable=writable)
        return found

    def _follow(self, *, writable: bool) -> None:
        """Looks for files near the folder, where that has moved."""
        old = self.remark(PLACE)
        if self.folder is None or old is None or Path(old) == self.folder:
            return
        self.config = moved(self.config, Path(old), self.folder)
        if writable:
            self._write_config()
            self.note(PLACE, str(self.folder))

    def relocate(self, evaluators: tuple[EvaluatorConfig, ...]) -> None:
        """Keeps where evaluators are now, in a run that has a folder of its own.

        Args:
            evaluators: As many as it has.
        """
        if self.folder is not None and evaluators != self.config.evaluators:
            self.config = self.config.model_copy(update={"evaluators": evaluators})
            self._write_config()

    def _write_config(self) -> None:
        self.storage.set_study_user_attr(self.study, CONFIG, self.config.model_dump(mode="json"))

    @classmethod
    def _create(
        cls,
        storage: BaseStorage,
        name: str,
        location: str,
        config: RunConfig,
        objectives: Sequence[Objective],
        folder: Path | None = None,
    ) -> Run:
        ways = (StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE)
        try:
            study = storage.create_new_study([ways[entry.maximize] for entry in objectives], name)
        except DuplicatedStudyError:
            study = storage.get_study_id_from_name(name)
            if found := _await_config(storage, study, location):
                made = cls(storage, study, location, found, folder=folder)
                made._follow(writable=True)
                return made
        storage.set_study_system_attr(study, METRIC_NAMES, [entry.metric for entry in objectives])
        made = cls(storage, study, location, config, folder=folder)
        if folder is not None:
            made.note(PLACE, str(folder))
        made._write_config()
        return made

    def check_budget(self, budget: int) -> None:
        """Checks that a budget is no smaller than that of the run.

        Args:
            budget: Evaluations that the run shall have in the end.

        Raises:
            UsageError: Where it is smaller.
        """
        if budget < self.config.budget:
            raise UsageError(
                f"The budget of {self.location or 'this run'} is {self.config.budget} and can only "
                f"grow, got {budget}.",
                "Give as many or more; `vitruvius show` prints what there is so far.",
            )

    def extend(self, budget: int) -> None:
        """Raises the budget, also of processes that are at work on the run.

        Args:
            budget: Evaluations that the run shall have in the end.

        Raises:
            UsageError: As for `check_budget`.
        """
        self.check_budget(budget)
        if budget > self.config.budget:
            self.config = self.config.model_copy(update={"budget": budget})
            self._write_config()

    def budget(self) -> int:
        """The budget as it is in the storage now."""
        return int(self._attributes()[CONFIG]["budget"])

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

    def alive(self) -> bool:
        """Whether a process is at work on it."""
        return any(
            Owner.parse(owner).running if Owner.parse(owner).here else time.time() - beat < GRACE
            for owner, beat in self.beats().items()
            if beat != GONE
        )

    def note(self, name: str, value: object) -> None:
        """Keeps a remark with the run.

        Args:
            name: Its name.
            value: As JSON has it.
        """
        if self.remark(name) != value:
            self.storage.set_study_user_attr(self.study, name, value)

    def remark(self, name: str) -> Any:
        """Returns what `note` has kept, or None.

        Args:
            name: Its name.
        """
        return self._attributes().get(name)

    def _attributes(self) -> dict[str, Any]:
        return self.storage.get_study_user_attrs(self.study)


def _folder(run: str | Path, storage: str | None) -> Path | None:
    return Path(run).resolve() if storage is None else None


def _place(
    run: str | Path, storage: str | None, *, writable: bool = True
) -> tuple[BaseStorage, str, str]:
    """The storage, name of the study in it, and what to call the run."""
    if storage is not None:
        return open_storage(storage), str(run), f"{run} in {printable(storage)}"
    file = Path(run).absolute() / FILE
    # A transaction that was cut off is undone by whoever opens the file next, who has to write.
    cut_off = file.with_name(f"{FILE}-journal").exists() and os.access(file.parent, os.W_OK)
    return open_file(file, writable=writable or cut_off), NAME, str(run)


def _nothing_yet(location: str) -> UsageError:
    return UsageError(
        f"There is no run in {location}: nothing was kept yet.",
        "If it was ended while it started, repeat the command that made it.",
    )


def read_config(storage: BaseStorage, study: int, location: str) -> RunConfig | None:
    """Returns the configuration of a study, None where it is no run of ours.

    Args:
        storage: The storage.
        study: Id of the study.
        location: What to call the run.

    Raises:
        UsageError: For one that this version cannot read.
    """
    found = storage.get_study_user_attrs(study).get(CONFIG)
    try:
        return RunConfig.model_validate(found) if found else None
    except ValidationError as error:
        unknown = [each["loc"] for each in error.errors() if each["type"] == "extra_forbidden"]
        if unknown:
            names = ", ".join(".".join(map(str, where)) for where in unknown)
            raise UsageError(
                f"{location} was made by a newer version of vitruvius, with settings that this one "
                f"does not know: {names}.",
                "Update vitruvius to open it.",
            ) from None
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "its root"
        raise UsageError(
            f"{location} cannot be read: its settings are wrong at {where}: {first['msg']}.",
            "They were changed after it was made, or by another version of vitruvius.",
        ) from None


def _await_config(storage: BaseStorage, study: int, location: str) -> RunConfig | None:
    """The configuration, once the process that makes the run has written it.

    None where that process ended in between, so that nothing is there yet.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        if config := read_config(storage, study, location):
            return config
        time.sleep(0.1)
    if storage.get_all_trials(study, deepcopy=False):
        raise UsageError(f"{location} is a study, but no run of vitruvius.", "Name another run.")
    return None
