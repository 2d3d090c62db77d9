"""Deep kernel learning (Wilson et al., AISTATS 2016, arXiv 1511.02222) on a graph encoder."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed
from ..encoders.feature_sets import Features
from ..encoders.graph_encoder import GraphEncoder
from ..spaces import Space
from .averaged_gp import NUM_SAMPLES, AveragedGP
from .gaussian_process import GaussianProcess

__all__ = ["DeepKernel", "DeepKernelGP"]

STEPS, RATE, DECAY = 120, 5e-3, 1e-2
# The network is trained beside a kernel of unit scale and this share of noise.
NOISE = 0.1
CHUNK = 2048


class DeepKernelGP(AveragedGP):
    """Gaussian process on the embedding of a graph network.

    The network is trained by the marginal likelihood of the observations under a squared
    exponential kernel on its embedding; scale, amplitude and noise of that kernel are then averaged
    over as in `AveragedGP`. The network learns what kernels have to be told, and needs some hundred
    labels for it; its own leave-one-out predictions are too good, for it saw the labels.

    Args:
        space: The space.
        num_samples: Most hyper-parameter samples in the average.
        seed: Of the weights and hyper-parameter samples.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> encode = FeatureSets(cells, ("one-hot",))
        >>> gp = DeepKernelGP(cells).fit(encode(cells.sample(20, 0)), torch.linspace(-2, 2, 20))
        >>> gp.posterior(encode(cells.sample(5, 1))).mean.shape[1]
        5
    """

    def __init__(self, space: Space, *, num_samples: int = NUM_SAMPLES, seed: int = 0) -> None:
        super().__init__(num_samples=num_samples, seed=seed)
        self.space = space

    def fit(
        self, data: Features, z: Float[Tensor, " n"], task: Int[Tensor, " n"] | None = None
    ) -> DeepKernelGP:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(self.seed, "deep kernel"))
            self.encoder = GraphEncoder(self.space)
        optimizer = torch.optim.AdamW(self.encoder.parameters(), lr=RATE, weight_decay=DECAY)
        target = z.float()
        for step in range(STEPS):
            for group in optimizer.param_groups:
                group["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
            embedded = self.encoder(data.x)
            kernel = (-0.5 * torch.cdist(embedded, embedded).square()).exp()
            kernel = kernel + NOISE * torch.eye(len(target))
            normal = torch.distributions.MultivariateNormal(
                torch.zeros_like(target), covariance_matrix=kernel
            )
            loss = -normal.log_prob(target) / len(target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            embedded = self.encoder(data.x)
            self._centre = embedded.mean(0)
            self._scale = (2 * embedded.var(0).sum()).sqrt().clamp(min=1e-6)
        super().fit(self._embed(data), z, task)
        return self

    @torch.no_grad()
    def _embed(self, data: Features) -> Features:
        parts = [self.encoder(chunk) for chunk in data.x.split(CHUNK)]
        return Features(data.x, ((torch.cat(parts) - self._centre) / self._scale,))


class DeepKernel(GaussianProcess):
    """`DeepKernelGP` as a predictor. It ranks well from some hundred labels on.

    Its deviations are several times too small, for the network saw the labels; where probabilities
    matter take another.

    Args:
        space: The space.
        seed: Of the weights and hyper-parameter samples.
        num_samples: As for `GaussianProcess`.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> DeepKernel(cells).fit(x, cells.statistics(x)["params"]).predict(x[:3])[0].shape
        torch.Size([3])
    """

    name: ClassVar[str] = "deep-kernel"
    learns_tasks: ClassVar[bool] = False

    def __init__(self, space: Space, *, seed: int = 0, num_samples: int | None = None) -> None:
        super().__init__(space, seed=seed, features=("one-hot",), num_samples=num_samples)

    def _new_process(self, num_samples: int, seed: int) -> AveragedGP:
        return DeepKernelGP(self.space, num_samples=num_samples, seed=seed)
