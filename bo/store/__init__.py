"""The run store: what a search has proposed and measured, in an Optuna storage."""

from __future__ import annotations

from .config import EarlierConfig, EvaluatorConfig, RunConfig
from .log import Entry, TrialLog
from .run import Run, list_runs

__all__ = ["EarlierConfig", "Entry", "EvaluatorConfig", "Run", "RunConfig", "TrialLog", "list_runs"]
