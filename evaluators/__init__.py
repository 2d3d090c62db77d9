"""The truth about architectures: metrics, targets, benchmark tables; the second floor."""

from __future__ import annotations

from .evaluation import Evaluation
from .evaluator import Evaluator
from .metric import Metric
from .targets import Target, Targets, exact_metrics, parse_targets

__all__ = [
    "Evaluation",
    "Evaluator",
    "Metric",
    "Target",
    "Targets",
    "exact_metrics",
    "parse_targets",
]
