from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from vitruvius.core.errors import TableError, UnknownNameError
from vitruvius.evaluators import Evaluator, Metric, Table, resolver
from vitruvius.evaluators.resolver import data_sets, evaluator
from vitruvius.evaluators.tables.user_table import UserTable
from vitruvius.spaces import space
from vitruvius.spaces.gnn.nas_bench_graph import TASKS

CELLS = space("nasbench201")


def test_data_sets_of_a_space() -> None:
    assert data_sets("nas-bench-graph") == sorted(TASKS)
    assert data_sets("nasbench201") == ["analog"]
    assert data_sets("mobilenetv3") == data_sets("nowhere") == []


def test_unknown_data_sets() -> None:
    with pytest.raises(UnknownNameError, match=r"data set of nasbench201 'cora'. Known: analog"):
        evaluator(CELLS, "cora")
    with pytest.raises(UnknownNameError, match="Did you mean 'cora'"):
        evaluator(space("nas-bench-graph"), "Corra")


def test_paths(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="no file"):
        evaluator(CELLS, tmp_path / "nowhere.npz")
    with pytest.raises(TableError, match="no file"):
        evaluator(CELLS, "nowhere.csv")
    main = tmp_path / "main.csv"
    main.write_text(f"cell,index,acc\n{CELLS.to_string(CELLS.example)},0,93\n")
    more = tmp_path / "more.csv"
    more.write_text("index,ms\n0,5\n")
    table = evaluator(
        CELLS, str(main), architecture_column="cell", metrics="acc,latency[ms]=ms", tables=[more]
    )
    assert type(table) is UserTable
    assert table.evaluate(CELLS.example).metrics == {"acc": 93, "latency": 5}


def test_outside_packages_bring_data_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    large = space("mobilenetv3")
    metric = Metric("accuracy", "%", "higher")
    outside = Table(large, large.sample(1), {"accuracy": torch.ones(1)}, {"accuracy": metric})

    class Outside:
        serves = "mobilenetv3"
        data_sets = ("mine",)

        @classmethod
        def as_point(cls) -> SimpleNamespace:
            return SimpleNamespace(load=lambda: cls)

        @classmethod
        def load(cls, data_set: str) -> Evaluator:
            return outside if data_set == "mine" else pytest.fail(data_set)

    monkeypatch.setattr(resolver.EVALUATORS, "_plugged", {"outside": Outside.as_point()})
    assert data_sets("mobilenetv3") == ["mine"]
    assert evaluator(large, "mine") is outside
