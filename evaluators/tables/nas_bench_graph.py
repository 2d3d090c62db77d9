"""NAS-Bench-Graph (Qin et al., NeurIPS 2022): measurements of graph networks on nine data sets."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import MissingExtraError, TableError, UnknownNameError
from ...core.safe_pickle import NUMPY_NUMBERS, load
from ...spaces.gnn.nas_bench_graph import TASKS, NASBenchGraph
from ..metric import Metric
from .table import Table

__all__ = ["NASBenchGraphTable"]

PACKAGE = "nas_bench_graph"
# No network of the space nears a billion parameters; a larger number in a target is a plain
# count written without saying so.
LARGEST_PARAMS_M = 1000.0
METRICS = (
    Metric("valid_perf", "fraction", "higher", (0.0, 1.0)),
    Metric("test_perf", "fraction", "higher", (0.0, 1.0)),
    Metric("latency", "s", "lower", (0.0, math.inf)),
    Metric("params", "M", "lower", (0.0, LARGEST_PARAMS_M), exact=True),
)
COLUMNS = {
    "valid_perf": "valid_perf",
    "test_perf": "perf",
    "latency": "latency",
    "params": "para",
}


class NASBenchGraphTable(Table):
    """The measurements of NAS-Bench-Graph (arXiv 2206.09166) on one of its nine data sets.

    Read from the package nas-bench-graph, without importing it. Metrics: ``valid_perf`` and
    ``test_perf`` (accuracy; mean ROC-AUC on proteins), ``latency`` (seconds per forward pass) and
    ``params`` (millions). On all data sets but physics the parameters equal the space's exact
    count and need no label; on physics upstream averaged runs of different settings in 6 % of the
    entries, so there they are a measurement.

    Entries are keyed by five digits, tree and operations. Proteins holds only the 2,021
    architectures of five operations (gcn, sage, arma, fc, skip), under the same keys as elsewhere:
    the published parameters agree with the exact count in all of them. (The second, six-valued
    coding in upstream's code is not the one of its file.)

    Args:
        data_set: One of `data_sets`.
        folder: Where the ``.bench`` files lie; those of the installed package by default.

    Raises:
        UnknownNameError: For another data set.
        MissingExtraError: Where the package is not installed.
        TableError: Where its file is broken.

    Example:
        >>> cora = NASBenchGraphTable("cora")
        >>> round(cora.evaluate("[0,1,2,1]|gcn|gin|fc|cheb").metrics["valid_perf"], 3)
        0.79
    """

    serves: ClassVar[str] = NASBenchGraph.name
    data_sets: ClassVar[tuple[str, ...]] = tuple(TASKS)

    def __init__(self, data_set: str, *, folder: Path | None = None) -> None:
        if data_set not in TASKS:
            raise UnknownNameError.of("data set", data_set, TASKS)
        space = NASBenchGraph()
        exact = data_set != "physics"
        metrics = {metric.name: replace(metric, exact=metric.exact and exact) for metric in METRICS}
        path = (folder or _folder()) / f"{data_set}.bench"
        x, columns = _read(path, space)
        super().__init__(space, x, columns, metrics, task=TASKS[data_set])

    @classmethod
    def load(cls, data_set: str) -> NASBenchGraphTable:
        """Reads the table of a data set of `data_sets`."""
        return cls(data_set)

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        if not self.metrics["params"].exact:
            return {}
        return {"params": self.space.statistics(x, self.task)["params"] / 1e6}


def _folder() -> Path:
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "This needs the package 'nas-bench-graph', which is not installed.",
            "Install it with: pip install nas-bench-graph",
        )
    return Path(spec.origin).parent / "light"


def _read(
    path: Path, space: NASBenchGraph
) -> tuple[Int[Tensor, "R V"], dict[str, Float[Tensor, " R"]]]:
    content = load(path, NUMPY_NUMBERS)
    if not isinstance(content, dict):
        raise TableError(f"{path.name} holds no table.", "Install nas-bench-graph again.")
    x = space.enumerate()
    keys = space.table_key(x).tolist()
    foreign = set(content).difference(keys)
    if foreign:
        raise TableError(
            f"{path.name} has {len(foreign)} keys that are not of {space.name}.",
            "Install nas-bench-graph again.",
        )
    entries = [content.get(key) for key in keys]
    kept = torch.tensor([isinstance(entry, dict) for entry in entries])
    return x[kept], {
        name: torch.tensor(
            [
                value if isinstance(value := entry.get(column), int | float) else math.nan
                for entry in entries
                if isinstance(entry, dict)
            ],
            dtype=torch.float64,
        )
        for name, column in COLUMNS.items()
    }
