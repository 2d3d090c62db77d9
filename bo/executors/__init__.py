"""Executors: where evaluations run."""

from __future__ import annotations

from .executor import Executor, Finished, Task, attempt
from .processes import ProcessExecutor
from .resolver import executor
from .serial import SerialExecutor

__all__ = [
    "Executor",
    "Finished",
    "ProcessExecutor",
    "SerialExecutor",
    "Task",
    "attempt",
    "executor",
]
