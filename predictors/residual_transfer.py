"""Transfer by residuals (Golovin et al., KDD 2017, section 3.3): for any predictor."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from jaxtyping import Float, Int
from torch import Tensor

from ..core.seeding import derive_seed
from ..encoders.feature_sets import Features
from .posterior import Posterior
from .predictor import Predictor
from .transfer_gp import Sources, TransferGP

__all__ = ["ResidualTransfer", "warm_started"]


class ResidualTransfer(Predictor):
    """A predictor that learns what earlier tasks leave over.

    1. A `TransferGP` says which earlier tasks to believe, and how much of what they say together
       counts: a line, whose slope is expected to be 1/2 before labels tell.
    2. The predictor is fitted to the labels less that line.
    3. Its posterior is moved by the line. Where no earlier task is believed nothing is taken off,
       and this is the predictor by itself.

    Google Vizier stacks a Gaussian process a task; here the stack is one line high. A predictor
    that learns from earlier tasks by itself needs none (see `Predictor.learns_tasks`).

    Args:
        predictor: Unfitted.
        sources: The earlier tasks.

    Example:
        >>> from vitruvius.encoders.feature_sets import FeatureSets
        >>> from vitruvius.predictors.ridge import Ridge
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> data = FeatureSets(cells)(cells.sample(20, 0))
        >>> z = (data.x - 2.0).sum(1)
        >>> sources = Sources(("earlier",), lambda data: (data.x - 2.0).sum(1, keepdim=True))
        >>> model = ResidualTransfer(Ridge(cells), sources).fit_scores(data, z)
        >>> model.weights
        {'earlier': 1.0}
    """

    def __init__(self, predictor: Predictor, sources: Sources) -> None:
        super().__init__(predictor.space, seed=predictor.seed)
        self.predictor = predictor
        seed = derive_seed(predictor.seed, "residual transfer")
        self._line = TransferGP(sources, num_samples=1, seed=seed)

    @property
    def name(self) -> str:  # type: ignore[override]
        return self.predictor.name

    @property
    def learns_fidelities(self) -> bool:  # type: ignore[override]
        return self.predictor.learns_fidelities

    @property
    def weights(self) -> Mapping[str, float]:
        return self._line.weights

    @property
    def dropped(self) -> tuple[str, ...]:
        return self._line.dropped

    def thinned(self) -> ResidualTransfer:
        some = copy(self)
        some.predictor = self.predictor.thinned()
        return some

    def fidelity_correlation(self, x: Int[Tensor, "B V"] | Features) -> Float[Tensor, " B"]:
        return self.predictor.fidelity_correlation(x)

    def _encode(self, x: Int[Tensor, "B V"] | Features) -> Features:
        return self.predictor._encode(x)

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        self._line.fit(data, z, fidelity)
        rest = z - self._line.mean_function(data).to(z.dtype)
        self.predictor.fit_scores(data, rest, fidelity)

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        posterior = self.predictor.posterior(data, joint=joint)
        return posterior.shifted(self._line.mean_function(data))


def warm_started(predictor: Predictor, sources: Sources) -> Predictor:
    """Returns a predictor that starts from earlier tasks: the same, or one around it.

    Args:
        predictor: Unfitted.
        sources: The earlier tasks.

    Example:
        >>> from vitruvius.predictors import GraphNetwork
        >>> from vitruvius.spaces import space
        >>> sources = Sources(("earlier",), lambda data: data.x.sum(1, keepdim=True).double())
        >>> type(warm_started(GraphNetwork(space("nasbench201")), sources)).__name__
        'ResidualTransfer'
    """
    if not predictor.learns_tasks:
        return ResidualTransfer(predictor, sources)
    predictor.start_from(sources)
    return predictor
