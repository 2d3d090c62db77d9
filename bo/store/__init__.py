"""The run store: what a search has proposed and measured, in an Optuna storage."""

from __future__ import annotations

from .config import RunConfig, SourceConfig
from .log import Entry, TrialLog
from .run import Run, list_runs

__all__ = ["Entry", "Run", "RunConfig", "SourceConfig", "TrialLog", "list_runs"]
