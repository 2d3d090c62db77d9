"""Surrogates fitted to a history, and the acquisition value of any architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.normal_scores import NormalScores
from ...encoders.feature_sets import Features, FeatureSets
from ...predictors.averaged_gp import NUM_SAMPLES
from ...predictors.gaussian_process import GaussianProcess
from ...predictors.posterior import Posterior
from ...predictors.predictor import Predictor
from ...predictors.residual_transfer import warm_started
from ...predictors.resolver import AUTO, Choice, new_predictor
from ...predictors.source_tasks import TaskFeatures
from ...predictors.transfer_gp import Sources
from ..ranking import rank
from ..trial import History
from .functions import Acquisition
from .inputs import AcquisitionInputs, Bound
from .pool_model import PoolModel

__all__ = ["FittedAcquisition"]

# Candidates whose marginal posterior, and whose joint posterior, is computed in one go.
CHUNK, SHORTLIST = 4096, 512
# Of more candidates than this, as many are valued finely as a first look finds best.
FINE = 2048
# Observed architectures that noisy acquisition functions look at again.
BASELINE = 24
# How much cheaper a lower fidelity is taken to be before one was seen.
UNSEEN_RATIO = 10.0


class FittedAcquisition:
    """Fits one surrogate per measured metric and values candidates by an acquisition function.

    Metrics become normal scores by rank, with more being better for objectives; what can be
    counted is counted, and mapped by the scores of what was observed.

    Args:
        history: At least two trials measured in full.
        encode: Encodes architectures; from earlier tasks that it asks, surrogates start.
        function: The acquisition function.
        surrogate: Name of a predictor, or ``auto`` to choose for each metric.
        choice: The rule that chooses a surrogate, and remembers it; a new one by default.
        fidelity: A lower one whose observations are learnt from too, as a second task.
        per_second: Whether values are per second of predicted evaluation time.
        warm_start: Whether earlier tasks have a say, where there are any.
        seed: Of the surrogates.

    Example:
        >>> from vitruvius.bo.acquisition.functions import acquisition
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Proposal, Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.evaluators import evaluator
        >>> from vitruvius.spaces import space
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> problem = Problem.of(cora, maximize="valid_perf")
        >>> trials = [
        ...     Trial.of(i, Evaluation(cora.space.architecture(row), cora.evaluate(row).metrics))
        ...     for i, row in enumerate(cora.rows[:5].tolist())
        ... ]
        >>> encode = FeatureSets(cora.space)
        >>> fitted = FittedAcquisition(History(problem, trials), encode, acquisition(), seed=0)
        >>> fitted(encode(cora.rows[5:9]), seed=0).shape
        torch.Size([4])
    """

    def __init__(
        self,
        history: History,
        encode: FeatureSets | TaskFeatures,
        function: Acquisition,
        *,
        surrogate: str = "gp",
        choice: Choice | None = None,
        fidelity: int | None = None,
        per_second: bool = False,
        warm_start: bool = True,
        seed: int = 0,
    ) -> None:
        self.problem, self.function = history.problem, function
        self._encode = encode
        self.observed, self.pending = encode(history.x), encode(history.pending)
        signs = {entry.metric: entry.sign for entry in self.problem.objectives}
        for name in self.problem.learned:
            signs.setdefault(name, 1.0)
        self._signs = signs
        num_samples = 1 if self.problem.multiple else NUM_SAMPLES
        self._scores: dict[str, NormalScores] = {}
        self._models: dict[str, Predictor] = {}
        lower = None if fidelity is None else history.at(fidelity)
        data, task = self.observed, torch.zeros(len(self.observed), dtype=torch.long)
        if lower is not None:
            data = data.join(encode(lower.x))
            task = torch.cat([task, torch.ones(len(lower.x), dtype=torch.long)])
        columns = []
        for name, sign in signs.items():
            value = history.values[name] * sign
            self._scores[name] = NormalScores(value)
            z = self._scores[name](value)
            columns.append(z)
            if name in self.problem.learned:
                space = self.problem.space
                kind = surrogate
                if surrogate == AUTO:
                    kind = (choice or Choice(space))(self.observed, value)
                if lower is not None and len(lower.x):
                    low = lower.values[name] * sign
                    z = torch.cat([z, NormalScores(low)(low)])
                model = new_predictor(
                    kind, space, seed=seed, num_samples=num_samples, views=encode.views
                )
                if warm_start and isinstance(encode, TaskFeatures) and name in encode.names:
                    model = warm_started(model, _signed(encode.sources(name), sign))
                self._models[name] = model.fit_scores(data, z, task)
        self._lower = _mean_seconds(lower) if lower is not None else None
        self._full = _mean_seconds(history)
        self._cost = self._fit_cost(history, seed) if per_second else None
        self._thinned = {name: model.thinned() for name, model in self._models.items()}
        count = len(self.problem.objectives)
        self._inputs = AcquisitionInputs(
            torch.stack(columns[:count], 1), history.feasible, self._bounds(), seed
        )
        self._best = rank(history).argsort(stable=True)[:BASELINE]

    def with_pending(self, x: Int[Tensor, "p V"]) -> FittedAcquisition:
        """Returns the same with other architectures pending, without fitting anything.

        Args:
            x: What is being measured.
        """
        other = copy(self)
        other.pending = self._encode(x)
        return other

    @property
    def weights(self) -> dict[str, dict[str, float]]:
        """Share of the votes for every earlier task, by metric."""
        return {name: dict(model.weights) for name, model in self._models.items() if model.weights}

    @property
    def dropped(self) -> dict[str, tuple[str, ...]]:
        """Earlier tasks that were found to mislead, by metric."""
        return {name: model.dropped for name, model in self._models.items() if model.weights}

    def __call__(
        self, candidates: Features, seed: int, known: Bool[Tensor, " C"] | None = None
    ) -> Float[Tensor, " C"]:
        """Values candidates; -inf for those that a first look left out.

        Args:
            candidates: What to choose from.
            seed: Of the Monte-Carlo samples.
            known: Which of them must not be chosen.
        """
        value = torch.zeros(len(candidates), dtype=torch.float64)
        if known is not None:
            value[known] = -math.inf
        if self.function.second_stage and len(candidates) > FINE:
            value += self._marginal(candidates, self._thinned, seed)
            value = self._refine(candidates, value, FINE, self.marginal, seed)
        else:
            value += self.marginal(candidates, seed)
        if self.function.always_joint or (len(self.pending) and self.function.uses_pending):
            value = self._refine(candidates, value, SHORTLIST, self._joint, seed)
        return value

    def marginal(self, candidates: Features, seed: int) -> Float[Tensor, " C"]:
        """Values each candidate by itself.

        Args:
            candidates: What to choose from.
            seed: Of Thompson draws.
        """
        return self._marginal(candidates, self._models, seed)

    def lower(self, candidates: Features, value: Float[Tensor, " C"]) -> Float[Tensor, " C"]:
        """Values candidates at the lower fidelity, given their values at the full one.

        The augmented expected improvement (Huang et al., 2006): the value at the full fidelity,
        times its posterior correlation with the lower one, times how much cheaper that is.

        Args:
            candidates: What to choose from.
            value: Log-values at the full fidelity.
        """
        if not self._models:  # what is counted needs no look
            return torch.full_like(value, -math.inf)
        gain = torch.zeros(len(candidates), dtype=torch.float64)
        for model in self._models.values():
            gain += model.fidelity_correlation(candidates).clamp(min=1e-6).log()
        cheaper = self._full / self._lower if self._full and self._lower else UNSEEN_RATIO
        return value + gain / len(self._models) + math.log(cheaper)

    def predict(
        self, candidates: Features
    ) -> dict[str, tuple[Float[Tensor, " C"], Float[Tensor, " C"]]]:
        """Returns the predicted median and standard deviation of every measured metric.

        Args:
            candidates: What to predict, in the unit of the metric.
        """
        predicted = {}
        for name, model in self._models.items():
            mean, std = model.posterior(candidates).moments()
            inverse, sign = self._scores[name].inverse, self._signs[name]
            width = (inverse(mean + std) - inverse(mean - std)) / 2
            predicted[name] = (sign * inverse(mean), width)
        return predicted

    def _marginal(
        self, candidates: Features, models: Mapping[str, Predictor], seed: int
    ) -> Float[Tensor, " C"]:
        values = [torch.zeros(0, dtype=torch.float64)]
        for start in range(0, len(candidates), CHUNK):
            chunk = candidates[start : start + CHUNK]
            model = self._pool_model(chunk, models, joint=False)
            now = self._inputs.seeded(seed + start)
            value = self.function.marginal(model, len(chunk), now)
            values.append(value - self._log_seconds(chunk))
        return torch.cat(values)

    def _fit_cost(self, history: History, seed: int) -> tuple[Predictor, NormalScores] | None:
        seconds = torch.tensor([trial.seconds for trial in history.ok], dtype=torch.float64)
        if not bool((seconds > 0).all()):
            return None
        scores = NormalScores(seconds.log())
        model = GaussianProcess(self.problem.space, num_samples=1, seed=seed)
        return model.fit_scores(self.observed, scores(seconds.log())), scores

    def _log_seconds(self, candidates: Features) -> Float[Tensor, " C"]:
        if self._cost is None:
            return torch.zeros(len(candidates), dtype=torch.float64)
        model, scores = self._cost
        return scores.inverse(model.posterior(candidates).mean[0])

    def _refine(
        self,
        candidates: Features,
        value: Float[Tensor, " C"],
        n: int,
        how: Callable[[Features, int], Tensor],
        seed: int,
    ) -> Float[Tensor, " C"]:
        """Values the best ``n`` anew, and leaves the others out."""
        short = value.argsort(descending=True, stable=True)[:n]
        short = short[value[short] > -math.inf]
        refined = torch.full_like(value, -math.inf)
        refined[short] = how(candidates[short], seed)
        return refined

    def _joint(self, candidates: Features, seed: int) -> Float[Tensor, " C"]:
        best = self.observed[self._best]
        pool = candidates.join(best).join(self.pending)
        model = self._pool_model(pool, self._models, joint=True)
        count, seen = len(candidates), len(candidates) + len(best)
        value = self.function.joint(
            model,
            count,
            torch.arange(count, seen),
            torch.arange(seen, len(pool)),
            self._inputs.seeded(seed),
        )
        return value - self._log_seconds(candidates)

    def _pool_model(
        self, pool: Features, models: Mapping[str, Predictor], *, joint: bool
    ) -> PoolModel:
        counted = self.problem.exact(pool.x) if len(models) < len(self._signs) else {}
        posteriors = [
            models[name].posterior(pool, joint=joint)
            if name in models
            else Posterior.deterministic(self._scores[name](counted[name] * sign), joint=joint)
            for name, sign in self._signs.items()
        ]
        return PoolModel(posteriors, observation_noise=self.function.observation_noise)

    def _bounds(self) -> tuple[Bound, ...]:
        """Measured constraints in the units of the model."""
        names = list(self._signs)
        bounds = []
        for target in self.problem.constraints.restrict(self.problem.learned):
            edges = torch.tensor([target.low, target.high], dtype=torch.float64)
            edges = (edges * self._signs[target.metric]).clamp(-1e300, 1e300)
            low, high = self._scores[target.metric](edges).sort().values.tolist()
            bounds.append(Bound(names.index(target.metric), low, high))
        return tuple(bounds)


def _signed(sources: Sources, sign: float) -> Sources:
    return replace(sources, scores=lambda data: sign * sources.scores(data))


def _mean_seconds(history: History) -> float:
    return sum(trial.seconds for trial in history.ok) / max(len(history.ok), 1)
