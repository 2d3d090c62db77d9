"""What worker processes are set to: as the user left it, else a fair share of the machine."""

from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass

import torch

__all__ = ["Setting"]

# Whoever sets one of them has decided.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Setting:
    """Threads and start method of a worker; the user's file, loaded after that, has the last word.

    Args:
        threads: Of torch's operators in this process, which a user may have set.
        share: Cores for each worker.
        start_method: Of processes that the evaluator starts; None for the platform's.
    """

    threads: int
    share: int
    start_method: str | None

    @classmethod
    def of_this_process(cls, workers: int) -> Setting:
        """Returns what this process is set to, and the share of each of its workers.

        Args:
            workers: How many share the cores that this process may use.
        """
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        return cls(
            torch.get_num_threads(),
            max(1, (cores or 1) // workers),
            multiprocessing.get_start_method(allow_none=True),
        )

    def apply(self) -> None:
        """Sets the threads of torch, in a process that has set nothing yet."""
        if any(os.environ.get(name) for name in THREADS):
            return
        # Where this process would have as many as the one it comes from, nobody has set them.
        if torch.get_num_threads() == self.threads:
            torch.set_num_threads(self.share)
        else:
            torch.set_num_threads(self.threads)
