"""Both ways to a storage's trials tell the same, and read what version 0.1.0 wrote."""

from __future__ import annotations

from pathlib import Path

import optuna
import pytest
from optuna.distributions import CategoricalDistribution
from optuna.storages import BaseStorage, InMemoryStorage, JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import TrialState, create_trial

from vitruvius.bo.store.storage import open_storage
from vitruvius.bo.store.trials import NewTrial, TrialTable, trial_table
from vitruvius.spaces import space

CELLS = space("nasbench201")
ROWS = [(3, 3, 3, 3, 3, 3), (0, 1, 2, 3, 4, 0)]


@pytest.fixture(params=["memory", "journal", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BaseStorage:
    if request.param == "memory":
        return InMemoryStorage()
    if request.param == "journal":
        return JournalStorage(JournalFileBackend(str(tmp_path / "log")))
    return open_storage(f"sqlite:///{tmp_path}/run.sqlite")


def study_in(storage: BaseStorage) -> int:
    return storage.create_new_study([optuna.study.StudyDirection.MAXIMIZE], "run")


def new(position: int, **options: object) -> NewTrial:
    return NewTrial(ROWS[position], {"position": position, "attempt": 0}, **options)  # type: ignore[arg-type]


def test_what_is_written_is_read_once_and_again_when_it_ends(storage: BaseStorage) -> None:
    study = study_in(storage)
    table, other = (trial_table(storage, study, CELLS) for _ in range(2))
    keys, changed = table.create([new(0), new(1, state=TrialState.COMPLETE, values=[2.0])])
    assert [record.key for record in changed] == keys
    assert table.changes() == []
    seen = other.changes()
    assert [(r.row, r.state.name) for r in seen] == [(ROWS[0], "RUNNING"), (ROWS[1], "COMPLETE")]
    assert other.end(keys[0], TrialState.COMPLETE, "result", {"status": "ok"}, [0.5])
    for each in (table, other):
        (ended,) = each.changes()
        assert (ended.key, ended.state) == (keys[0], TrialState.COMPLETE)
        assert ended.attributes["result"] == {"status": "ok"}
    assert not table.end(keys[0], TrialState.FAIL, "result", {"status": "failed"}, None)


def test_optuna_reads_it_as_its_own(storage: BaseStorage) -> None:
    study = study_in(storage)
    trial_table(storage, study, CELLS).create(
        [new(0), new(1, state=TrialState.COMPLETE, values=[2.0])]
    )
    first, second = storage.get_all_trials(study)
    assert (first.number, second.number, second.value) == (0, 1, 2.0)
    names = [v.choices[i] for v, i in zip(CELLS.variables, ROWS[1], strict=True)]
    assert list(second.params.values()) == names
    assert second.datetime_complete is not None


def test_trials_of_version_0_1_0_and_of_others(storage: BaseStorage) -> None:
    """The former kept parameters only, the latter are none of a run."""
    study = study_in(storage)
    params = {v.name: v.choices[i] for v, i in zip(CELLS.variables, ROWS[1], strict=True)}
    distributions = {v.name: CategoricalDistribution(v.choices) for v in CELLS.variables}
    for attributes in ({"position": 0, "attempt": 0}, {}):
        trial = create_trial(
            value=1.0, params=params, distributions=distributions, user_attrs=attributes
        )
        storage.create_new_trial(study, trial)
    table: TrialTable = trial_table(storage, study, CELLS)
    assert [record.row for record in table.changes()] == [ROWS[1]]
    assert table.changes() == []
