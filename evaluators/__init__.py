"""The truth about architectures: metrics, targets, benchmark tables; the second floor."""

from __future__ import annotations

from .analog_nasbench import AnalogNASBench
from .evaluation import Evaluation
from .evaluator import Evaluator
from .fitted_truth import FittedTruth
from .metric import Metric
from .nas_bench_graph import NASBenchGraphTable
from .raw_data import RawGraph, RawImages, load_raw
from .resolver import data_sets, evaluator
from .table import Table
from .targets import Target, Targets, exact_metrics, parse_targets
from .user_table import UserTable

__all__ = [
    "AnalogNASBench",
    "Evaluation",
    "Evaluator",
    "FittedTruth",
    "Metric",
    "NASBenchGraphTable",
    "RawGraph",
    "RawImages",
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
