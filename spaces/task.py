"""Tasks: what an architecture is built for."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace

import torch
from torch import Tensor

from ..core.errors import UnknownNameError, UsageError
from ..core.seeding import Seed, make_generator

__all__ = ["GraphTask", "ImageTask", "SeriesTask", "Task", "parse_task"]

# Digits of a size that can be meant.
LONGEST = 18


@dataclass(frozen=True)
class Task:
    """Base of all tasks.

    Args:
        classes: Number of outputs: of classes, or of the values of a regression.
    """

    classes: int = 10

    def __str__(self) -> str:
        return ", ".join(f"{name}={value}" for name, value in asdict(self).items())

    def inputs(self, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        """Makes random inputs, as the modules that are built for the task take them.

        Args:
            batch: How many examples; of a graph, how many nodes.
            seed: Of the values.
        """
        return ()


@dataclass(frozen=True)
class ImageTask(Task):
    """Image classification.

    Args:
        classes: Number of classes.
        channels: Input channels.
        resolution: Height and width of the input in pixels; a space that searches the resolution
            ignores it.
    """

    channels: int = 3
    resolution: int = 32

    def inputs(self, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        shape = (batch, self.channels, self.resolution, self.resolution)
        return (torch.randn(shape, generator=make_generator(seed)),)


@dataclass(frozen=True)
class SeriesTask(Task):
    """Classification of series, such as signals over time.

    Args:
        classes: Number of classes.
        channels: Values at each step.
        length: Number of steps.
    """

    channels: int = 1
    length: int = 128

    def inputs(self, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        return (torch.randn(batch, self.channels, self.length, generator=make_generator(seed)),)


@dataclass(frozen=True)
class GraphTask(Task):
    """Node classification.

    Args:
        classes: Number of classes.
        features: Input features per node.
        hidden: Width of every hidden layer.
        head_layers: Fully connected layers before the classifier.
        stem_layers: Fully connected layers before the first graph layer.
        nodes: Nodes of the graph, 0 where that is not known.
        edges: Undirected edges of the graph, 0 where that is not known.
    """

    features: int = 1433
    hidden: int = 256
    head_layers: int = 1
    stem_layers: int = 0
    nodes: int = 0
    edges: int = 0

    def inputs(self, batch: int = 2, seed: Seed = 0) -> tuple[Tensor, ...]:
        """Makes a ring of nodes with random features, and its edges in both directions."""
        ring = torch.arange(batch)
        around = torch.stack([ring, ring.roll(-1)])
        features = torch.randn(batch, self.features, generator=make_generator(seed))
        return features, torch.cat([around, around.flip(0)], dim=1)


def parse_task(text: str, task: Task) -> Task:
    """Reads a task such as ``classes=6, features=3703``; ``str`` of a task writes it.

    Args:
        text: Fields and their values, joined by commas.
        task: What the other fields are taken from, and of which kind it shall be.

    Raises:
        UnknownNameError: For a field that such a task does not have.
        UsageError: For anything else than ``name=number``, or a number out of range.

    Example:
        >>> parse_task("classes=6, features=3703", GraphTask()).features
        3703
    """
    # What may be 0 is 0 unless it is said.
    least = {field.name: min(1, int(field.default)) for field in fields(task)}  # type: ignore[arg-type]
    said: dict[str, int] = {}
    for term in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (part.strip() for part in term.partition("="))
        if name not in least:
            raise UnknownNameError.of("field of a task", name, least)
        if not value.isdecimal() or len(value) > LONGEST or int(value) < least[name]:
            raise UsageError(
                f"{term!r} is not a field of a task.",
                f"Give a whole number of at least {least[name]}, e.g. {name}=10.",
            )
        said[name] = int(value)
    return replace(task, **said)
