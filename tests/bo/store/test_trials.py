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
from vitruvius.spaces import DeclaredSpace, space

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


SIZES = DeclaredSpace(
    {
        "name": "sizes",
        "nodes": ["a", "b"],
        "variables": [
            {"name": "kernel", "choices": [3, 5], "kind": "op", "place": [0]},
            {"name": "rate", "choices": [0.1, 0.01], "kind": "recipe"},
            {"name": "skip", "choices": [0, 1], "kind": "edge", "place": [0, 1]},
        ],
    }
)


def test_choices_are_kept_with_their_types(storage: BaseStorage) -> None:
    study = study_in(storage)
    trial_table(storage, study, SIZES).create([NewTrial((1, 0, 1), {"position": 0, "attempt": 0})])
    params = storage.get_all_trials(study)[0].params
    assert params == {"kernel": 5, "rate": 0.1, "skip": True}
    assert [type(value) for value in params.values()] == [int, float, bool]


def test_a_run_that_began_with_labels_goes_on_with_them(storage: BaseStorage) -> None:
    """As those of version 0.2.0: Optuna wants the same choices in all trials of a study."""
    study = study_in(storage)
    first = create_trial(
        value=1.0,
        params={"kernel": "3", "rate": "0.1", "skip": "0"},
        distributions={v.name: CategoricalDistribution(v.choices) for v in SIZES.variables},
        user_attrs={"position": 0, "attempt": 0, "row": [0, 0, 0]},
    )
    storage.create_new_trial(study, first)
    table = trial_table(storage, study, SIZES)
    table.create([NewTrial((1, 0, 1), {"position": 1, "attempt": 0})])
    assert storage.get_all_trials(study)[1].params == {"kernel": "5", "rate": "0.1", "skip": "1"}
    assert trial_table(storage, study, SIZES).changes()[1].row == (1, 0, 1)
