"""Judge: surrogates fitted to a history, and the acquisition value of any architecture."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..predictors.predictor import NormalScores
from .acquisition import Acquisition, Bound, Situation
from .ranking import rank
from .surrogates.averaged_gp import KEPT
from .surrogates.pool_model import Belief, Known, PoolModel
from .surrogates.resolver import AUTO, Surrogate, choose, surrogate
from .surrogates.views import Encoded, Views
from .trial import History

__all__ = ["Judge"]

# Candidates whose marginal posterior, and whose joint posterior, is computed in one go.
CHUNK, SHORTLIST = 4096, 512
# Of more candidates than this, as many are valued finely as a first look finds best.
FINE = 2048
# Observed architectures that noisy acquisition functions look at again.
BASELINE = 24


class Judge:
    """Fits one surrogate per measured metric and values candidates by an acquisition function.

    Metrics become normal scores by rank, with more being better for objectives; what can be
    counted is counted, and mapped by the scores of what was observed.

    Args:
        history: At least two trials measured in full.
        views: Encodes architectures.
        function: The acquisition function.
        model: Name of a surrogate, or ``auto`` to choose for each metric.
        seed: Of the settings of the surrogates.

    Example:
        >>> from vitruvius.bo.acquisition import acquisition
        >>> from vitruvius.bo.problem import Problem
        >>> from vitruvius.bo.trial import Proposal, Trial
        >>> from vitruvius.evaluators import evaluator
        >>> from vitruvius.spaces import space
        >>> cora = evaluator(space("nas-bench-graph"), "cora")
        >>> problem = Problem.of(cora, maximize="valid_perf")
        >>> trials = [
        ...     Trial(i, Proposal(tuple(row), "initial"), "ok", cora.evaluate(row).metrics)
        ...     for i, row in enumerate(cora.rows[:5].tolist())
        ... ]
        >>> views = Views(cora.space)
        >>> judge = Judge(History(problem, trials), views, acquisition(), seed=0)
        >>> judge(views(cora.rows[5:9]), seed=0).shape
        torch.Size([4])
    """

    def __init__(
        self,
        history: History,
        views: Views,
        function: Acquisition,
        *,
        model: str = "gp",
        seed: int = 0,
    ) -> None:
        self.problem, self.function = history.problem, function
        self.observed = views(history.x)
        self.pending = views(history.pending)
        signs = {entry.metric: entry.sign for entry in self.problem.objectives}
        for name in self.problem.learned:
            signs.setdefault(name, 1.0)
        self._signs = signs
        kept = 1 if self.problem.multiple else KEPT
        self._scores: dict[str, NormalScores] = {}
        self._processes: dict[str, Surrogate] = {}
        columns = []
        for name, sign in signs.items():
            value = history.values[name] * sign
            self._scores[name] = NormalScores(value)
            columns.append(self._scores[name](value))
            if name in self.problem.learned:
                space = self.problem.space
                kind = choose(space, self.observed, columns[-1]) if model == AUTO else model
                process = surrogate(kind, space, kept=kept, seed=seed)
                self._processes[name] = process.fit(self.observed, columns[-1])
        self._coarse = {name: process.coarse() for name, process in self._processes.items()}
        count = len(self.problem.objectives)
        self._situation = Situation(
            torch.stack(columns[:count], 1), history.feasible, self._bounds(), seed
        )
        self._best = rank(history).argsort(stable=True)[:BASELINE]

    def __call__(
        self, candidates: Encoded, seed: int, known: Bool[Tensor, " C"] | None = None
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
        if self.function.refines and len(candidates) > FINE:
            value += self._marginal(candidates, self._coarse, seed)
            value = self._refine(candidates, value, FINE, self.marginal, seed)
        else:
            value += self.marginal(candidates, seed)
        if self.function.always_joint or (len(self.pending) and self.function.pends):
            value = self._refine(candidates, value, SHORTLIST, self._joint, seed)
        return value

    def marginal(self, candidates: Encoded, seed: int) -> Float[Tensor, " C"]:
        """Values each candidate by itself.

        Args:
            candidates: What to choose from.
            seed: Of Thompson draws.
        """
        return self._marginal(candidates, self._processes, seed)

    def predict(
        self, candidates: Encoded
    ) -> dict[str, tuple[Float[Tensor, " C"], Float[Tensor, " C"]]]:
        """Returns the predicted median and standard deviation of every measured metric.

        Args:
            candidates: What to predict, in the unit of the metric.
        """
        predicted = {}
        for name, process in self._processes.items():
            means, variances = process.marginals(candidates)
            mean = means.mean(0)
            std = (variances + (means - mean).square()).mean(0).sqrt()
            inverse, sign = self._scores[name].inverse, self._signs[name]
            width = (inverse(mean + std) - inverse(mean - std)) / 2
            predicted[name] = (sign * inverse(mean), width)
        return predicted

    def _marginal(
        self, candidates: Encoded, processes: Mapping[str, Belief], seed: int
    ) -> Float[Tensor, " C"]:
        values = [torch.zeros(0, dtype=torch.float64)]
        for start in range(0, len(candidates), CHUNK):
            chunk = candidates[start : start + CHUNK]
            model = PoolModel(chunk, self._beliefs(chunk, processes), correlated=False)
            now = self._situation.seeded(seed + start)
            values.append(self.function.marginal(model, len(chunk), now))
        return torch.cat(values)

    def _refine(
        self,
        candidates: Encoded,
        value: Float[Tensor, " C"],
        n: int,
        how: Callable[[Encoded, int], Tensor],
        seed: int,
    ) -> Float[Tensor, " C"]:
        """Values the best ``n`` anew, and leaves the others out."""
        short = value.argsort(descending=True, stable=True)[:n]
        short = short[value[short] > -math.inf]
        refined = torch.full_like(value, -math.inf)
        refined[short] = how(candidates[short], seed)
        return refined

    def _joint(self, candidates: Encoded, seed: int) -> Float[Tensor, " C"]:
        best = self.observed[self._best]
        pool = candidates.join(best).join(self.pending)
        model = PoolModel(pool, self._beliefs(pool, self._processes))
        count, seen = len(candidates), len(candidates) + len(best)
        return self.function.joint(
            model,
            count,
            torch.arange(count, seen),
            torch.arange(seen, len(pool)),
            self._situation.seeded(seed),
        )

    def _beliefs(self, pool: Encoded, processes: Mapping[str, Belief]) -> list[Belief]:
        counted = self.problem.exact(pool.x) if len(self._processes) < len(self._signs) else {}
        return [
            processes[name]
            if name in processes
            else Known(self._scores[name](counted[name] * sign))
            for name, sign in self._signs.items()
        ]

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
