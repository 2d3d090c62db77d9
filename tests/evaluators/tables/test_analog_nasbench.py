import importlib.util
import itertools
import pickle
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import rankdata

from vitruvius.core.errors import MissingExtraError, TableError, UnknownNameError
from vitruvius.evaluators.tables import analog_nasbench
from vitruvius.evaluators.tables.analog_nasbench import COLUMNS, OPERATIONS, AnalogNASBench

EDGES = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))


@pytest.fixture(scope="module")
def table() -> AnalogNASBench:
    if importlib.util.find_spec("analognasbench") is None:
        pytest.skip("analog-nasbench is not installed")
    return AnalogNASBench()


def test_every_cell_is_there(table: AnalogNASBench) -> None:
    assert "analognasbench" not in sys.modules
    assert (table.measured_rows, table.architecture_count) == (15_625, 6466)
    assert len(table.metrics) == 13
    for column in table.values(table.rows).values():
        assert ((column > 5) & (column < 95)).all()


def test_what_cannot_learn_is_at_chance(table: AnalogNASBench) -> None:
    nothing = table.evaluate((0, 0, 0, 0, 0, 0)).metrics["baseline_accuracy"]
    best = table.evaluate((3, 3, 3, 1, 3, 2)).metrics["baseline_accuracy"]
    assert nothing == 10
    assert best > 93


@pytest.mark.slow
def test_no_other_coding_agrees_as_well_with_nasbench201(
    published: Callable[[str], Path],
) -> None:
    spec = importlib.util.find_spec("analognasbench")
    if spec is None or spec.origin is None:
        pytest.skip("analog-nasbench is not installed")
    with np.load(published("nb201.npz")) as file:
        rows = np.stack([file[f"op_{i}_{j}"] for i, j in EDGES], 1)
        ranks = np.empty((5,) * 6)
        ranks[tuple(rows.T)] = rankdata(file["c10_test_e200"])
    x, columns = analog_nasbench._read(Path(spec.origin).parent / "data.anb")
    # Back to their keys: their column of our edge k is COLUMNS[k].
    theirs = np.argsort(OPERATIONS)[x.numpy()][:, np.argsort(COLUMNS)]
    baseline = rankdata(columns["baseline_accuracy"].numpy())
    found = {}
    for order in ((0, 1, 3, 2, 4, 5), (0, 1, 2, 3, 4, 5)):
        for coding in itertools.permutations(range(5)):
            ours = np.array(coding)[theirs][:, order]
            found[coding, order] = np.corrcoef(baseline, ranks[tuple(ours.T)])[0, 1]
    best, second = sorted(found.values(), reverse=True)[:2]
    assert max(found, key=found.__getitem__) == (OPERATIONS, COLUMNS)
    assert best == pytest.approx(0.990, abs=5e-4)
    assert second < 0.9


def test_the_package_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r'pip install "vitruvius\[analog\]"'):
        AnalogNASBench()


@pytest.mark.parametrize("content", [[1], {}, {(0,) * 6: 3}, {(0,): None}])
def test_broken_files(tmp_path: Path, content: object) -> None:
    file = tmp_path / "data.anb"
    file.write_bytes(pickle.dumps(content))
    with pytest.raises(TableError):
        AnalogNASBench(file)


def test_unknown_data_set() -> None:
    with pytest.raises(UnknownNameError, match="Known: analog"):
        AnalogNASBench.load("digital")


def test_coding_is_a_permutation() -> None:
    assert sorted(OPERATIONS) == list(range(5))
    assert torch.tensor(COLUMNS).sort().values.tolist() == list(range(6))
