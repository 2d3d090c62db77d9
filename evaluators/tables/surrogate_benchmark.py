"""A learned truth: a regression fitted to a table stands for training, in spaces too large for one.

The idea of NAS-Bench-301 (Zela et al., ICLR 2022, arXiv 2008.09777).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from scipy.stats import kendalltau
from torch import Tensor

from ...core.errors import TableError
from ...core.torch_state import own_torch_state
from ...spaces import ArchitectureLike
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from .table import Table

__all__ = ["HeldOut", "SurrogateBenchmark"]

# Settings among which the leave-one-out error decides: lengthscales, for features of unit deviation
# divided by the root of their number, and noise variances relative to the kernel's scale.
LENGTHSCALES = (0.5, 1.0, 2.0)
NOISES = (1e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
FOLDS, LEAST = 5, 20
# Rows predicted in one go.
BLOCK = 4096


@dataclass(frozen=True)
class HeldOut:
    """Error on architectures that the fit had not seen.

    Args:
        rmse: Root of the mean squared error, in the metric's unit.
        r2: Share of the variance that is explained.
        tau: Kendall's tau (b).
        count: How many architectures.
    """

    rmse: float
    r2: float
    tau: float
    count: int


class SurrogateBenchmark(Evaluator):
    """Evaluates any architecture by kernel ridge regression on the measurements of a table.

    The features are the one-hot choices of the canonical form, so that inactive choices say
    nothing, and the logarithms of the exact counts, each of unit deviation; the kernel is
    ``exp(-d^2 / 2 l^2)`` plus a linear one. ``l`` and the noise have the least leave-one-out
    error. The fit is deterministic and smooth: it keeps the trend of the table and loses the noise
    of training.

    It is only as good as the table is dense. `held_out` says how good that is among architectures
    like the table's; searches lead away from those. What never varies in the table is ignored: use
    a space that does not vary it either. To search a table itself, use the table.

    Args:
        table: The measurements.
        metric: Which of its metrics to fit.

    Raises:
        TableError: For a metric that the table lacks, or fewer than 20 values of it.

    Example:
        >>> from vitruvius.evaluators.metric import Metric
        >>> from vitruvius.spaces import space
        >>> nets = space("mobilenetv3")
        >>> x = nets.sample(300, 0)
        >>> macs = {"gmacs": nets.statistics(x)["macs"] / 1e9}
        >>> truth = SurrogateBenchmark(
        ...     Table(nets, x, macs, {"gmacs": Metric("gmacs", "G", "lower")}), "gmacs"
        ... )
        >>> truth.held_out.r2 > 0.9, sorted(truth.evaluate(nets.sample(1, 1)[0]).metrics)
        (True, ['gmacs'])
    """

    batched = True

    def __init__(self, table: Table, metric: str) -> None:
        if metric not in table.metrics:
            raise TableError(
                f"The table has no metric {metric!r}.", f"It has: {', '.join(table.metrics)}."
            )
        super().__init__(table.space, {metric: table.metrics[metric]}, task=table.task)
        values = table.values(table.rows)[metric]
        measured = values.isfinite()
        if int(measured.sum()) < LEAST:
            raise TableError(
                f"The table has {int(measured.sum())} values of {metric!r}.",
                f"At least {LEAST} are needed for a fit.",
            )
        self.metric, self._known = metric, values[measured]
        raw = self._raw(table.rows[measured])
        self._centre, deviation = raw.mean(0), raw.std(0)
        self._varies = deviation > 1e-9
        self._scale = deviation[self._varies] * float(self._varies.sum()) ** 0.5
        self._rows = self._scaled(raw)
        self.lengthscale, self.noise = self._chosen()
        everyone = torch.ones(len(self._known), dtype=torch.bool)
        self._mean = float(self._known.mean())
        self._weights = self._fit(everyone, self._mean)

    @cached_property
    def held_out(self) -> HeldOut:
        """Error of five-fold cross-validation over the table, with the settings chosen."""
        count = len(self._known)
        order = torch.randperm(count, generator=torch.Generator().manual_seed(0))
        predicted = torch.zeros(count, dtype=torch.float64)
        for fold in range(FOLDS):
            seen = torch.ones(count, dtype=torch.bool)
            seen[order[fold::FOLDS]] = False
            mean = float(self._known[seen].mean())
            cross = self._kernel(self._rows[~seen], self._rows[seen], self.lengthscale)
            predicted[~seen] = cross @ self._fit(seen, mean) + mean
        error = (predicted - self._known).square()
        return HeldOut(
            rmse=float(error.mean().sqrt()),
            r2=1.0 - float(error.mean() / self._known.var(correction=0)),
            tau=float(kendalltau(predicted.numpy(), self._known.numpy()).statistic),
            count=count,
        )

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        parts = [
            self._kernel(self._scaled(self._raw(block)), self._rows, self.lengthscale)
            @ self._weights
            for block in x.split(BLOCK)
        ]
        return {self.metric: torch.cat(parts) + self._mean}

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        value = float(self.values(torch.tensor([architecture.indices]))[self.metric])
        return Evaluation(architecture, {self.metric: value}, fidelity=fidelity, seed=seed)

    def _raw(self, x: Int[Tensor, "B V"]) -> Float[Tensor, "B D"]:
        x = self.space.canonical(x)
        mask = self.space.choice_mask
        chosen = F.one_hot(x, mask.shape[1]).double()[:, mask]
        counts = self.space.statistics(x, self.task)
        return torch.cat([chosen, *(counts[name].log1p()[:, None] for name in sorted(counts))], 1)

    def _scaled(self, raw: Float[Tensor, "B D"]) -> Float[Tensor, "B W"]:
        return ((raw - self._centre)[:, self._varies]) / self._scale

    def _kernel(
        self, a: Float[Tensor, "A W"], b: Float[Tensor, "B W"], lengthscale: float
    ) -> Float[Tensor, "A B"]:
        return (-torch.cdist(a, b).square() / (2 * lengthscale**2)).exp() + a @ b.T

    def _fit(self, seen: Bool[Tensor, " n"], mean: float) -> Float[Tensor, " m"]:
        rows = self._rows[seen]
        gram = self._kernel(rows, rows, self.lengthscale)
        gram.diagonal().add_(self.noise)
        target = (self._known[seen] - mean)[:, None]
        return torch.cholesky_solve(target, torch.linalg.cholesky(gram))[:, 0]

    def _chosen(self) -> tuple[float, float]:
        """Lengthscale and noise of the least leave-one-out error.

        With ``K + s I = Q (L + s) Q^T`` the residual of leaving row i out is
        ``[(K + s I)^-1 y]_i / [(K + s I)^-1]_ii``.
        """
        target = self._known - self._known.mean()
        errors = {}
        for lengthscale in LENGTHSCALES:
            gram = self._kernel(self._rows, self._rows, lengthscale)
            eigenvalues, vectors = torch.linalg.eigh(gram)
            projected, squares = vectors.T @ target, vectors.square()
            for noise in NOISES:
                inverse = 1.0 / (eigenvalues.clamp(min=0.0) + noise)
                residual = (vectors @ (inverse * projected)) / (squares @ inverse)
                errors[lengthscale, noise] = float(residual.square().mean())
        return min(errors, key=lambda setting: errors[setting])
