"""Timing of a network: warm-up, median and spread of repeated batches."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles

import torch
from filelock import FileLock
from torch import Tensor, nn

from ...core.device import torch_threads

__all__ = ["Timing", "alone", "time_calls", "time_network"]

# Calls before anything counts, repeats that count at least and at most, and seconds after which
# there are enough of them.
WARM_UP, LEAST, MOST, SECONDS = 3, 15, 200, 0.5
# From the distance of the quartiles to the deviation, where errors are normal.
NORMAL = 1.349


@dataclass(frozen=True)
class Timing:
    """How long a batch takes.

    Args:
        milliseconds: The median of the repeats.
        deviation: Their deviation in milliseconds, by the distance of the quartiles.
        repeats: How many were measured after the warm-up.
    """

    milliseconds: float
    deviation: float
    repeats: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Timing:
        """Sums up repeats.

        Args:
            seconds: How long each took; two or more.

        Example:
            >>> Timing.of([0.001, 0.002, 0.004]).milliseconds
            2.0
        """
        low, _, high = quantiles(seconds, n=4, method="inclusive")
        return cls(1e3 * median(seconds), 1e3 * (high - low) / NORMAL, len(seconds))


def time_calls(call: Callable[[], object], clock: Callable[[], float]) -> Timing:
    """Times repeated calls after a warm-up.

    Args:
        call: What is timed.
        clock: Seconds, such as `time.perf_counter`.
    """
    for _ in range(WARM_UP):
        call()
    seconds: list[float] = []
    while len(seconds) < LEAST or (sum(seconds) < SECONDS and len(seconds) < MOST):
        start = clock()
        call()
        seconds.append(clock() - start)
    return Timing.of(seconds)


def time_network(
    network: nn.Module, inputs: Sequence[Tensor], *, device: torch.device, count: int = 1
) -> Timing:
    """Times the forward pass of a network in evaluation mode.

    On a GPU by CUDA events. On the CPU by the processor time of the one thread that computes, which
    on an idle machine is the time on the clock, and which other processes hardly change; with
    several threads by the clock.

    Args:
        network: The network, on the device.
        inputs: A batch of what it takes, on the device.
        device: The device.
        count: Threads of torch on the CPU.
    """
    network.eval()
    with torch.inference_mode(), torch_threads(count):
        if device.type == "cuda":
            return _time_events(lambda: network(*inputs))
        clock = time.thread_time if count == 1 else time.perf_counter
        return time_calls(lambda: network(*inputs), clock)


def _time_events(call: Callable[[], object]) -> Timing:
    for _ in range(WARM_UP):
        call()
    seconds: list[float] = []
    while len(seconds) < LEAST or (sum(seconds) < SECONDS and len(seconds) < MOST):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1e3)
    return Timing.of(seconds)


@contextmanager
def alone() -> Iterator[None]:
    """Waits until no other process of the user measures on this machine, and keeps others waiting.

    Example:
        >>> with alone():
        ...     pass
    """
    user = os.getuid() if hasattr(os, "getuid") else "user"
    with FileLock(Path(tempfile.gettempdir()) / f"vitruvius-measures-{user}.lock"):
        yield
