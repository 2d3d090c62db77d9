"""Exact Gaussian process with kernels for DAGs (Ru et al., ICLR 2021, arXiv 2006.07556)."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed
from ..encoders.feature_sets import FEATURE_SETS, Features
from ..spaces import Space
from .averaged_gp import AveragedGP
from .posterior import Posterior
from .predictor import Predictor
from .transfer_gp import Sources, TransferGP

__all__ = ["GaussianProcess"]

# Hyper-parameter samples by default: guidance values hundreds of thousands of architectures.
NUM_SAMPLES = 4
# Entries of all covariance matrices together: 128 MB.
ENTRIES = 16 * 1000**2


class GaussianProcess(Predictor):
    """Gaussian process on several feature sets of an architecture, averaged over hyper-parameters.

    See `AveragedGP` for the kernel, and `TransferGP` for what earlier tasks change. The choice for
    up to some thousand labels; beyond, `Boosting` costs less.

    Args:
        space: The space.
        seed: Of the hyper-parameter samples.
        features: Names of encoders (see `vitruvius.encoders.encoder_names`).
        num_samples: Most hyper-parameter samples in the average; by default four, and fewer beyond
            two thousand labels, so that memory stays bounded.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(30, 0)
        >>> gp = GaussianProcess(cells).fit(x, cells.statistics(x)["params"])
        >>> mean, std = gp.predict(cells.sample(3, 1))
        >>> mean.shape, bool((std > 0).all())
        (torch.Size([3]), True)
    """

    name: ClassVar[str] = "gp"
    learns_fidelities: ClassVar[bool] = True
    learns_tasks: ClassVar[bool] = True
    averages: ClassVar[bool] = True

    def __init__(
        self,
        space: Space,
        *,
        seed: int = 0,
        features: tuple[str, ...] = FEATURE_SETS,
        num_samples: int | None = None,
    ) -> None:
        super().__init__(space, seed=seed)
        self._inputs, self.num_samples = features, num_samples
        self._sources: Sources | None = None

    @property
    def weights(self) -> Mapping[str, float]:
        return self.process.weights if isinstance(self.process, TransferGP) else {}

    @property
    def dropped(self) -> tuple[str, ...]:
        return self.process.dropped if isinstance(self.process, TransferGP) else ()

    def start_from(self, sources: Sources) -> None:
        self._sources = sources

    def thinned(self) -> GaussianProcess:
        some = copy(self)
        some.process = self.process.thinned()
        return some

    def fidelity_correlation(self, x: Int[Tensor, "B V"] | Features) -> Float[Tensor, " B"]:
        return self.process.correlation(self._encode(x), 1)

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        num_samples, seed = self.num_samples, self.seed
        if num_samples is None:
            num_samples = max(1, min(NUM_SAMPLES, ENTRIES // len(data) ** 2))
            # Searches have a seed of their own for every decision.
            seed = derive_seed(seed, "settings")
        self.process = self._new_process(num_samples, seed).fit(data, z, fidelity)

    def _new_process(self, num_samples: int, seed: int) -> AveragedGP:
        if self._sources is not None:
            return TransferGP(self._sources, num_samples=num_samples, seed=seed)
        return AveragedGP(num_samples=num_samples, seed=seed)

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        return self.process.posterior(data, joint=joint)
