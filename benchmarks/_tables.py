"""Tables that predictors are compared on, by short names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from _ofa import read
from _transnas import transnas

from vitruvius import evaluator, space
from vitruvius.core.npz import read_npz
from vitruvius.evaluators.metric import Metric
from vitruvius.evaluators.tables.table import Table
from vitruvius.spaces import Space
from vitruvius.spaces.cnn.mobilenetv3 import MobileNetV3
from vitruvius.spaces.cnn.nasbench101 import NASBench101
from vitruvius.spaces.declared import DeclaredSpace

__all__ = ["TABLES", "accel_rows", "accel_space", "cell_row", "table_of", "tables_there"]

SCORE = Metric("score", "", "higher")
WHOLE = ", whole"
GRAPHS = ("cora", "pubmed", "arxiv", "physics")


@cache
def table_of(name: str, folder: Path) -> tuple[Space, torch.Tensor, torch.Tensor]:
    """Space and rows of a table, and what is predicted of them: accuracy, in whatever unit."""
    table = TABLES[name][1](folder)
    [metric] = [m for m in table.metrics if m in ("accuracy", "valid_perf", "score", "top1")]
    # Of cells that compute the same, one, or all that the benchmark numbers.
    rows = table.rows
    if name.endswith(WHOLE):
        rows = torch.cartesian_prod(*(torch.arange(len(v.choices)) for v in table.space.variables))
    return table.space, rows, table.values(rows)[metric]


def tables_there(names: list[str], folder: Path) -> list[str]:
    """Those whose files are there; says which are skipped."""
    there = [n for n in names if not TABLES[n][0] or (folder / TABLES[n][0]).is_file()]
    missing = [name for name in names if name not in there]
    if missing:
        print(f"skipped, for their files are not there: {', '.join(missing)}", flush=True)
    return there


def accel_space() -> DeclaredSpace:
    """The blocks of MnasNet that Accel-NASBench varies."""
    variables = [
        {
            "name": f"block{block}_{key}",
            "choices": choices,
            "kind": "size",
            "place": [block + 1],
        }
        for block in range(7)
        for key, choices in (("e", [1, 4, 6]), ("k", [3, 5]), ("l", [1, 2, 3, 4]), ("se", [0, 1]))
    ]
    return DeclaredSpace(
        {
            "name": "accel-nasbench",
            "nodes": ["input", *(f"block {block}" for block in range(7)), "output"],
            "skeleton": [[node, node + 1] for node in range(8)],
            "variables": variables,
        }
    )


def _cells(metric: str) -> Callable[[Path], Table]:
    return lambda folder: evaluator(
        space("nasbench201"), folder / "nb201.npz", metrics=f"accuracy[%]={metric}"
    )


def _graphs(data: str) -> Callable[[Path], Table]:
    return lambda folder: evaluator(space("nas-bench-graph"), data)


def cell_row(cells: NASBench101, columns: Mapping[str, Any], number: int) -> tuple[int, ...]:
    """One cell of a file of NAS-Bench-101's."""
    size = int(columns["n_nodes"][number])
    square = np.array(list(map(int, columns["adj"][number]))).reshape(size, size).tolist()
    return cells.from_matrix(square, str(columns["ops"][number]).split(",")).canonical


def accel_rows(blocks: DeclaredSpace, columns: Mapping[str, Any]) -> torch.Tensor:
    """The architectures of a file of Accel-NASBench's."""
    rows = [
        [each.choices.index(str(int(value))) for value in columns[each.name]]
        for each in blocks.variables
    ]
    return torch.tensor(rows).T.contiguous()


def _nasbench101(folder: Path) -> Table:
    cells, columns = NASBench101(), read_npz(folder / "nb101_2500.npz")
    rows = [cell_row(cells, columns, number) for number in range(len(columns["adj"]))]
    score = torch.as_tensor(columns["c10_acc_e108"]).double()
    return Table(cells, torch.tensor(rows), {"score": score}, {"score": SCORE})


def _accel(folder: Path) -> Table:
    blocks, columns = accel_space(), read_npz(folder / "accel_nasbench.npz")
    score = torch.as_tensor(columns["val_top1"]).double()
    return Table(blocks, accel_rows(blocks, columns), {"score": score}, {"score": SCORE})


def _ofa(folder: Path) -> Table:
    return read(folder / "ofa_mbv3_accuracy.npz", MobileNetV3(resolutions=(224,)))


# The file of each, blank where a package brings it, and what reads it.
TABLES: dict[str, tuple[str, Callable[[Path], Table]]] = {
    "c10": ("nb201.npz", _cells("c10_test_e200")),
    "c10, whole": ("nb201.npz", _cells("c10_test_e200")),
    "c100": ("nb201.npz", _cells("c100_test_e200")),
    **{name: ("", _graphs(name)) for name in GRAPHS},
    "nb101": ("nb101_2500.npz", _nasbench101),
    "mobilenetv3": ("ofa_mbv3_accuracy.npz", _ofa),
    **{
        name: ("transnas101_micro.npz", lambda folder, task=task: transnas(folder, task))
        for name, task in (("transnas object", "class_object"), ("transnas jigsaw", "jigsaw"))
    },
    "accel-nasbench": ("accel_nasbench.npz", _accel),
}
