"""Proxies of a space's architectures, as an evaluator."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ...core.device import resolve_device
from ...core.errors import UsageError
from ...core.seeding import derive_seed, make_generator
from ...core.torch_state import own_torch_state
from ...datasets import RawData
from ...spaces import ArchitectureLike, Space, Task
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from ..metric import Metric
from ..training.evaluator import TrainingEvaluator
from ..training.examples import Batch
from .probe import BATCHES, Probe, ProxyValue, noise
from .resolver import proxies

__all__ = ["ProxyEvaluator", "proxies_of"]


class ProxyEvaluator(Evaluator):
    """Scores untrained networks by zero-cost proxies, each a metric by its name.

    A proxy is computed of some batches, of data or of noise and random classes, on the canonical
    architecture, so that operations that nothing depends on are left out. More is taken to be
    better, of all.

    Written ``proxy:naswot+synflow,batch=32,data=./photos``.

    Args:
        space: The space.
        names: Proxies, joined by ``+``; all by default.
        task: What networks are built for; the space's own task by default.
        batch: Examples in a batch.
        seed: Of weights and batches, the same for all architectures.
        nodes: Where above 0, each proxy is told layer by layer, as so many metrics ``snip.0``,
            ``snip.1``, …: signed logarithms, stretched to that many from the first to the last.
        data: Raw data, or the path or name of some, whose training part batches are of; networks
            are then built for its task. Noise by default.

    Raises:
        UnknownNameError: For a proxy that there is not.
        UsageError: For a space without networks, a batch of fewer than two, or both data and a
            task.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> told = ProxyEvaluator(cells, names="synflow+naswot", batch=4)
        >>> sorted(told.evaluate((3,) * 6).metrics)
        ['naswot', 'synflow']
    """

    first_option = "names"

    def __init__(
        self,
        space: Space,
        *,
        names: str = "",
        task: Task | None = None,
        batch: int = 64,
        seed: int = 0,
        nodes: int = 0,
        data: RawData | str | Path | None = None,
    ) -> None:
        if not space.buildable:
            raise UsageError(
                f"{space.name} builds no networks, so that there are no proxies of them.",
                "Give a space of networks.",
            )
        if batch < 2:
            raise UsageError(f"`batch` must be at least 2, got {batch}.", "Give two or more.")
        if nodes < 0:
            raise UsageError(f"`nodes` must not be negative, got {nodes}.", "0 tells the sums.")
        self._proxies, self.nodes = proxies(names), nodes
        infinite = (-math.inf, math.inf)
        told = [
            each
            for name in self._proxies
            for each in ([f"{name}.{node}" for node in range(nodes)] if nodes else [name])
        ]
        metrics = {name: Metric(name, "", "higher", infinite) for name in told}
        self._trainer = None
        if data is not None:
            if task is not None:
                raise UsageError("`data` says what networks are built for.", "Give no `task`.")
            self._trainer = TrainingEvaluator(space, data)
            space, task = self._trainer.space, self._trainer.task
        super().__init__(space, metrics, task=task)
        self.batch, self.seed = batch, seed

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        start = time.perf_counter()
        made = self.space.architecture(architecture)
        probe = self.probe(made.canonical, context)
        told: dict[str, float] = {}
        reasons = []
        for name, each in self._proxies.items():
            try:
                found = each(probe)
            except UsageError as error:
                reasons.append(f"{name}: {error.message}")
                continue
            value = found.value
            if self.nodes and found.nodes:
                told |= _by_node(name, list(found.nodes.values()), self.nodes)
            elif self.nodes:
                reasons.append(f"{name}: it is of the whole network, not of layers")
            elif math.isfinite(value):
                told[name] = value
            else:
                reasons.append(f"{name}: nothing comes through the network")
        seconds = time.perf_counter() - start
        if not told:
            reason = "; ".join(reasons)
            return Evaluation(made, {}, "failed", reason, fidelity, seed, seconds)
        return Evaluation(made, told, "ok", "", fidelity, seed, seconds)

    def probe(self, architecture: ArchitectureLike, context: Context | None = None) -> Probe:
        """Builds the network and makes the batches.

        Args:
            architecture: As for `evaluate`.
            context: Says where to compute.
        """
        device = resolve_device((context or Context()).device)
        made = self.space.architecture(architecture)
        task = self.space.task_of(made.indices, self.task)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            space, own = self.space.network(made)
            network = space.build(own, task).to(device)
        if self._trainer is not None:
            return Probe(network, _drawn(self._trainer, task, self.batch, self.seed, device))
        batches = noise(
            lambda own_seed: space.example_inputs(task, self.batch, own_seed),
            task.classes,
            self.batch,
            self.seed,
        )
        return Probe(network, [each.to(device) for each in batches])


def _by_node(name: str, values: list[float], nodes: int) -> dict[str, float]:
    """Metrics of so many nodes, whatever the number of layers."""
    array = np.nan_to_num(np.array(values))
    scaled = np.sign(array) * np.log1p(np.abs(array))
    places = np.linspace(0, len(scaled) - 1, nodes)
    stretched = np.interp(places, np.arange(len(scaled)), scaled)
    return {f"{name}.{node}": float(value) for node, value in enumerate(stretched)}


def _drawn(
    trainer: TrainingEvaluator, task: Task, batch: int, seed: int, device: torch.device
) -> list[Batch]:
    """Batches of the training part, as they are."""
    examples = trainer.examples(task, None, device)
    made = []
    for number in range(BATCHES):
        generator = make_generator(derive_seed(seed, "batch", number))
        chosen = examples.order(generator, batch)[0]
        made.append(examples.take(chosen, (), generator))
    return made


def proxies_of(
    network: nn.Module, batches: Sequence[Batch], names: str = ""
) -> dict[str, ProxyValue]:
    """Computes proxies of any module.

    Args:
        network: Untrained; it is left as it is.
        batches: One or more, of the same size; two at the least for ``zico``.
        names: Proxies, joined by ``+``; all by default.

    Raises:
        UnknownNameError: For a proxy that there is not.

    Example:
        >>> network = nn.Sequential(nn.Flatten(), nn.Linear(12, 8), nn.ReLU(), nn.Linear(8, 3))
        >>> batch = Batch((torch.randn(6, 3, 2, 2),), torch.arange(6) % 3)
        >>> told = proxies_of(network, [batch], "snip")["snip"]
        >>> sorted(told.nodes), told.value > 0
        (['1', '3'], True)
    """
    probe = Probe(network, batches)
    return {name: each(probe) for name, each in proxies(names).items()}
