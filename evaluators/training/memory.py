"""Memory that a training needs, told from the layers before anything is built for it."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import torch

from ...spaces import GraphTask, Layer, Task
from .recipe import Recipe

__all__ = ["free_memory", "training_memory"]

FLOAT = 4
# Copies of a weight beside its gradient, by optimiser: momentum, or the two moments of Adam.
MOMENTS = {"sgd": 1, "adam": 2, "adamw": 2}
# Outputs that stay until the backward pass are not all; some layers keep their input too.
KEPT = 1.3
# Layers whose output takes no memory of its own.
FREE = ("Identity", "Flatten", "Dropout", "DropPath")


def training_memory(layers: Sequence[Layer], task: Task, recipe: Recipe) -> int:
    """Estimates the memory of a training in bytes.

    Weights, their gradients, the optimiser's moments and the averaged weights, in float32; and the
    outputs of all layers for a whole batch, which stay until the backward pass.

    Args:
        layers: Of the network, as `Space.layers` lists them.
        task: What it is built for; of a graph every node takes part in every step.
        recipe: Its batch and optimiser.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> layers = cells.layers((3,) * 6)
        >>> round(training_memory(layers, cells.task, Recipe(batch=128)) / 1e9, 2)
        1.83
    """
    weights = sum(layer.params for layer in layers)
    copies = 2 + MOMENTS[recipe.optimizer] + (recipe.ema > 0)
    outputs = sum(math.prod(layer.outputs) for layer in layers if layer.kind not in FREE)
    together = task.nodes if isinstance(task, GraphTask) and task.nodes else recipe.batch
    return int(FLOAT * (copies * weights + KEPT * together * outputs))


def free_memory(device: torch.device) -> int:
    """Returns the bytes that a device has left.

    Args:
        device: A GPU, or the CPU for that of the machine.
    """
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if hasattr(os, "sysconf") and "SC_AVPHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 << 62
