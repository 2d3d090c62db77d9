"""Acquisition: how much is to be gained by evaluating an architecture (BoTorch's functions)."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar

import torch
from botorch.acquisition import (
    LogExpectedImprovement,
    UpperConfidenceBound,
    qLogExpectedImprovement,
    qLogNoisyExpectedImprovement,
    qProbabilityOfImprovement,
    qUpperConfidenceBound,
)
from botorch.acquisition.analytic import LogProbabilityOfImprovement
from botorch.acquisition.multi_objective import logei as of_botorch
from botorch.acquisition.multi_objective.logei import (
    qLogExpectedHypervolumeImprovement,
    qLogNoisyExpectedHypervolumeImprovement,
)
from botorch.acquisition.multi_objective.objective import IdentityMCMultiOutputObjective
from botorch.acquisition.objective import GenericMCObjective
from botorch.acquisition.utils import compute_best_feasible_objective
from botorch.utils.multi_objective.box_decompositions import FastNondominatedPartitioning
from jaxtyping import Float
from torch import Tensor

from ...core.errors import UnknownNameError, UsageError
from ...predictors.predictor import FARTHEST
from .inputs import AcquisitionInputs
from .pool_model import PoolModel

__all__ = ["AUTO", "Acquisition", "acquisition", "acquisition_names"]

AUTO = "auto"
# Squared deviations above the mean that the upper confidence bound looks.
BETA = 4.0
# A sum of cells smaller than this is no improvement that double precision can tell.
TINY = 1e-280


class Acquisition(ABC):
    """Values candidates in two steps: each by itself, then the best of them with all else.

    The first step takes the marginal posterior and is cheap, so that it may see a whole space; it
    bounds the second, or nearly so, which takes the joint posterior with what is pending and what
    was observed, and sees a shortlist.

    Attributes:
        multiple: Whether it is for several objectives.
        always_joint: Whether the second step is needed even where nothing is pending.
        uses_pending: Whether what is pending changes its values.
        observation_noise: Whether it is about what an evaluation will show, not what lies behind
            it. In a table, and wherever an architecture is evaluated once, what the surrogate calls
            noise is a part of the value.
        second_stage: Whether a first look under few hyper-parameter samples tells which candidates
            matter.
    """

    name: ClassVar[str]
    multiple: ClassVar[bool] = False
    always_joint: ClassVar[bool] = False
    uses_pending: ClassVar[bool] = True
    observation_noise: ClassVar[bool] = False
    second_stage: ClassVar[bool] = True

    def marginal(self, model: PoolModel, n: int, now: AcquisitionInputs) -> Float[Tensor, " n"]:
        """Values the first ``n`` rows of an uncorrelated pool, each by itself.

        Args:
            model: The pool.
            n: Number of candidates.
            now: What is known.
        """
        chance = _log_feasibility(model, n, now)
        if now.bounds and not bool(now.feasible.any()):
            return chance
        return self._value(model, _points(n), now) + chance

    @property
    def logarithmic(self) -> bool:
        """Whether values are logarithms of what is to be gained."""
        return self.name.startswith("log")

    @abstractmethod
    def _value(
        self, model: PoolModel, points: Tensor, now: AcquisitionInputs
    ) -> Float[Tensor, " n"]:
        """Log-value (or any score) of single points without regard to constraints."""

    def joint(
        self, model: PoolModel, n: int, baseline: Tensor, pending: Tensor, now: AcquisitionInputs
    ) -> Float[Tensor, " n"]:
        """Values the first ``n`` rows of a correlated pool together with other rows of it.

        Args:
            model: The pool.
            n: Number of candidates.
            baseline: Row numbers of the best of what was observed.
            pending: Row numbers of what is being evaluated.
            now: What is known.
        """
        function = self._function(model, baseline[:, None], now)
        if len(pending):
            function.set_X_pending(pending[:, None].double())
        return function(_points(n))

    @abstractmethod
    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        """BoTorch's Monte-Carlo acquisition function."""


class LogEI(Acquisition):
    """Logarithm of the expected improvement (Ament et al., NeurIPS 2023, arXiv 2310.20708).

    Hyper-parameter samples are averaged over in two ways, in turn from one observation to the
    next: the mean of the logarithm prefers what promises something under all of them, the
    logarithm of the mean follows the most optimistic. Either by itself leaves a search stuck now
    and then, where the samples agree on what is wrong.
    """

    name = "logei"
    observation_noise = True

    def _value(self, model: PoolModel, points: Tensor, now: AcquisitionInputs) -> Tensor:
        parts = _objective(model).split_samples()
        values = [LogExpectedImprovement(part, best_f=now.best)(points) for part in parts]
        log_mean_exp = len(now.scores) % 2 == 0
        if log_mean_exp:
            return torch.stack(values).logsumexp(0) - math.log(len(values))
        return torch.stack(values).mean(0)

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        return qLogExpectedImprovement(
            model,
            best_f=now.best,
            sampler=now.sampler(),
            objective=_first(),
            constraints=now.constraints(),
        )


class _OverObserved(qLogNoisyExpectedImprovement):
    """Improves over a given score in samples where nothing that was observed is feasible.

    BoTorch takes a bound from the posterior at random points between the inputs; between row
    numbers there is nothing.
    """

    def __init__(self, worst: float, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.worst = torch.tensor(worst)

    def _compute_best_feasible_objective(self, samples: Tensor, obj: Tensor) -> Tensor:
        return compute_best_feasible_objective(
            samples, obj, self._constraints, infeasible_obj=self.worst
        )


class LogNEI(LogEI):
    """Expected improvement over what the best of noisy observations truly are (same paper)."""

    name = "lognei"
    observation_noise = False
    always_joint = True

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        return _OverObserved(
            float(now.scores.min()),
            model,
            X_baseline=baseline.double(),
            sampler=now.sampler(),
            objective=_first(),
            constraints=now.constraints(),
            prune_baseline=False,
            cache_root=False,
        )


class UCB(Acquisition):
    """Upper confidence bound (Srinivas et al., ICML 2010): mean and two deviations."""

    name = "ucb"

    def _value(self, model: PoolModel, points: Tensor, now: AcquisitionInputs) -> Tensor:
        return UpperConfidenceBound(_objective(model), beta=BETA)(points)

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        return qUpperConfidenceBound(model, beta=BETA, sampler=now.sampler(), objective=_first())

    def joint(
        self, model: PoolModel, n: int, baseline: Tensor, pending: Tensor, now: AcquisitionInputs
    ) -> Float[Tensor, " n"]:
        value = super().joint(model, n, baseline, pending, now)
        return value + _log_feasibility(model, n, now)


class PI(Acquisition):
    """Probability of improvement (Kushner, 1964)."""

    name = "pi"
    observation_noise = True

    def _value(self, model: PoolModel, points: Tensor, now: AcquisitionInputs) -> Tensor:
        return LogProbabilityOfImprovement(_objective(model), best_f=now.best)(points)

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        return qProbabilityOfImprovement(
            model,
            best_f=now.best,
            sampler=now.sampler(),
            objective=_first(),
            constraints=now.constraints(),
        )


class IndependentThompson(Acquisition):
    """Independent Thompson sampling (White et al., AAAI 2021): one draw of every marginal."""

    name = "its"
    uses_pending = second_stage = False  # every draw is another

    def _value(self, model: PoolModel, points: Tensor, now: AcquisitionInputs) -> Tensor:
        return model.outputs[0][: len(points)].draws(1, seed=now.seed)[0]

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        raise NotImplementedError


class Thompson(UCB):
    """Thompson sampling: one joint draw over the shortlist, which the bound above makes."""

    name = "thompson"
    always_joint = True

    def joint(
        self, model: PoolModel, n: int, baseline: Tensor, pending: Tensor, now: AcquisitionInputs
    ) -> Float[Tensor, " n"]:
        draw = model.outputs[0][:n].draws(1, seed=now.seed)[0]
        return draw + _log_feasibility(model, n, now)


class LogEHVI(Acquisition):
    """Expected hypervolume improvement (Yang et al., 2019; Daulton et al., NeurIPS 2020).

    Analytic where nothing is pending.
    """

    name = "logehvi"
    observation_noise = True
    multiple = True

    def _value(self, model: PoolModel, points: Tensor, now: AcquisitionInputs) -> Tensor:
        lower, upper = _partitioning(now).get_hypercell_bounds()
        outputs = [output[: len(points)] for output in model.outputs[: now.objectives]]
        mean = torch.stack([output.mean for output in outputs], -1)
        deviation = torch.stack([output.variance for output in outputs], -1).sqrt()
        gain = expected_hypervolume_improvement(mean, deviation, lower, upper).mean(0)
        return gain.clamp(min=TINY).log()

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        _compile_nothing()
        return qLogExpectedHypervolumeImprovement(
            model,
            ref_point=now.reference,
            partitioning=_partitioning(now),
            sampler=now.sampler(),
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(now.objectives))),
            constraints=now.constraints(),
        )


class LogNEHVI(LogEHVI):
    """Expected hypervolume improvement over what noisy observations truly are.

    (Daulton et al., NeurIPS 2021, arXiv 2105.08195). One box decomposition per sample: some
    seconds a decision with three objectives.
    """

    name = "lognehvi"
    observation_noise = False
    always_joint = True

    def _function(self, model: PoolModel, baseline: Tensor, now: AcquisitionInputs) -> Any:
        _compile_nothing()
        return qLogNoisyExpectedHypervolumeImprovement(
            model,
            ref_point=now.reference,
            X_baseline=baseline.double(),
            sampler=now.sampler(),
            objective=IdentityMCMultiOutputObjective(outcomes=list(range(now.objectives))),
            constraints=now.constraints(),
            prune_baseline=False,
            cache_root=False,
        )


_CLASSES: tuple[type[Acquisition], ...] = (
    LogEI,
    LogNEI,
    UCB,
    PI,
    Thompson,
    IndependentThompson,
    LogEHVI,
    LogNEHVI,
)


def acquisition_names() -> list[str]:
    """Lists the names `acquisition` knows.

    Example:
        >>> acquisition_names()
        ['auto', 'logei', 'lognei', 'ucb', 'pi', 'thompson', 'its', 'logehvi', 'lognehvi']
    """
    return [AUTO, *(cls.name for cls in _CLASSES)]


def acquisition(name: str = AUTO, *, objectives: int = 1) -> Acquisition:
    """Returns the acquisition function of that name.

    Args:
        name: One of `acquisition_names`; ``auto`` is ``logei`` for one objective and
            ``logehvi`` for several.
        objectives: How many objectives there are.

    Raises:
        UnknownNameError: For another name.
        UsageError: Where it is not for that many objectives.

    Example:
        >>> acquisition(objectives=2).name
        'logehvi'
    """
    classes = {cls.name: cls for cls in _CLASSES}
    if name == AUTO:
        name = LogEI.name if objectives == 1 else LogEHVI.name
    if name not in classes:
        raise UnknownNameError.of("acquisition", name, acquisition_names())
    if classes[name].multiple != (objectives > 1):
        fit = [cls.name for cls in _CLASSES if cls.multiple == (objectives > 1)]
        raise UsageError(
            f"Acquisition {name!r} is not for {objectives} objective(s).",
            f"Use one of: {', '.join(fit)}.",
        )
    return classes[name]()


def expected_hypervolume_improvement(
    mean: Float[Tensor, "... P M"],
    std: Float[Tensor, "... P M"],
    lower: Float[Tensor, "K M"],
    upper: Float[Tensor, "K M"],
) -> Float[Tensor, "... P"]:
    """Expected hypervolume that points of independent Gaussian objectives add to a front.

    The part of cell ``k`` that a point dominates has the expected volume
    ``prod_m g(l_km) - g(u_km)`` with ``g(t) = E[max(y_m - t, 0)]`` (Yang et al., 2019, eq. 14),
    which needs no sum over the corners of a cell.

    Args:
        mean: Of each objective; more is better.
        std: Standard deviations.
        lower: Lower bounds of cells that part what the front does not dominate.
        upper: Their upper bounds, which may be infinite.

    Example:
        >>> zero, one = torch.zeros(1, 1), torch.ones(1, 1)
        >>> above_zero = (zero, torch.full((1, 1), torch.inf))
        >>> round(expected_hypervolume_improvement(zero, one, *above_zero).item(), 4)
        0.3989
    """
    volume = torch.ones(*mean.shape[:-1], len(lower), dtype=mean.dtype)
    for m in range(mean.shape[-1]):
        edges, place = torch.cat([lower[:, m], upper[:, m]]).unique(return_inverse=True)
        deviation = std[..., m, None]
        distance = (mean[..., m, None] - edges).clamp(min=torch.finfo(mean.dtype).min)
        u = distance / deviation
        density = torch.exp(-0.5 * u.square()) / math.sqrt(2 * math.pi)
        above = distance * torch.special.ndtr(u) + deviation * density
        volume *= above[..., place[: len(lower)]] - above[..., place[len(lower) :]]
    return volume.clamp(min=0.0).sum(-1)


def _compile_nothing() -> None:
    """Keeps BoTorch from compiling a C++ kernel on first use.

    That takes half a minute, and a lock which a process that is killed meanwhile leaves behind:
    every later one would wait for it for ever. What is chosen would depend on the compiler, too.
    """
    of_botorch._load_attempted = True


def _points(n: int) -> Float[Tensor, "n 1 1"]:
    return torch.arange(n, dtype=torch.float64)[:, None, None]


def _partitioning(now: AcquisitionInputs) -> Any:
    """Untyped: BoTorch's hints ask for the slower of its two classes."""
    return FastNondominatedPartitioning(ref_point=now.reference, Y=now.front)


def _objective(model: PoolModel) -> PoolModel:
    return model if model.num_outputs == 1 else model.subset_output([0])


def _first() -> GenericMCObjective:
    def objective(samples: Tensor, X: Tensor | None = None) -> Tensor:
        return samples[..., 0]

    return GenericMCObjective(objective)


def _log_feasibility(model: PoolModel, n: int, now: AcquisitionInputs) -> Float[Tensor, " n"]:
    """Log-probability of meeting all constraints, averaged over the hyper-parameter samples."""
    total = torch.zeros(n, dtype=torch.float64)
    for bound in now.bounds:
        low, high = max(bound.low, -FARTHEST), min(bound.high, FARTHEST)
        total += model.outputs[bound.output][:n].log_probability(low, high)
    return total
