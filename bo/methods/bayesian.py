"""Bayesian optimisation over architectures: surrogate, acquisition, candidates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import UnknownNameError, UsageError
from ...core.seeding import derive_seed, make_generator
from ...encoders.feature_sets import Features, FeatureSets, fitting_sets
from ...generators.generator import Generator
from ...generators.resolver import generator_for
from ...predictors.source_task import SourceTask
from ...predictors.source_tasks import SourceTasks, TaskFeatures
from ...predictors.surrogate_resolver import Choice
from ..acquisition.fitted import FittedAcquisition
from ..acquisition.functions import AUTO, acquisition
from ..method import Scores
from ..problem import Problem
from ..trial import History, Proposal
from .candidate_sources import propose_candidates
from .neighbourhood import fresh_uniform

__all__ = ["BayesianOptimization"]

# Observations before which a surrogate says nothing, and before which none can tell which earlier
# tasks to believe.
FEWEST, AGREED = 2, 3
FULL, LOWER = "full", "lower-first"


class BayesianOptimization:
    """Chooses by an acquisition function on Gaussian processes over views of the DAG.

    One decision:

    1. Every measured metric becomes normal scores by rank, and an `AveragedGP` is fitted to them;
       what can be counted is counted.
    2. Candidates are the whole space where that is small enough; otherwise what the graph-diffusion
       generator proposes under guidance by the acquisition value, and mutations of the best so far.
    3. All are valued by their marginal posterior, in chunks; the best 512 by the joint posterior
       with what is pending, where anything is (or the acquisition function looks at noise).

    Args:
        surrogate: ``gp``; ``average``, its mixture with graph networks, which costs three times as
            much; ``deep-kernel``, ``ensemble``, ``latent``; or ``auto`` to choose by
            cross-validated rank correlation whenever the number of observations has doubled.
        acquisition: ``auto``, ``logei``, ``lognei``, ``ucb``, ``pi``, ``thompson``, ``its``; for
            several objectives ``logehvi`` or ``lognehvi``.
        views: What kernels compare, of `vitruvius.encoders.encoder_names`, joined by ``+``; by
            default choices, counts, and paths; counts of neighbourhoods instead of paths where the
            space lets the wiring be chosen.
        generator: Source of proposals in large spaces; as for `vitruvius.sample`.
        sources: Where candidates come from in large spaces, of ``diffusion``, ``mutation``,
            ``uniform``, joined by ``+``.
        pool: Most candidates of each source.
        fidelity: ``full``, or ``lower-first``: each decision is also about the evaluator's lowest
            fidelity, which is learnt from as a second task and taken where it tells more for what
            it costs.
        per_second: Whether improvement counts per second of predicted evaluation time.
        tasks: Earlier tasks on the same space, which are believed as far as labels bear them out
            (see `TransferGP`); the first three proposals are what they agree is best. From the
            fifth on every other one leaves them out, as what they lead to cannot tell what they
            lead away from.

    Raises:
        UnknownNameError: For an unknown acquisition function, view, generator or source.

    Example:
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params", where="depth>=5")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> BayesianOptimization().propose(History(problem, trials), seed=0).source
        'exhaustive'
    """

    name: ClassVar[str] = "bo"

    def __init__(
        self,
        *,
        surrogate: str = "gp",
        acquisition: str = AUTO,
        views: str = AUTO,
        generator: str | Generator = "auto",
        sources: str = "diffusion+mutation",
        pool: int = 1000,
        fidelity: str = FULL,
        per_second: bool = False,
        tasks: SourceTasks | Sequence[SourceTask] = (),
    ) -> None:
        if fidelity not in (FULL, LOWER):
            raise UnknownNameError.of("fidelity", fidelity, (FULL, LOWER))
        if fidelity == LOWER and surrogate in ("auto", "average", "ensemble"):
            raise UsageError(
                f"The surrogate {surrogate!r} does not know how fidelities depend on each other.",
                "Use gp or deep-kernel.",
            )
        self.fidelity, self.per_second = fidelity, per_second
        self.surrogate, self.acquisition = surrogate, acquisition
        self.generator, self.pool, self.views = generator, pool, views
        self.tasks = tasks if isinstance(tasks, SourceTasks) else SourceTasks(tasks)
        self.sources = tuple(part.strip() for part in sources.split("+"))
        self._last: _Setting | None = None

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < (AGREED if self.tasks else FEWEST):
            return self._agreed(history, seed) or fresh_uniform(history, seed)
        ignores_sources = len(history) > AGREED and len(history) % 2 == 0
        judge = self.judge(history, warm_start=not ignores_sources)
        setting = self._setting(history.problem)
        if setting.whole is not None:
            candidates, hashes = setting.whole, setting.hashes
            sources: Sequence[str] = ["exhaustive"] * len(hashes)
        else:
            candidates, sources = self._candidates(history, judge, seed)
            hashes = history.problem.space.hashes(candidates.x)
        known = torch.isin(hashes, history.proposed(None))
        if bool(known.all()):
            return fresh_uniform(history, seed)
        value = judge(candidates, seed, known)
        best = int(value.argmax())
        proposal = Proposal(tuple(candidates.x[best].tolist()), sources[best])
        lower = self._lower(history.problem)
        if lower is None:
            return proposal
        left = (value > -math.inf) & ~torch.isin(hashes, history.proposed(lower))
        if not bool(left.any()):
            return proposal
        index = left.nonzero()[:, 0]
        cheap = judge.lower(candidates[index], value[index])
        if float(cheap.max()) <= float(value[best]):
            return proposal
        best = int(index[cheap.argmax()])
        return Proposal(tuple(candidates.x[best].tolist()), sources[best], lower)

    def judge(self, history: History, *, warm_start: bool = True) -> FittedAcquisition:
        """Fits surrogates to a history, ready to predict and to value any architecture.

        Args:
            history: At least two trials measured in full.
            warm_start: Whether earlier tasks have a say.
        """
        function = acquisition(self.acquisition, objectives=len(history.problem.objectives))
        if (self.per_second or self.fidelity == LOWER) and not function.logarithmic:
            raise UsageError(
                f"Acquisition {function.name!r} is no logarithm, which costs could be taken from.",
                "Use one whose name begins with log.",
            )
        seed = derive_seed(0, "surrogate", len(history.ok))
        views = self._setting(history.problem).views
        return FittedAcquisition(
            history,
            views,
            function,
            model=self.surrogate,
            choice=self._setting(history.problem).choice,
            fidelity=self._lower(history.problem),
            per_second=self.per_second,
            warm_start=warm_start,
            seed=seed,
        )

    def score(self, history: History, x: Int[Tensor, "P V"], seed: int) -> Scores:
        judge = self.judge(history)
        candidates = self._setting(history.problem).views(x)
        return Scores(judge.marginal(candidates, seed), judge.predict(candidates))

    def report(self, history: History) -> dict[str, Any]:
        """Tells which earlier tasks are believed, by metric, and which were dropped.

        Args:
            history: All trials.
        """
        if not self.tasks or len(history.ok) < FEWEST:
            return {}
        judge = self.judge(history)
        return {
            "warm_start": {
                name: {"weights": weights, "dropped": list(judge.dropped[name])}
                for name, weights in judge.weights.items()
            }
        }

    def _agreed(self, history: History, seed: int) -> Proposal | None:
        """The new architecture that earlier tasks lead to expect most of."""
        told = [each for each in history.problem.objectives if self.tasks.having(each.metric)]
        if not told:
            return None
        x = history.problem.whole()
        if x is None:
            x = history.problem.space.sample(self.pool, make_generator(seed))
        x = history.fresh(x)
        if not len(x):
            return None
        scores = torch.stack([each.sign * self.tasks.prior(each.metric, x)[0] for each in told])
        return Proposal(tuple(x[int(scores.sum(0).argmax())].tolist()), "warm start")

    def _lower(self, problem: Problem) -> int | None:
        """The fidelity to look at first, where one is asked for and there is one."""
        there = problem.evaluator.fidelities if problem.evaluator is not None else ()
        return there[0] if self.fidelity == LOWER and there else None

    def _setting(self, problem: Problem) -> _Setting:
        if self._last is None or self._last.problem is not problem:
            names = tuple(part.strip() for part in self.views.split("+"))
            if self.views == AUTO:
                names = fitting_sets(problem.space)
            views = FeatureSets(problem.space, names)
            self._last = _Setting(
                problem, TaskFeatures(views, self.tasks, problem.learned) if self.tasks else views
            )
        return self._last

    def _candidates(
        self, history: History, judge: FittedAcquisition, seed: int
    ) -> tuple[Features, Sequence[str]]:
        views = self._setting(history.problem).views

        def value(x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
            return judge.marginal(views(x), seed)

        if isinstance(self.generator, str):
            self.generator = generator_for(history.problem.space, self.generator)
        x, sources = propose_candidates(
            history, value, self.generator, self.sources, self.pool, seed
        )
        lower = self._lower(history.problem)
        if lower is not None:
            # What was looked at cheaply may be evaluated in full.
            looked = history.at(lower).x
            x, sources = torch.cat([x, looked]), [*sources, *["lower fidelity"] * len(looked)]
        return views(x), sources


class _Setting:
    """What is computed once for a problem."""

    def __init__(self, problem: Problem, views: FeatureSets | TaskFeatures) -> None:
        self.problem, self.views, self.choice = problem, views, Choice(problem.space)

    @cached_property
    def whole(self) -> Features | None:
        """All that can be proposed, where that is few enough."""
        x = self.problem.whole()
        return None if x is None else self.views(x[self.problem.possible(x)])

    @cached_property
    def hashes(self) -> Int[Tensor, " A"]:
        """Hashes of those."""
        assert self.whole is not None
        return self.problem.space.hashes(self.whole.x)
