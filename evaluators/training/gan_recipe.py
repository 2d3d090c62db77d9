"""GANRecipe: how a generator and a discriminator are trained."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from ...spaces import ImageTask, Task
from .recipe import Augmentations, BaseRecipe, Schedule

__all__ = ["GANRecipe"]


class GANRecipe(BaseRecipe):
    """How a generator and a discriminator are trained against each other.

    AutoGAN (arXiv 1908.03835) has batches of 64, rates of 2e-4, 5 steps of the discriminator and
    some 16 million images; the defaults reach more with the few steps of a CPU.

    Args:
        images: Real images that the discriminator is shown in all.
        rounds: Parts of the training, after each of which it is measured.
        batch: Real images a step, and as many generated ones.
        critic: Steps of the discriminator for one of the generator.
        lr: Learning rate of the generator's Adam.
        discriminator_lr: Of the discriminator's.
        beta1: Decay of Adam's first moments.
        beta2: Of its second.
        schedule: ``constant``, ``linear`` (to zero) or ``cosine``.
        warmup: Share of all steps in which the learning rates rise from zero.
        loss: ``hinge`` (arXiv 1705.02894) or ``non-saturating`` (arXiv 1406.2661).
        spectral_norm: Whether each weight of the discriminator is divided by its largest singular
            value (arXiv 1802.05957).
        r1: Weight of the penalty on the discriminator's gradients at real images (arXiv
            1801.04406); 0 for none.
        clip: Largest norm of the gradients of either network; 0 for any.
        augment: Of ``crop``, ``flip``, ``colour`` and ``cutout``, on real and generated images
            alike, and differentiably (DiffAugment, arXiv 2006.10738): for few images.
        ema: Decay of the moving average of the generator's weights, which is what is measured; 0
            for none.
        keep: ``best`` keeps the generator of the round with the lowest FID, ``last`` the last.
        samples: Images that are generated to measure a generator.
        precision: As of `Recipe`.
        patience: Rounds without a lower FID after which it ends; 0 for none.
        seconds: As of `Recipe`.
        memory: As of `Recipe`.

    Example:
        >>> GANRecipe.of({"images": 50_000}).rounds
        5
    """

    images: int = Field(200_000, ge=1)
    rounds: int = Field(5, ge=1)
    batch: int = Field(32, ge=2)
    critic: int = Field(1, ge=1)
    lr: float = Field(5e-4, gt=0)
    discriminator_lr: float = Field(1e-3, gt=0)
    beta1: float = Field(0.0, ge=0, lt=1)
    beta2: float = Field(0.9, ge=0, lt=1)
    schedule: Schedule = "constant"
    warmup: float = Field(0.0, ge=0, lt=1)
    loss: Literal["hinge", "non-saturating"] = "hinge"
    spectral_norm: bool = True
    r1: float = Field(0.0, ge=0)
    clip: float = Field(0.0, ge=0)
    augment: Augmentations = ("crop", "colour", "cutout")
    ema: float = Field(0.99, ge=0, lt=1)
    keep: Literal["last", "best"] = "best"
    samples: int = Field(2_000, ge=100)
    precision: Literal["mixed", "full"] = "full"
    patience: int = Field(0, ge=0)
    seconds: float = Field(0.0, ge=0)
    memory: float = Field(0.0, ge=0)

    @property
    def epochs(self) -> int:
        """The rounds, which are what a loop calls epochs."""
        return self.rounds

    @classmethod
    def usual(cls, task: Task | None) -> dict[str, Any]:
        if isinstance(task, ImageTask) and task.channels == 1:
            return {"augment": ("crop", "cutout")}
        return {}
