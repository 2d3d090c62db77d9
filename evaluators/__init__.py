"""The truth about architectures: metrics, targets, benchmark tables; the second floor."""

from __future__ import annotations

from ..datasets.raw_data import RawGraph, RawImages, load_raw
from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric
from .resolver import data_sets, evaluator
from .tables.analog_nasbench import AnalogNASBench
from .tables.nas_bench_graph import NASBenchGraphTable
from .tables.surrogate_benchmark import SurrogateBenchmark
from .tables.table import Table
from .tables.user_table import UserTable
from .targets import Target, Targets, exact_metrics, parse_targets

__all__ = [
    "AnalogNASBench",
    "Evaluation",
    "Evaluator",
    "Metric",
    "NASBenchGraphTable",
    "RawGraph",
    "RawImages",
    "SurrogateBenchmark",
    "Table",
    "Target",
    "Targets",
    "UserTable",
    "data_sets",
    "evaluator",
    "exact_metrics",
    "load_raw",
    "parse_targets",
]
