"""Examples: batches of images, series, or the nodes of a graph, on the device they belong to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ...core.seeding import derive_seed, make_generator
from ...datasets import RawData, RawGraph, RawGraphs, RawImages, Splits
from ...datasets.disk_features import DiskFeatures
from ...spaces import ImageTask, Task
from .augmentation import augmented
from .feature_store import FeatureStore, MemoryStore, PackedStore
from .memory import free_memory
from .neighbours import Neighbours, Sampled

__all__ = [
    "PARTS",
    "Batch",
    "Examples",
    "GraphExamples",
    "NodeExamples",
    "SampledNodeExamples",
    "TensorExamples",
    "examples_of",
]

# Share of a device's free memory that examples may fill.
SHARE_OF_DEVICE = 0.5
# Examples that mean and deviation are taken of.
SAMPLED = 4_096
PARTS = ("train", "val", "test")


@dataclass(frozen=True)
class Batch:
    """What a step learns from.

    Args:
        inputs: What the network takes.
        targets: Classes, or standardised values.
        rows: Rows of the network's output that the targets are of; None for all.
        graph: The graph of every row of the network's output, which is averaged over each; None
            where there is a target for each row.
    """

    inputs: tuple[Tensor, ...]
    targets: Shaped[Tensor, "B *K"]
    rows: Int[Tensor, " B"] | None = None
    graph: Int[Tensor, " N"] | None = None

    def to(self, device: torch.device) -> Batch:
        """Moves the tensors.

        Args:
            device: Where to.
        """
        inputs = tuple(each.to(device) for each in self.inputs)
        others = (each if each is None else each.to(device) for each in (self.rows, self.graph))
        return Batch(inputs, self.targets.to(device), *others)

    def outputs(self, network: torch.nn.Module) -> tuple[Tensor, Tensor | None]:
        """Calls a network; returns its outputs, and those of an auxiliary head where it has one.

        Args:
            network: The network.
        """
        told = network(*self.inputs)
        main, auxiliary = told if isinstance(told, tuple) else (told, None)
        if self.rows is not None:
            main = main[self.rows]
        if self.graph is not None:
            from torch_geometric.nn import global_mean_pool

            main = global_mean_pool(main, self.graph, len(self.targets))
        return main, auxiliary


@runtime_checkable
class Examples(Protocol):
    """Training and validation examples of one kind of data.

    Attributes:
        task: What networks are built for.
        regression: Whether values are predicted; else classes are.
        sizes: Number of examples by part.
    """

    task: Task
    regression: bool
    sizes: dict[str, int]

    def order(self, generator: torch.Generator, batch: int) -> Sequence[Tensor]:
        """Shuffles the training examples and parts them into batches of nearly equal size.

        Args:
            generator: On the CPU.
            batch: Largest size of one.
        """

    def take(self, chosen: Tensor, augment: Sequence[str], generator: torch.Generator) -> Batch:
        """Makes a training batch.

        Args:
            chosen: One of `order`.
            augment: See `vitruvius.evaluators.training.augmentation`.
            generator: On the device.
        """

    def part(self, name: str, batch: int) -> Iterator[Batch]:
        """Makes the batches of a part, as they are.

        Args:
            name: ``train``, ``val`` or ``test``.
            batch: Examples in each.
        """

    def unscaled(self, values: Tensor) -> Tensor:
        """Gives predicted or true values of a regression their units back.

        Args:
            values: Standardised.
        """

    def preparation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Says what is done to inputs before a network, and to its outputs behind it.

        Returns:
            Of inputs ``mean`` and ``scale`` of every channel, and ``size`` (width and height) of
            images; of outputs ``mean`` and ``scale`` of every value of a regression.
        """


@dataclass(eq=False)
class _Targets:
    """Targets of all examples; those of a regression are standardised by the training part's."""

    values: Tensor
    regression: bool
    mean: Tensor = field(default_factory=lambda: torch.zeros(()))
    scale: Tensor = field(default_factory=lambda: torch.ones(()))

    @classmethod
    def of(cls, labels: Tensor, train: Tensor, regression: bool, device: torch.device) -> _Targets:
        if not regression:
            return cls(labels.long().to(device), False)
        values = labels.float().reshape(len(labels), -1)
        mean, scale = values[train].mean(0), values[train].std(0).clamp(min=1e-12)
        scaled = (values - mean) / scale
        return cls(scaled.to(device), True, mean.to(device), scale.to(device))

    def unscaled(self, values: Tensor) -> Tensor:
        return values * self.scale + self.mean

    def preparation(self) -> dict[str, Any]:
        if not self.regression:
            return {}
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}


class TensorExamples:
    """Images or series: a tensor of equal examples.

    They lie on the device where they fill less than half of its free memory, and are moved there
    batch by batch otherwise. Images come as bytes; channels are normalised to mean 0 and deviation
    1 of the training part.

    Args:
        values: ``[N, C, H, W]`` bytes or ``[N, C, L]``.
        labels: Class of every example, or values.
        splits: The parts.
        task: What networks are built for; images are scaled to its resolution.
        regression: Whether values are predicted.
        device: Where networks compute.
    """

    def __init__(
        self,
        values: Shaped[Tensor, "N C *S"],
        labels: Shaped[Tensor, "N *K"],
        splits: Splits,
        task: Task,
        *,
        regression: bool,
        device: torch.device,
    ) -> None:
        self.task, self.regression, self._device = task, regression, device
        self._parts = {name: getattr(splits, name) for name in PARTS}
        self.sizes = {name: len(index) for name, index in self._parts.items()}
        self._targets = _Targets.of(labels, splits.train, regression, device)
        fits = values.numel() * values.element_size() < SHARE_OF_DEVICE * free_memory(device)
        self._values = values.to(device) if fits else values
        few = values[splits.train[torch.linspace(0, len(splits.train) - 1, SAMPLED).long()]]
        axes = [0, *range(2, few.ndim)]
        shape = (1, -1, *[1] * (few.ndim - 2))
        self._mean = few.float().mean(axes).reshape(shape).to(device)
        self._scale = few.float().std(axes).clamp(min=1e-6).reshape(shape).to(device)

    def order(self, generator: torch.Generator, batch: int) -> Sequence[Tensor]:
        return _shuffled(self._parts["train"], generator, batch)

    def take(self, chosen: Tensor, augment: Sequence[str], generator: torch.Generator) -> Batch:
        values = self._at(chosen)
        if augment:
            values = augmented(values, augment, generator)
        return Batch((values,), self._targets.values[chosen.to(self._device)])

    def part(self, name: str, batch: int) -> Iterator[Batch]:
        for chosen in self._parts[name].split(batch):
            yield Batch((self._at(chosen),), self._targets.values[chosen.to(self._device)])

    def unscaled(self, values: Tensor) -> Tensor:
        return self._targets.unscaled(values)

    def preparation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        told = {"mean": self._mean.flatten().tolist(), "scale": self._scale.flatten().tolist()}
        if isinstance(self.task, ImageTask):
            told["size"] = [self._values.shape[3], self._values.shape[2]]
        return told, self._targets.preparation()

    def _at(self, chosen: Tensor) -> Float[Tensor, "B C *S"]:
        taken = self._values[chosen.to(self._values.device)].to(self._device, non_blocking=True)
        values = (taken.float() - self._mean) / self._scale
        if isinstance(self.task, ImageTask) and values.shape[2] != self.task.resolution:
            side = (self.task.resolution, self.task.resolution)
            values = F.interpolate(values, side, mode="bilinear", antialias=True)
        return values


class NodeExamples:
    """Nodes of one graph, all of which take part in every step.

    Args:
        graph: The graph.
        splits: The parts, of nodes.
        task: What networks are built for.
        device: Where networks compute.
    """

    def __init__(
        self, graph: RawGraph, splits: Splits, task: Task, *, device: torch.device
    ) -> None:
        self.task, self.regression = task, graph.regression
        self._parts = {name: getattr(splits, name).to(device) for name in PARTS}
        self.sizes = {name: len(index) for name, index in self._parts.items()}
        self._targets = _Targets.of(graph.labels, splits.train, graph.regression, device)
        both = torch.cat([graph.edges, graph.edges.flip(0)], dim=1)
        features = torch.from_numpy(graph.features.toarray()).float()
        self._inputs = (features.to(device), both.to(device))

    def order(self, generator: torch.Generator, batch: int) -> Sequence[Tensor]:
        return [self._parts["train"]]

    def take(self, chosen: Tensor, augment: Sequence[str], generator: torch.Generator) -> Batch:
        return Batch(self._inputs, self._targets.values[chosen], chosen)

    def part(self, name: str, batch: int) -> Iterator[Batch]:
        rows = self._parts[name]
        yield Batch(self._inputs, self._targets.values[rows], rows)

    def unscaled(self, values: Tensor) -> Tensor:
        return self._targets.unscaled(values)

    def preparation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, self._targets.preparation()


class SampledNodeExamples:
    """Nodes of a graph too large to be taken whole: batches of them, with sampled neighbours.

    All batches of an epoch are sampled before its first step, so that a store may pack what they
    will need; those of a part are the same in every epoch, and no larger than those of training.

    Args:
        graph: The graph.
        splits: The parts, of nodes.
        task: What networks are built for.
        device: Where networks compute.
        fanout: See `Neighbours.sample`.
        memory: Bytes of features on disk that stay in memory for training; evaluation has none.
    """

    def __init__(
        self,
        graph: RawGraph,
        splits: Splits,
        task: Task,
        *,
        device: torch.device,
        fanout: Sequence[int],
        memory: int,
    ) -> None:
        self.task, self.regression = task, graph.regression
        self._device, self._fanout = device, tuple(fanout)
        self._parts = {name: getattr(splits, name) for name in PARTS}
        self.sizes = {name: len(index) for name, index in self._parts.items()}
        self._targets = _Targets.of(graph.labels, splits.train, graph.regression, device)
        self._neighbours = Neighbours(graph.edges, graph.nodes)
        self._features = graph.features
        self._dense: Tensor | None = None
        self._most = 1 << 30
        self._coming: tuple[Sequence[Tensor], int] = ((), 0)
        self._epoch: tuple[object, list[Sampled]] = (None, [])
        self._store = self._new_store(memory)
        self._kept: dict[tuple[str, int], tuple[list[Sampled], FeatureStore]] = {}

    @property
    def read_bytes(self) -> int:
        """Bytes of features that were read of disks so far."""
        return self._store.read_bytes + sum(store.read_bytes for _, store in self._kept.values())

    def order(self, generator: torch.Generator, batch: int) -> Sequence[Tensor]:
        parted = _shuffled(self._parts["train"], generator, batch)
        drawn = int(torch.randint(1 << 62, (), generator=generator))
        self._most = batch
        self._coming = (parted, drawn)
        return list(torch.arange(len(parted))[:, None])

    def take(self, chosen: Tensor, augment: Sequence[str], generator: torch.Generator) -> Batch:
        if self._epoch[0] is not self._coming:
            self._epoch = (self._coming, self._sampled(*self._coming))
            self._store.plan([each.nodes for each in self._epoch[1]])
        return self._batch(self._epoch[1][int(chosen)], self._store.rows(int(chosen)))

    def part(self, name: str, batch: int) -> Iterator[Batch]:
        batch = min(batch, self._most)
        if (name, batch) not in self._kept:
            sampled = self._sampled(self._parts[name].split(batch), 0)
            store = self._new_store(0)
            store.plan([each.nodes for each in sampled])
            self._kept[name, batch] = (sampled, store)
        sampled, store = self._kept[name, batch]
        for number, each in enumerate(sampled):
            yield self._batch(each, store.rows(number))

    def unscaled(self, values: Tensor) -> Tensor:
        return self._targets.unscaled(values)

    def preparation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, self._targets.preparation()

    def _new_store(self, memory: int) -> FeatureStore:
        if isinstance(self._features, DiskFeatures):
            return PackedStore(self._features, memory=memory)
        if self._dense is None:
            self._dense = torch.from_numpy(self._features.toarray()).float()
        return MemoryStore(self._dense)

    def _sampled(self, parted: Sequence[Tensor], seed: int) -> list[Sampled]:
        return [
            self._neighbours.sample(
                nodes, self._fanout, make_generator(derive_seed(seed, "neighbours", number))
            )
            for number, nodes in enumerate(parted)
        ]

    def _batch(self, sampled: Sampled, features: Tensor) -> Batch:
        inputs = (features.to(self._device), sampled.edges.to(self._device))
        seeds = sampled.nodes[: sampled.seeds].to(self._device)
        rows = torch.arange(sampled.seeds, device=self._device)
        return Batch(inputs, self._targets.values[seeds], rows)


class GraphExamples:
    """Graphs, each with a target; a network's outputs are averaged over the nodes of each.

    Args:
        graphs: The graphs.
        splits: The parts.
        task: What networks are built for.
        device: Where networks compute.
    """

    def __init__(
        self, graphs: RawGraphs, splits: Splits, task: Task, *, device: torch.device
    ) -> None:
        self.task, self.regression, self._device = task, graphs.regression, device
        self._graphs = graphs
        self._parts = {name: getattr(splits, name) for name in PARTS}
        self.sizes = {name: len(index) for name, index in self._parts.items()}
        self._targets = _Targets.of(graphs.labels, splits.train, graphs.regression, device)

    def order(self, generator: torch.Generator, batch: int) -> Sequence[Tensor]:
        return _shuffled(self._parts["train"], generator, batch)

    def take(self, chosen: Tensor, augment: Sequence[str], generator: torch.Generator) -> Batch:
        x, edges, graph = (part.to(self._device) for part in self._graphs.batch(chosen))
        targets = self._targets.values[chosen.to(self._device)]
        return Batch((x, edges), targets, graph=graph)

    def part(self, name: str, batch: int) -> Iterator[Batch]:
        for chosen in self._parts[name].split(batch):
            yield self.take(chosen, (), torch.Generator())

    def unscaled(self, values: Tensor) -> Tensor:
        return self._targets.unscaled(values)

    def preparation(self) -> tuple[dict[str, Any], dict[str, Any]]:
        return {}, self._targets.preparation()


def examples_of(
    raw: RawData,
    splits: Splits,
    task: Task,
    device: torch.device,
    fanout: Sequence[int] = (),
    memory: int = 64 << 20,
) -> Examples:
    """Makes the examples of raw data.

    Args:
        raw: The data.
        splits: The parts.
        task: What networks are built for.
        device: Where networks compute.
        fanout: Most neighbours of a node, hop by hop, where nodes are taken in batches.
        memory: As for `SampledNodeExamples`.
    """
    if isinstance(raw, RawGraph):
        if fanout:
            return SampledNodeExamples(
                raw, splits, task, device=device, fanout=fanout, memory=memory
            )
        return NodeExamples(raw, splits, task, device=device)
    if isinstance(raw, RawGraphs):
        return GraphExamples(raw, splits, task, device=device)
    values = raw.images if isinstance(raw, RawImages) else raw.series
    return TensorExamples(
        values, raw.labels, splits, task, regression=raw.regression, device=device
    )


def _shuffled(
    train: Int[Tensor, " N"], generator: torch.Generator, batch: int
) -> Sequence[Int[Tensor, " _"]]:
    order = train[torch.randperm(len(train), generator=generator)]
    return order.tensor_split(-(-len(train) // batch))
