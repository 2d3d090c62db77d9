"""Gaussian process on the embedding of an autoencoder that saw no labels."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.autoencoding import pretrained
from ..encoders.feature_sets import Features
from ..spaces import Space
from .averaged_gp import NUM_SAMPLES, AveragedGP
from .gaussian_process import GaussianProcess

__all__ = ["Latent", "LatentGP"]

# Architectures that the scale of embeddings is taken from.
REFERENCE = 2048
CHUNK = 2048
# Optimiser steps of the encoder by default.
STEPS = 600


class LatentGP(AveragedGP):
    """Gaussian process on the embedding in which NAO optimises (arXiv 1808.07233).

    The encoder learns to reconstruct the architectures of the space, once a process and without
    labels; only scale, amplitude and noise of the kernel come from what was observed, averaged
    over as in `AveragedGP`. With a folder of NAO as the generator, candidates are found by
    gradient steps in such an embedding, too.

    Args:
        space: The space.
        steps: Optimiser steps of the encoder.
        num_samples: Most hyper-parameter samples in the average.
        seed: Of the hyper-parameter samples.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> data = FeatureSets(cells, ("one-hot",))(cells.sample(20, 0))
        >>> gp = LatentGP(cells, steps=10).fit(data, torch.linspace(-2, 2, 20))
        >>> gp.posterior(data).mean.shape[1]
        20
    """

    def __init__(
        self, space: Space, *, steps: int = STEPS, num_samples: int = NUM_SAMPLES, seed: int = 0
    ) -> None:
        super().__init__(num_samples=num_samples, seed=seed)
        self.space, self.network = space, pretrained(space, steps)
        embedding = self._encode(space.sample(REFERENCE, 0))
        self._centre = embedding.mean(0)
        self._scale = (2 * embedding.var(0).sum()).sqrt().clamp(min=1e-6)

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> LatentGP:
        super().fit(self._embed(data), z, task)
        return self

    def _embed(self, data: Features) -> Features:
        return Features(data.x, ((self._encode(data.x) - self._centre) / self._scale,))

    @torch.no_grad()
    def _encode(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        rows = self.space.canonical(x)
        return torch.cat([self.network.encode(chunk) for chunk in rows.split(CHUNK)])


class Latent(GaussianProcess):
    """`LatentGP` as a predictor.

    Args:
        space: The space.
        seed: Of the hyper-parameter samples.
        steps: Optimiser steps of the encoder.
        num_samples: As for `GaussianProcess`.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> model = Latent(cells, steps=10).fit(x, cells.statistics(x)["params"])
        >>> model.predict(x[:3])[0].shape
        torch.Size([3])
    """

    name: ClassVar[str] = "latent"
    learns_tasks: ClassVar[bool] = False

    def __init__(
        self, space: Space, *, seed: int = 0, steps: int = STEPS, num_samples: int | None = None
    ) -> None:
        super().__init__(space, seed=seed, features=("one-hot",), num_samples=num_samples)
        self.steps = steps

    def _new_process(self, num_samples: int, seed: int) -> AveragedGP:
        return LatentGP(self.space, steps=self.steps, num_samples=num_samples, seed=seed)
