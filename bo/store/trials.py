"""Trials of an Optuna study as the log reads and writes them: what is new, and few statements.

Optuna's own calls read every trial again and write each attribute by itself. A log of ten thousand
trials asks for what has changed since it last looked, and writes a trial at once.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, runtime_checkable

import sqlalchemy
from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    distribution_to_json,
)
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import bindparam, column, select, table

from ...spaces import Space

__all__ = ["NewTrial", "Record", "TrialTable", "trial_table"]

ROW = "row"
# Rows of one statement; databases limit their parameters.
TOGETHER = 500


@dataclass(frozen=True)
class NewTrial:
    """A trial to write.

    Args:
        row: Choice indices.
        attributes: Its user attributes.
        state: Running, or how it ended.
        values: Of the objectives, where it is complete.
        seconds: What it has cost, where it has ended.
    """

    row: tuple[int, ...]
    attributes: Mapping[str, Any]
    state: TrialState = TrialState.RUNNING
    values: Sequence[float] | None = None
    seconds: float = 0.0

    def times(self) -> tuple[datetime, datetime | None]:
        """Returns start and end as Optuna writes them, in local time."""
        now = datetime.now()
        if not self.state.is_finished():
            return now, None
        with contextlib.suppress(OverflowError, ValueError):  # of what somebody told
            return now - timedelta(seconds=self.seconds), now
        return now, now


@dataclass(frozen=True)
class Record:
    """A trial as it is in the storage.

    Args:
        key: Optuna's id.
        state: Its state.
        row: Choice indices.
        attributes: Its user attributes.
    """

    key: int
    state: TrialState
    row: tuple[int, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class TrialTable(Protocol):
    """What the log asks of a storage."""

    def changes(self) -> list[Record]:
        """Returns the trials that are new, or have another state, since the last call."""

    def create(self, trials: Sequence[NewTrial]) -> tuple[list[int], list[Record]]:
        """Writes trials; returns their keys, and what has changed, as `changes`.

        Args:
            trials: Each is there as a whole or not at all.
        """

    def end(
        self,
        key: int,
        state: TrialState,
        attribute: str,
        content: Mapping[str, Any],
        values: Sequence[float] | None,
    ) -> bool:
        """Ends a running trial; False where it had ended.

        Args:
            key: Its key.
            state: How it ends.
            attribute: Name of a user attribute that says more.
            content: Of that attribute.
            values: Of the objectives, where it is complete.
        """


def trial_table(storage: BaseStorage, study: int, space: Space) -> TrialTable:
    """Returns the trials of a study.

    Args:
        storage: An Optuna storage.
        study: Id of the study in it.
        space: What its parameters choose from.
    """
    backend = getattr(storage, "_backend", storage)
    if isinstance(backend, RDBStorage):
        return _SQLTrials(backend.engine, study, space, _distributions(storage, study, space))
    return _OptunaTrials(storage, study, space)


class _OptunaTrials:
    """By the calls that every storage of Optuna has."""

    def __init__(self, storage: BaseStorage, study: int, space: Space) -> None:
        self._storage, self._study, self._space = storage, study, space
        self._distributions = _distributions(storage, study, space)
        self._known = 0
        self._running: dict[int, TrialState] = {}

    def changes(self) -> list[Record]:
        changed = []
        for key in [*self._running, *self._fresh()]:
            trial = self._storage.get_trial(key)
            if self._running.get(key) == trial.state:
                continue
            if trial.state.is_finished():
                self._running.pop(key, None)
            else:
                self._running[key] = trial.state
            attributes = trial.user_attrs
            if "position" in attributes:
                row = _row(self._space, attributes, trial.params)
                changed.append(Record(key, trial.state, row, attributes))
        return changed

    def _fresh(self) -> list[int]:
        """Keys of the trials that were not there before."""
        keys: list[int] = []
        by_number = self._storage.get_trial_id_from_study_id_trial_number
        with contextlib.suppress(KeyError):
            while True:
                keys.append(by_number(self._study, self._known + len(keys)))
        self._known += len(keys)
        return keys

    def create(self, trials: Sequence[NewTrial]) -> tuple[list[int], list[Record]]:
        return [self._create(trial) for trial in trials], self.changes()

    def _create(self, trial: NewTrial) -> int:
        start, end = trial.times()
        pairs = zip(self._distributions.items(), trial.row, strict=True)
        template = FrozenTrial(
            number=-1,
            trial_id=-1,
            state=trial.state,
            value=None,
            values=trial.values,
            datetime_start=start,
            datetime_complete=end,
            params={name: each.choices[index] for (name, each), index in pairs},
            distributions=dict(self._distributions),
            user_attrs={**trial.attributes, ROW: list(trial.row)},
            system_attrs={},
            intermediate_values={},
        )
        return int(self._storage.create_new_trial(self._study, template_trial=template))

    def end(
        self,
        key: int,
        state: TrialState,
        attribute: str,
        content: Mapping[str, Any],
        values: Sequence[float] | None,
    ) -> bool:
        try:
            # The attribute alone means nothing.
            self._storage.set_trial_user_attr(key, attribute, content)
            self._storage.set_trial_state_values(key, state, values)
        except UpdateFinishedTrialError:
            return False
        return True


_TRIALS = table(
    "trials",
    *map(column, ("trial_id", "number", "study_id", "state")),
    column("datetime_start", sqlalchemy.DateTime),
    column("datetime_complete", sqlalchemy.DateTime),
)
_STUDIES = table("studies", column("study_id"))
_ATTRIBUTES = table("trial_user_attributes", *map(column, ("trial_id", "key", "value_json")))
_PARAMS = table(
    "trial_params",
    *map(column, ("trial_id", "param_name", "param_value", "distribution_json")),
)
_VALUES = table("trial_values", *map(column, ("trial_id", "objective", "value", "value_type")))


class _SQLTrials:
    """By statements on the tables of Optuna's relational storage."""

    def __init__(
        self,
        engine: sqlalchemy.Engine,
        study: int,
        space: Space,
        distributions: Mapping[str, CategoricalDistribution],
    ) -> None:
        self._engine, self._study, self._space = engine, study, space
        self._last = -1
        self._running: dict[int, str] = {}
        self._distributions = {
            name: distribution_to_json(each) for name, each in distributions.items()
        }
        mine = _TRIALS.c.study_id == study
        self._lock = select(_STUDIES.c.study_id).where(_STUDIES.c.study_id == study)
        if engine.dialect.name != "sqlite":  # whose transactions hold the lock from their start
            self._lock = self._lock.with_for_update()
        self._newest = (
            select(_TRIALS.c.number).where(mine).order_by(_TRIALS.c.trial_id.desc()).limit(1)
        )
        self._fresh = (
            select(_TRIALS.c.trial_id, _TRIALS.c.state)
            .where(mine, _TRIALS.c.trial_id > bindparam("last"))
            .order_by(_TRIALS.c.trial_id)
        )
        self._open = select(_TRIALS.c.trial_id, _TRIALS.c.state).where(
            _TRIALS.c.trial_id.in_(bindparam("keys", expanding=True))
        )

    def changes(self) -> list[Record]:
        with self._engine.begin() as connection:
            return self._changes(connection)

    def _changes(self, connection: sqlalchemy.Connection) -> list[Record]:
        found = self._in_parts(connection, self._open, list(self._running))
        found += connection.execute(self._fresh, {"last": self._last}).all()
        changed = {key: state for key, state in found if self._running.get(key) != state}
        for key, state in changed.items():
            if TrialState[state].is_finished():
                self._running.pop(key, None)
            else:
                self._running[key] = state
            self._last = max(self._last, key)
        return self._records(connection, changed) if changed else []

    def _records(self, connection: sqlalchemy.Connection, states: dict[int, str]) -> list[Record]:
        keys = sorted(states)
        attributes: dict[int, dict[str, Any]] = {key: {} for key in keys}
        told = select(_ATTRIBUTES.c.trial_id, _ATTRIBUTES.c.key, _ATTRIBUTES.c.value_json)
        by_key = _ATTRIBUTES.c.trial_id.in_(bindparam("keys", expanding=True))
        for key, name, value in self._in_parts(connection, told.where(by_key), keys):
            attributes[key][name] = json.loads(value)
        ours = [key for key in keys if "position" in attributes[key]]
        params = self._params(connection, [key for key in ours if ROW not in attributes[key]])
        return [
            Record(
                key,
                TrialState[states[key]],
                _row(self._space, attributes[key], params.get(key, {})),
                attributes[key],
            )
            for key in ours
        ]

    def _params(
        self, connection: sqlalchemy.Connection, keys: list[int]
    ) -> dict[int, dict[str, str | int]]:
        """Parameters of trials of version 0.1.0, which did not keep their row."""
        choices = {variable.name: variable.choices for variable in self._space.variables}
        found: dict[int, dict[str, str | int]] = {key: {} for key in keys}
        query = select(_PARAMS.c.trial_id, _PARAMS.c.param_name, _PARAMS.c.param_value)
        by_key = _PARAMS.c.trial_id.in_(bindparam("keys", expanding=True))
        for key, name, value in self._in_parts(connection, query.where(by_key), keys):
            found[key][name] = choices[name][int(value)]
        return found

    @staticmethod
    def _in_parts(connection: sqlalchemy.Connection, query: Any, keys: list[int]) -> list[Any]:
        rows: list[Any] = []
        for start in range(0, len(keys), TOGETHER):
            rows += connection.execute(query, {"keys": keys[start : start + TOGETHER]}).all()
        return rows

    def create(self, trials: Sequence[NewTrial]) -> tuple[list[int], list[Record]]:
        with self._engine.begin() as connection:
            connection.execute(self._lock)
            newest = connection.execute(self._newest).scalar()
            first = 0 if newest is None else newest + 1
            connection.execute(
                _TRIALS.insert(),
                [
                    {
                        "number": number,
                        "study_id": self._study,
                        "state": trial.state.name,
                        "datetime_start": start,
                        "datetime_complete": end,
                    }
                    for number, trial in enumerate(trials, first)
                    for start, end in [trial.times()]
                ],
            )
            made = connection.execute(
                select(_TRIALS.c.trial_id)
                .where(_TRIALS.c.study_id == self._study)
                .order_by(_TRIALS.c.trial_id.desc())
                .limit(len(trials))
            )
            keys = sorted(made.scalars())
            pairs = list(zip(keys, trials, strict=True))
            connection.execute(
                _PARAMS.insert(), [p for key, t in pairs for p in self._chosen(key, t)]
            )
            connection.execute(
                _ATTRIBUTES.insert(),
                [
                    {"trial_id": key, "key": name, "value_json": json.dumps(value)}
                    for key, trial in pairs
                    for name, value in {**trial.attributes, ROW: list(trial.row)}.items()
                ],
            )
            values = [v for key, trial in pairs for v in _values(key, trial.values)]
            if values:
                connection.execute(_VALUES.insert(), values)
            return keys, self._changes(connection)

    def _chosen(self, key: int, trial: NewTrial) -> list[dict[str, Any]]:
        return [
            {
                "trial_id": key,
                "param_name": name,
                "param_value": float(index),
                "distribution_json": distribution,
            }
            for (name, distribution), index in zip(
                self._distributions.items(), trial.row, strict=True
            )
        ]

    def end(
        self,
        key: int,
        state: TrialState,
        attribute: str,
        content: Mapping[str, Any],
        values: Sequence[float] | None,
    ) -> bool:
        with self._engine.begin() as connection:
            ended = connection.execute(
                _TRIALS.update()
                .where(_TRIALS.c.trial_id == key, _TRIALS.c.state == TrialState.RUNNING.name)
                .values(state=state.name, datetime_complete=datetime.now())
            )
            if not ended.rowcount:
                return False
            connection.execute(
                _ATTRIBUTES.delete().where(
                    _ATTRIBUTES.c.trial_id == key, _ATTRIBUTES.c.key == attribute
                )
            )
            told = {"trial_id": key, "key": attribute, "value_json": json.dumps(content)}
            connection.execute(_ATTRIBUTES.insert(), [told])
            if values:
                connection.execute(_VALUES.insert(), _values(key, values))
        return True


def _distributions(
    storage: BaseStorage, study: int, space: Space
) -> dict[str, CategoricalDistribution]:
    """Choices with their types; in a study that began with labels, as it began."""
    try:
        first = storage.get_trial(storage.get_trial_id_from_study_id_trial_number(study, 0))
        known: Mapping[str, BaseDistribution] = first.distributions
    except KeyError:
        known = {}
    labels = {v.name: CategoricalDistribution(v.choices) for v in space.variables}
    if known and all(known.get(name) == each for name, each in labels.items()):
        return labels
    return {v.name: CategoricalDistribution(v.values) for v in space.variables}


def _row(space: Space, attributes: Mapping[str, Any], params: Mapping[str, Any]) -> tuple[int, ...]:
    if ROW in attributes:
        return tuple(attributes[ROW])
    return tuple(variable.choices.index(params[variable.name]) for variable in space.variables)


def _values(key: int, values: Sequence[float] | None) -> list[dict[str, Any]]:
    """Rows of Optuna's table of values."""
    kinds = {math.inf: "INF_POS", -math.inf: "INF_NEG"}
    return [
        {
            "trial_id": key,
            "objective": objective,
            "value": None if value in kinds else value,
            "value_type": kinds.get(value, "FINITE"),
        }
        for objective, value in enumerate(values or ())
    ]
