"""Earlier tasks of the cases of `search.py`: all others of the same benchmark but the target."""

from __future__ import annotations

from functools import cache, lru_cache
from pathlib import Path

import torch
from _transnas import transnas

from vitruvius import evaluator, space
from vitruvius.bo.methods.warm_start import WarmStart
from vitruvius.encoders.tasks.task_description import describe_task
from vitruvius.evaluators import Evaluator
from vitruvius.predictors.source_task import SourceTask
from vitruvius.predictors.source_tasks import SourceTasks

TRANSFER = "transfer"
SHUFFLED = "transfer:shuffled"
GRAPHS = (
    "cora", "citeseer", "pubmed", "cs", "physics", "photo", "computers", "arxiv", "proteins",
)  # fmt: skip
TRANSNAS = ("class_scene", "class_object", "jigsaw")


def from_earlier(case: str, method: str, folder: Path, seed: int) -> WarmStart:
    """The method for a case: from its earlier tasks, or from one whose values are shuffled."""
    tasks, metric = earlier(case, folder, seed)
    if method == SHUFFLED:
        tasks = SourceTasks([_shuffled(tasks.tasks[0], metric, seed)], tasks.description)
    return WarmStart(tasks, metric)


def earlier(case: str, folder: Path, seed: int) -> tuple[SourceTasks, str]:
    """The earlier tasks of a case, and the metric they are about.

    They are read whole; the seed chooses the 400 labels of each that its process learns from,
    which is all that is random in a search without random initial designs.
    """
    benchmark, _, rest = case.partition("-")
    if benchmark == "nbg":
        name, _, mode = rest.partition("-")
        metric = "test_perf" if mode else "valid_perf"
        tasks = [
            _graph(other, metric, seed).described(describe_task(_graph_table(other).task))
            for other in GRAPHS
            if other != name
        ]
        return SourceTasks(tasks, describe_task(_graph_table(name).task)), metric
    if benchmark == "nb201":
        name, _, mode = rest.partition("-")
        metric = "valid" if mode else "test"
        sister = "c100" if name == "c10" else "c10"
        columns = f"test[%]={sister}_test_e200, valid[%]={sister}_valid_e200"
        table = evaluator(space("nasbench201"), folder / "nb201.npz", metrics=columns)
        return SourceTasks([_task(sister, table, metric, seed)]), metric
    others = [task for task in TRANSNAS if task != rest]
    return SourceTasks([_task(n, transnas(folder, n), "score", seed) for n in others]), "score"


@lru_cache(maxsize=len(GRAPHS))
def _graph(name: str, metric: str, seed: int) -> SourceTask:
    """Once for all targets; what it says of an architecture is computed once too."""
    return _task(name, _graph_table(name), metric, seed)


@cache
def _graph_table(name: str) -> Evaluator:
    table = evaluator(space("nas-bench-graph"), name)
    assert table.rows is not None
    return table


def _task(name: str, table: Evaluator, metric: str, seed: int) -> SourceTask:
    assert table.rows is not None
    values = {metric: table.values(table.rows)[metric]}
    return SourceTask(name, table.space, table.rows, values, seed=seed)


def _shuffled(task: SourceTask, metric: str, seed: int) -> SourceTask:
    order = torch.randperm(len(task.x), generator=torch.Generator().manual_seed(seed))
    return SourceTask("shuffled", task.space, task.x, {metric: task.labels(metric)[order]})
