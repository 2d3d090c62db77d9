"""Model: a network with what is needed to use it, as every format writes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from ..spaces import Architecture, GraphTask, ImageTask, Space, Task
from ..spaces.gan.adversarial import DiscriminatorSpace, GeneratorSpace

__all__ = ["Model"]


@dataclass(frozen=True, eq=False)
class Model:
    """A network with what is needed to use it.

    Args:
        network: The network, on the CPU.
        space: Its space.
        architecture: Its architecture.
        task: What it was built for.
        inputs: How inputs are prepared: ``mean`` and ``scale`` of every channel, and of images the
            ``size`` (width and height) they are cut and scaled to, from bytes.
        outputs: ``class_names``; for values their ``mean`` and ``scale``.
        scores: What was measured, a value for each training, by names such as ``test accuracy``.
        history: How it came about: ``data``, ``recipe``, ``run``, ``trial``; blank where it has not
            been trained.
        check: Tensors of the test part that the scores can be repeated on.
    """

    network: nn.Module
    space: Space
    architecture: Architecture
    task: Task
    inputs: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, list[float]] = field(default_factory=dict)
    history: Mapping[str, Any] = field(default_factory=dict)
    check: Mapping[str, Tensor] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """What it takes: ``image``, ``graph`` or ``series``; or a side of a GAN that it is."""
        if isinstance(self.space, GeneratorSpace):
            return "generator"
        if isinstance(self.space, DiscriminatorSpace):
            return "discriminator"
        if isinstance(self.task, GraphTask):
            return "graph"
        return "image" if isinstance(self.task, ImageTask) else "series"

    def counts(self) -> dict[str, int]:
        """Counts its parameters and multiply-adds."""
        import torch

        row = torch.tensor([self.architecture.indices])
        return {k: int(v) for k, v in self.space.statistics(row, self.task).items()}
