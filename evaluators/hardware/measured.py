"""Measured metrics of networks on the machine at hand, as evaluators."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from ...core.device import resolve_device, torch_threads
from ...core.errors import UsageError
from ...core.torch_state import own_torch_state
from ...spaces import Architecture, ArchitectureLike, Space, Task
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from ..metric import Metric
from .latency_table import LatencyTable, time_layers
from .onnx_runtime import onnx_call
from .peak_memory import peak_memory
from .timing import Timing, alone, time_calls, time_network

__all__ = ["LatencyEvaluator", "PeakMemoryEvaluator"]

_SAY = logging.getLogger(__name__)
RUNTIMES = ("torch", "onnx")
# The fidelity at which a latency is predicted.
PREDICTED = 1


class _MeasuredEvaluator(Evaluator):
    """Builds a network with random weights and measures it in evaluation mode."""

    def __init__(self, space: Space, metrics: Sequence[Metric], task: Task | None, batch: int):
        if not space.buildable:
            raise UsageError(
                f"{space.name} builds no networks, so that nothing can be measured.",
                "Measure a space of networks.",
            )
        if batch < 1:
            raise UsageError(f"`batch` must be at least 1, got {batch}.", "Give one or more.")
        super().__init__(space, {metric.name: metric for metric in metrics}, task=task)
        self.batch = batch

    def _network(
        self, architecture: Architecture, device: torch.device
    ) -> tuple[nn.Module, list[Tensor]]:
        task = self.space.task_of(architecture.indices, self.task)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            space, own = self.space.network(architecture)
            network = space.build(own, task)
        inputs = [each.to(device) for each in space.example_inputs(task, self.batch)]
        return network.to(device).eval(), inputs


class LatencyEvaluator(_MeasuredEvaluator):
    """Measures how long a batch takes in evaluation mode, ``latency`` in milliseconds.

    The median of repeats after a warm-up; ``latency_deviation`` is how far one repeat lies from it,
    by the distance of the quartiles. On the CPU with one thread the clock is the thread's processor
    time, which other processes hardly change; with several threads, and in ONNX Runtime with
    several, it is the clock on the wall. On a GPU it is that of CUDA events. Only one network is
    measured at a time on a machine, whatever the workers. Weights do not matter and are random.

    Args:
        space: The space.
        task: What networks are built for; the space's own task by default.
        batch: Examples in a batch; of a graph, nodes.
        threads: Threads within an operator, on the CPU.
        runtime: ``torch``, or ``onnx`` for ONNX Runtime on the CPU.
        device: ``cpu``, ``cuda``; by default where candidates are evaluated.
        table: File of a `LatencyTable`, which is measured on ``networks`` random architectures
            where it is not there. By it the latency is predicted at the fidelity 1.
        networks: As said.

    Raises:
        UsageError: For a space without networks, an option that is out of range, or a table of
            something else.

    Example:
        >>> from vitruvius.spaces import space
        >>> evaluator = LatencyEvaluator(space("nasbench201:width=4,cells=1"))
        >>> evaluator.evaluate((3,) * 6).metrics["latency"] > 0
        True
    """

    def __init__(
        self,
        space: Space,
        *,
        task: Task | None = None,
        batch: int = 1,
        threads: int = 1,
        runtime: str = "torch",
        device: str = "",
        table: str = "",
        networks: int = 30,
    ) -> None:
        if runtime not in RUNTIMES or (runtime == "onnx" and device not in ("", "cpu")):
            raise UsageError(
                f"A network cannot be measured in {runtime!r} on {device or 'cpu'}.",
                "Use runtime=torch, or runtime=onnx on the CPU.",
            )
        if threads < 1:
            raise UsageError(f"`threads` must be at least 1, got {threads}.", "Give one or more.")
        super().__init__(
            space,
            (
                Metric("latency", "ms", "lower", (0.0, math.inf)),
                Metric("latency_deviation", "ms", "lower", (0.0, math.inf)),
            ),
            task,
            batch,
        )
        self.threads, self.runtime, self.device = threads, runtime, device
        self.noisy = ("latency",)
        self.table = self._table(Path(table), networks) if table else None
        self.fidelities = (PREDICTED,) if table else ()

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        if fidelity is not None:
            if fidelity != PREDICTED or self.table is None:
                raise UsageError(f"There is no fidelity {fidelity}.", "Give a table of latencies.")
            predicted = self.table.predict(self.space.layers(architecture, self.task))
            metrics = {"latency": predicted, "latency_deviation": self.table.error * predicted}
            return Evaluation(architecture, metrics, "ok", "", fidelity, seed)
        told = self.timing(architecture, context)
        metrics = {"latency": told.milliseconds, "latency_deviation": told.deviation}
        return Evaluation(architecture, metrics, "ok", "", fidelity, seed)

    def timing(self, architecture: Architecture, context: Context | None = None) -> Timing:
        """Measures one architecture.

        Args:
            architecture: Of the space.
            context: Says where candidates are evaluated.
        """
        place = self.device or ("cpu" if self.runtime == "onnx" else "")
        device = resolve_device(place or (context or Context()).device)
        network, inputs = self._network(architecture, device)
        if self.runtime == "torch":
            with alone():
                return time_network(network, inputs, device=device, count=self.threads)
        with torch_threads(self.threads):
            call = onnx_call(network, inputs, threads=self.threads)
        with alone():
            return time_calls(call, time.thread_time if self.threads == 1 else time.perf_counter)

    def _table(self, path: Path, networks: int) -> LatencyTable:
        """Reads the table, or measures and writes it."""
        settings = {"batch": self.batch, "threads": self.threads, "task": str(self.task)}
        if self.runtime != "torch" or self.device not in ("", "cpu") or networks < 2:
            raise UsageError(
                "A table of latencies is measured by torch on the CPU, on two networks or more.",
                "Leave `runtime` and `device` out.",
            )
        if path.exists():
            return LatencyTable.load(path, settings)
        clock = time.thread_time if self.threads == 1 else time.perf_counter
        measured = []
        for row in self.space.sample(networks, 0):
            network, inputs = self._network(self.space.architecture(row), torch.device("cpu"))
            with alone(), torch_threads(self.threads):
                layers = time_layers(network, inputs, clock)
                whole = time_network(
                    network, inputs, device=torch.device("cpu"), count=self.threads
                )
            measured.append((layers, whole.milliseconds))
        table = LatencyTable.of(settings, measured)
        table.save(path)
        _SAY.info(
            "%s: %d layers; their sums are off by %.1f %% (median) on networks held out.",
            path, len(table.entries), 100 * table.error,
        )  # fmt: skip
        return table


class PeakMemoryEvaluator(_MeasuredEvaluator):
    """Measures what the tensors of a forward pass take at most, ``peak_memory`` in MB.

    See `vitruvius.evaluators.hardware.peak_memory.peak_memory`.

    Args:
        space: As for `LatencyEvaluator`.
        task: As for `LatencyEvaluator`.
        batch: As for `LatencyEvaluator`.
        device: As for `LatencyEvaluator`.

    Raises:
        UsageError: As for `LatencyEvaluator`.

    Example:
        >>> from vitruvius.spaces import space
        >>> evaluator = PeakMemoryEvaluator(space("nasbench201:width=4,cells=1"))
        >>> round(evaluator.evaluate((3,) * 6).metrics["peak_memory"], 1)
        0.2
    """

    def __init__(
        self, space: Space, *, task: Task | None = None, batch: int = 1, device: str = ""
    ) -> None:
        metric = Metric("peak_memory", "MB", "lower", (0.0, math.inf))
        super().__init__(space, (metric,), task, batch)
        self.device = device

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        device = resolve_device(self.device or (context or Context()).device)
        network, inputs = self._network(architecture, device)
        # Another measurement on a GPU would count its own tensors in.
        with alone():
            told = peak_memory(network, inputs)
        return Evaluation(architecture, {"peak_memory": told / 1e6}, "ok", "", fidelity, seed)
