import importlib.util
import math
import pickle
import sys
from pathlib import Path

import pytest
import torch

from vitruvius.core.errors import TableError, UnknownNameError
from vitruvius.evaluators.tables.nas_bench_graph import NASBenchGraphTable
from vitruvius.spaces.gnn.nas_bench_graph import TASKS, NASBenchGraph

GRAPHS = NASBenchGraph()
installed = pytest.mark.skipif(
    importlib.util.find_spec("nas_bench_graph") is None, reason="nas-bench-graph is not installed"
)


@installed
@pytest.mark.parametrize(
    "name",
    [
        # Few rows, no count of parameters, and one as the others are.
        pytest.param(
            name, marks=() if name in ("proteins", "physics", "cora") else pytest.mark.slow
        )
        for name in TASKS
    ],
)
def test_every_data_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "nas_bench_graph", raising=False)
    table = NASBenchGraphTable(name)
    assert "nas_bench_graph" not in sys.modules
    assert table.task == TASKS[name]
    assert table.architecture_count == (2021 if name == "proteins" else 26_206)
    values = table.values(table.rows)
    for column, metric in table.metrics.items():
        low, high = metric.bounds
        assert ((values[column] >= low) & (values[column] <= high)).all()
    assert table.metrics["params"].exact == (name != "physics")
    exact = table.exact_values(table.rows)
    if name == "physics":
        assert exact == {}
    else:
        # This also shows what the keys of proteins mean.
        torch.testing.assert_close(exact["params"], values["params"], rtol=0, atol=1e-9)
    assert table.labels_used == 0


@installed
def test_the_best_architecture_of_cora() -> None:
    table = NASBenchGraphTable("cora")
    best = table.rows[table.values(table.rows)["valid_perf"].argmax()]
    evaluation = table.evaluate(best)
    assert evaluation.metrics["valid_perf"] == pytest.approx(0.81933, abs=1e-5)
    assert table.labels_used == 1


@installed
def test_architectures_missing_from_proteins() -> None:
    table = NASBenchGraphTable("proteins")
    assert table.evaluate("[0,1,2,3]|gat|gat|gat|gat").reason == "not in the table"
    assert table.evaluate("[0,1,2,3]|gcn|gcn|gcn|gcn").ok


def test_unknown_data_set() -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'cora'"):
        NASBenchGraphTable("corra")


ENTRY = {"valid_perf": 0.5, "perf": 0.4, "latency": 0.001, "para": 1.5}


def written(folder: Path, content: object) -> Path:
    (folder / "cora.bench").write_bytes(pickle.dumps(content))
    return folder


def test_entries_without_values(tmp_path: Path) -> None:
    keys = GRAPHS.table_key(GRAPHS.enumerate()[:4]).tolist()
    nan = {**ENTRY, "latency": math.nan}
    entries = dict(zip(keys, [ENTRY, None, {**ENTRY, "perf": None}, nan], strict=True))
    table = NASBenchGraphTable("cora", folder=written(tmp_path, entries))
    assert table.architecture_count == 3
    reasons = [table.evaluate(row).reason for row in GRAPHS.enumerate()[:4]]
    assert reasons == ["", "not in the table", "no test_perf", "no latency"]


@pytest.mark.parametrize(
    ("content", "why"),
    [([1, 2], "holds no table"), ({99_999: ENTRY}, "1 keys that are not"), ({}, "no rows")],
)
def test_broken_files(tmp_path: Path, content: object, why: str) -> None:
    with pytest.raises(TableError, match=why):
        NASBenchGraphTable("cora", folder=written(tmp_path, content))


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        NASBenchGraphTable("cora", folder=tmp_path)
