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

from ...core.errors import VitruviusError
from .executor import Task, attempt
from .setting import Setting

PR_SET_PDEATHSIG = 1
# Of at most 1000: when memory runs out, Linux shall end a worker rather than the search.
OOM_SCORE = "800"


def work(pipe: Connection, setting: Setting) -> None:
    """Loads the evaluator and evaluates what comes through the pipe.

    Args:
        pipe: To the search. First the pickled evaluator comes, then tasks.
        setting: What the process is set to before the user's code may say otherwise.
    """
    # Of its own, so that Ctrl-C reaches only the search, and a time-out ends children too.
    os.setsid()
    if sys.platform == "linux":
        # Even in the midst of a training. (Where the parent ended before this line, no task comes.)
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        Path("/proc/self/oom_score_adj").write_text(OOM_SCORE)
    # The search prints its result there.
    os.dup2(2, 1)
    setting.apply()
    # That of this process would be inherited.
    multiprocessing.set_start_method(None, force=True)
    # The search has ended where the pipe has.
    with contextlib.suppress(EOFError, BrokenPipeError):
        _serve(pipe, setting.start_method)


def _serve(pipe: Connection, start_method: str | None) -> None:
    pickled = pipe.recv_bytes()
    try:
        evaluator = cloudpickle.loads(pickled)
    except BaseException as error:
        said = f"{type(error).__name__}: {error}"
        if isinstance(error, VitruviusError):
            said = error.message
        pipe.send(said.rstrip("."))
        return
    if start_method is not None and multiprocessing.get_start_method(allow_none=True) is None:
        multiprocessing.set_start_method(start_method)
    pipe.send(torch.get_num_threads())

    def report(position: int, step: int, metrics: Mapping[str, float]) -> bool:
        pipe.send((position, step, dict(metrics)))
        return bool(pipe.recv())

    while True:
        task: Task = pipe.recv()
        pipe.send(attempt(evaluator, task, report))
