"""Which way is better, and how the run of a transfer goes on."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
import torch

import vitruvius
from vitruvius.datasets import RawGraphs
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks, named_tasks
from vitruvius.verbs import search as searching
from vitruvius.verbs.finished import source_of_run
from vitruvius.verbs.transfer import transfer
from vitruvius.verbs.transfer_method import NewTask, recipe_of, transfer_method

GRAPHS = vitruvius.space("nas-bench-graph")
METRICS = "latency=latency_ms:lower,acc=acc"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Tables of three data sets in which latency comes first."""
    folder = tmp_path_factory.mktemp("tables")
    for name in ("cora", "citeseer", "pubmed"):
        table = vitruvius.evaluator(GRAPHS, name)
        rows = table.rows[:: len(table.rows) // 120]
        values = table.values(rows)
        with (folder / f"{name}.csv").open("w", newline="") as file:
            out = csv.writer(file)
            out.writerow(["arch_str", "latency_ms", "acc"])
            milliseconds = (1000 * values["latency"]).tolist()
            names = map(str, GRAPHS.architectures(rows))
            out.writerows(zip(names, milliseconds, values["valid_perf"].tolist(), strict=True))
    return folder


def test_the_metric_that_counts_is_one_of_which_more_is_better(tables: Path) -> None:
    tasks = named_tasks(GRAPHS, [f"{tables / 'cora.csv'}:{METRICS}"])
    assert tasks.metric() == "acc"
    assert tasks.lower_is_better("latency")
    x = GRAPHS.sample(5, 0)
    only = SourceTask("a", GRAPHS, x, {"cost": torch.arange(5.0)}, lower=["cost"])
    assert SourceTasks([only]).metric() == "cost", "where there is no other"


def test_many_graphs_are_described_by_what_is_declared_of_them() -> None:
    edges = torch.tensor([[0, 2], [1, 3]])
    labels, graph = torch.tensor([0, 1]), torch.tensor([0, 0, 1, 1])
    new = NewTask.read(GRAPHS, RawGraphs.of_arrays(edges, torch.ones(4, 3), graph, labels), "")
    assert (new.task.classes, new.task.features, new.task.nodes) == (2, 3, 2)
    assert new.description is not None
    assert {"log classes", "log features", "log nodes"} <= set(new.description.values)


def test_a_run_keeps_which_way_was_better(tmp_path: Path) -> None:
    made = searching.new_search(
        "nas-bench-graph", maximize="mine", minimize="error", run=tmp_path, method="random"
    )
    for number, architecture in enumerate(GRAPHS.architectures(GRAPHS.sample(4, 0))):
        values = {"mine": 1.0 * number, "error": 1.0, "latency": 1.0}
        made.tell(architecture, values)
    assert source_of_run(GRAPHS, tmp_path).lower == ("error", "latency")


def test_the_method_of_a_transfer_is_made_again_of_what_was_asked_for(
    tables: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tables)
    recipe = recipe_of(
        "pubmed.csv", METRICS, "builtin", [f"cora.csv:{METRICS}", "citeseer"], [], "latency"
    )
    assert recipe is not None
    monkeypatch.chdir(tmp_path)
    method = transfer_method(GRAPHS, recipe)
    assert method.metric == "latency"
    assert [task.name for task in method.tasks][1] == "citeseer"
    task = SourceTask("a", GRAPHS, GRAPHS.sample(5, 0), {"acc": torch.arange(5.0)})
    assert recipe_of("pubmed", "", "builtin", [task], [], "acc") is None, "only Python has it"


@pytest.mark.slow
@pytest.mark.parametrize(("minimize", "metric"), [("", "acc"), ("latency", "latency")])
def test_a_transfer_labels_what_is_better_and_its_run_goes_on(
    tables: Path, tmp_path: Path, minimize: str, metric: str
) -> None:
    result = transfer(
        "nas-bench-graph",
        data=str(tables / "pubmed.csv"),
        metrics=METRICS,
        sources=[f"{tables / name}.csv:{METRICS}" for name in ("cora", "citeseer")],
        minimize=minimize,
        labels=6,
        n=2,
        out=tmp_path / "moved",
    )
    column = torch.tensor([each["metrics"][metric] for each in result.summary["labelled"]])
    best = column.min() if minimize else column.max()
    assert result.summary["metric"] == metric
    assert result.summary["best_value"] == pytest.approx(float(best))
    assert result.sampled.summary["labels_used"] == 6
    truth = vitruvius.evaluator(GRAPHS, str(tables / "pubmed.csv"), metrics=METRICS)
    values = truth.values(truth.rows)[metric]
    middle = float(values.median())
    assert (float(column.median()) < middle) == bool(minimize), "the better half"
    more = vitruvius.resume(tmp_path / "moved" / "run", budget=8)
    assert [trial.status for trial in more.trials] == ["ok"] * 8
    made = searching.new_search(
        "nas-bench-graph", maximize="valid_perf", warm_start=[tmp_path / "moved" / "run"]
    )
    assert len(made.config.warm_start[0].rows) == 8
