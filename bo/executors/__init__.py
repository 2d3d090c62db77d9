"""Executors: where evaluations run."""

from __future__ import annotations

from .executor import Executor, Finished, Report, Task, attempt, failure
from .processes import ProcessExecutor
from .resolver import executor
from .serial import SerialExecutor

__all__ = [
    "Executor",
    "Finished",
    "ProcessExecutor",
    "Report",
    "SerialExecutor",
    "Task",
    "attempt",
    "executor",
    "failure",
]
