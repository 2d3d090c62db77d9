"""What a worker process runs: evaluations, until its pipe closes."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

import cloudpickle
import torch

from .executor import Task, attempt

PR_SET_PDEATHSIG = 1
# Of at most 1000: when memory runs out, Linux shall end a worker rather than the search.
OOM_SCORE = "800"


def work(pipe: Connection, threads: int, start_method: str | None) -> None:
    """Loads the evaluator and evaluates what comes through the pipe.

    Args:
        pipe: To the search. First the pickled evaluator comes, then tasks.
        threads: Of torch's operators.
        start_method: Of processes that the evaluator starts; None for the platform's.
    """
    # Of its own, so that Ctrl-C reaches only the search, and a time-out ends children too.
    os.setsid()
    if sys.platform == "linux":
        # Even in the midst of a training. (Where the parent ended before this line, no task comes.)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    # The search prints its result there.
    os.dup2(2, 1)
    torch.set_num_threads(threads)
    # That of this process would be inherited.
    multiprocessing.set_start_method(start_method, force=True)
    # The search has ended where the pipe has.
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(pipe)


def _serve(pipe: Connection) -> None:
    pickled = pipe.recv_bytes()
    try:
        evaluator = cloudpickle.loads(pickled)
    except Exception as error:
        pipe.send(f"{type(error).__name__}: {error}")
        return
    pipe.send(None)

    def report(position: int, step: int, metrics: Mapping[str, float]) -> bool:
        pipe.send((position, step, dict(metrics)))
        return bool(pipe.recv())

    while True:
        task: Task = pipe.recv()
        pipe.send(attempt(evaluator, task, report))
