"""Tasks: what an architecture is built for."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["GraphTask", "ImageTask", "Task"]


@dataclass(frozen=True)
class Task:
    """Base of all tasks.

    Args:
        classes: Number of outputs.
    """

    classes: int = 10


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
