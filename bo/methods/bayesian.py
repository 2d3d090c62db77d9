"""Bayesian optimisation over architectures: surrogate, acquisition, candidates."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...core.errors import UnknownNameError, UsageError
from ...core.seeding import derive_seed
from ...encoders.feature_sets import Features, FeatureSets, feature_sets_of, fitting_sets
from ...encoders.view import KEPT, View, views_of
from ...generators.generator import Generator
from ...generators.resolver import generator_for
from ...predictors.resolver import Choice, new_predictor, predictors_that
from ...predictors.source_task import SourceTask
from ...predictors.source_tasks import SourceTasks, TaskFeatures
from ..acquisition.fitted import FittedAcquisition
from ..acquisition.functions import AUTO, acquisition
from ..method import Scores
from ..problem import Problem
from ..trial import History, Proposal
from .neighbourhood import fresh_draws, fresh_uniform
from .sources.gather import propose_candidates
from .sources.resolver import sources_of
from .sources.source import Asked

__all__ = ["BayesianOptimization"]

_SAY = logging.getLogger(__name__)

# Observations before which a surrogate says nothing, and before which none can tell which earlier
# tasks to believe.
FEWEST, AGREED = 2, 3
# Candidates that are viewed where views take a computation, and the surrogate that chooses them.
VIEWED, FIRST = 64, "gp"
FULL, LOWER = "full", "lower-first"
# Sources of candidates unless told otherwise: in spaces that nobody labelled a generator knows
# nothing of what is good that the surrogate does not (`benchmarks/large_search.py`).
MUTATED, GUIDED = "mutation", "diffusion"


class BayesianOptimization:
    """Chooses by an acquisition function on surrogates, by default Gaussian processes.

    One decision:

    1. Every measured metric becomes normal scores by rank, and a surrogate is fitted to them; what
       can be counted is counted.
    2. Candidates are the whole space where that is small enough; otherwise mutations of the best so
       far, the best of which climb the acquisition value to better neighbours.
    3. Where views take a computation each, such as proxies, a Gaussian process that does without
       chooses the 64 that are viewed.
    4. All are valued by their marginal posterior, in chunks; the best 512 by the joint posterior
       with what is pending, where anything is (or the acquisition function looks at noise).

    Args:
        surrogate: One of `vitruvius.predictors.predictor_names`, options included: ``gp``;
            ``average``, its mixture with graph networks, which costs three times as much; or
            ``auto`` to choose by cross-validated rank correlation whenever the number of
            observations has doubled.
        acquisition: ``auto``, ``logei``, ``lognei``, ``ucb``, ``pi``, ``thompson``, ``its``; for
            several objectives ``logehvi`` or ``lognehvi``.
        features: What kernels compare, of `vitruvius.encoders.encoder_names`, joined by ``+``; by
            default choices, counts, paths and subset paths; counts of neighbourhoods instead of
            paths where the space lets the wiring be chosen.
        views: Evaluators of cheap metrics that kernels compare, too, and whose trend is in the mean
            function: as text, such as ``proxy:naswot+synflow``, or `View` objects.
        generator: What sources that generate ask in large spaces; as for `vitruvius.sample`.
        sources: Where candidates come from in large spaces, of
            `vitruvius.bo.methods.sources.resolver.SOURCES`, joined by ``+``; by default mutations
            and, where a generator is given, what it proposes under guidance by the acquisition
            value.
        pool: Most candidates of each source.
        climbers: How many of the best candidates climb the acquisition value to better neighbours;
            0 for none.
        fidelity: ``full``, or ``lower-first``: each decision is also about the evaluator's lowest
            fidelity, which is learnt from as a second task and taken where it tells more for what
            it costs; for surrogates that declare ``learns_fidelities``.
        per_second: Whether improvement counts per second of predicted evaluation time.
        tasks: Earlier tasks on the same space, which are believed as far as labels bear them out
            (see `TransferGP` and `ResidualTransfer`); the first three proposals are what they agree
            is best. From the fifth on every other one leaves them out, as what they lead to cannot
            tell what they lead away from.

    Raises:
        UnknownNameError: For an unknown acquisition function, encoder, generator or source.
        UsageError: For a surrogate that does not learn fidelities where it should, or fewer than no
            climbers.

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
        features: str = AUTO,
        views: str | Sequence[str | View] = (),
        generator: str | Generator = "auto",
        sources: str = AUTO,
        pool: int = 1000,
        climbers: int = 12,
        fidelity: str = FULL,
        per_second: bool = False,
        tasks: SourceTasks | Sequence[SourceTask] = (),
    ) -> None:
        if fidelity not in (FULL, LOWER):
            raise UnknownNameError.of("fidelity", fidelity, (FULL, LOWER))
        able = [AUTO, *predictors_that("learns_fidelities")]
        if fidelity == LOWER and surrogate.partition(":")[0] not in able:
            raise UsageError(
                f"The surrogate {surrogate!r} does not know how fidelities depend on each other.",
                f"Use one of: {', '.join(able)}.",
            )
        if climbers < 0:
            raise UsageError(f"`climbers` must be 0 or more, got {climbers}.", "Try 12.")
        self.fidelity, self.per_second = fidelity, per_second
        self.surrogate, self.acquisition = surrogate, acquisition
        self.generator, self.pool, self.climbers = generator, pool, climbers
        self.features, self.views = features, views
        self.tasks = tasks if isinstance(tasks, SourceTasks) else SourceTasks(tasks)
        if sources == AUTO:
            sources = MUTATED if generator == AUTO else f"{GUIDED}+{MUTATED}"
        self.sources = sources_of(sources)
        self._last: _Prepared | None = None
        self._file: Path | None = None
        # The fits to the last history, with and without earlier tasks and views.
        self._fits: dict[tuple[bool, bool], tuple[object, FittedAcquisition]] = {}

    def check(self, problem: Problem) -> None:
        """Looks encoders, views, surrogate and acquisition function up.

        Args:
            problem: What is searched for.

        Raises:
            UnknownNameError: For one that there is not.
            UsageError: For options that cannot be read, or an acquisition function for another
                number of objectives.
        """
        acquisition(self.acquisition, objectives=len(problem.objectives))
        names = self._names(problem)
        views = views_of(problem.space, self.views)
        feature_sets_of(problem.space, names)
        if self.surrogate != AUTO:
            new_predictor(self.surrogate, problem.space, views=views)

    def keep_in(self, folder: Path) -> None:
        """Keeps what views compute.

        Args:
            folder: Of the run.
        """
        self._file = folder / KEPT

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < (AGREED if self.tasks else FEWEST):
            return self._agreed(history, seed) or fresh_uniform(history, seed)
        warm_start = len(history) <= AGREED or len(history) % 2 == 1
        prepared = self._prepared(history.problem)
        fitted = self.fitted(history, warm_start=warm_start, viewed=not prepared.costly)
        if prepared.whole is not None:
            self._say_what_has_no_effect()
            candidates, hashes = prepared.whole, prepared.hashes
            sources: Sequence[str] = ["exhaustive"] * len(hashes)
        else:
            candidates, sources = self._candidates(history, fitted, seed)
            hashes = history.problem.space.hashes(candidates.x)
        known = torch.isin(hashes, history.proposed(None))
        if bool(known.all()):
            return fresh_uniform(history, seed)
        value = fitted(candidates, seed, known)
        if prepared.costly:
            viewed = value.argsort(descending=True, stable=True)[:VIEWED]
            viewed = viewed[value[viewed] > -math.inf]
            candidates, hashes = prepared.encode(candidates.x[viewed]), hashes[viewed]
            sources = [sources[i] for i in viewed.tolist()]
            fitted = self.fitted(history, warm_start=warm_start)
            value = fitted(candidates, seed)
        best = int(value.argmax())
        proposal = Proposal(tuple(candidates.x[best].tolist()), sources[best])
        lower = self._lower(history.problem)
        if lower is None:
            return proposal
        left = (value > -math.inf) & ~torch.isin(hashes, history.proposed(lower))
        if not bool(left.any()):
            return proposal
        index = left.nonzero()[:, 0]
        cheap = fitted.lower(candidates[index], value[index])
        if float(cheap.max()) <= float(value[best]):
            return proposal
        best = int(index[cheap.argmax()])
        return Proposal(tuple(candidates.x[best].tolist()), sources[best], lower)

    def fitted(
        self, history: History, *, warm_start: bool = True, viewed: bool = True
    ) -> FittedAcquisition:
        """Fits surrogates to a history, ready to predict and to value any architecture.

        Where only what is pending differs from the history before, nothing is fitted again.

        Args:
            history: At least two trials measured in full.
            warm_start: Whether earlier tasks have a say.
            viewed: Whether views have.
        """
        problem, prepared = history.problem, self._prepared(history.problem)
        warm_start = warm_start and bool(self.tasks)
        key = (
            problem.space,
            problem.objectives,
            problem.constraints,
            problem.evaluator,
            self.tasks,
            [trial for trial in history.trials if trial.status == "ok"],
        )
        before = self._fits.get((warm_start, viewed))
        if before is not None and before[0] == key:
            return before[1].with_pending(history.pending)
        function = acquisition(self.acquisition, objectives=len(problem.objectives))
        if (self.per_second or self.fidelity == LOWER) and not function.logarithmic:
            raise UsageError(
                f"Acquisition {function.name!r} is no logarithm, which costs could be taken from.",
                "Use one whose name begins with log.",
            )
        made = FittedAcquisition(
            history,
            prepared.encode if viewed else prepared.plain,
            function,
            surrogate=self.surrogate if viewed else FIRST,
            choice=prepared.choice,
            fidelity=self._lower(problem),
            per_second=self.per_second,
            warm_start=warm_start,
            seed=derive_seed(0, "surrogate", len(history.ok)),
        )
        self._fits[warm_start, viewed] = key, made
        return made

    def score(self, history: History, x: Int[Tensor, "P V"], seed: int) -> Scores:
        fitted = self.fitted(history)
        candidates = self._prepared(history.problem).encode(x)
        return Scores(fitted.marginal(candidates, seed), fitted.predict(candidates))

    def report(self, history: History) -> dict[str, Any]:
        """Tells which earlier tasks are believed, by metric, and which were dropped.

        Args:
            history: All trials.
        """
        if not self.tasks or len(history.ok) < FEWEST:
            return {}
        fitted = self.fitted(history)
        return {
            "warm_start": {
                name: {"weights": weights, "dropped": list(fitted.dropped[name])}
                for name, weights in fitted.weights.items()
            }
        }

    def _say_what_has_no_effect(self) -> None:
        if isinstance(self.generator, str) and self.generator != AUTO:
            _SAY.warning(
                "The generator %s has no effect: all that may be proposed is scored.",
                self.generator,
            )

    def _agreed(self, history: History, seed: int) -> Proposal | None:
        """The new architecture that earlier tasks lead to expect most of."""
        told = [each for each in history.problem.objectives if self.tasks.having(each.metric)]
        if not told:
            return None
        x = history.problem.whole()
        if x is None:
            x = fresh_draws(history, self.pool, seed)
        x = history.fresh(x)
        if not len(x):
            return None
        scores = torch.stack([each.sign * self.tasks.prior(each.metric, x)[0] for each in told])
        return Proposal(tuple(x[int(scores.sum(0).argmax())].tolist()), "warm start")

    def _lower(self, problem: Problem) -> int | None:
        """The fidelity to look at first, where one is asked for and there is one."""
        there = problem.evaluator.fidelities if problem.evaluator is not None else ()
        return there[0] if self.fidelity == LOWER and there else None

    def _prepared(self, problem: Problem) -> _Prepared:
        last = self._last
        if last is None or last.problem is not problem:
            names = self._names(problem)
            views = views_of(problem.space, self.views, self._file)
            if last is not None and last.problem.space is problem.space:
                views = last.encode.views
            encode, plain = (
                TaskFeatures(sets, self.tasks, problem.learned) if self.tasks else sets
                for sets in (
                    feature_sets_of(problem.space, names, views),
                    feature_sets_of(problem.space, names),
                )
            )
            capability = "learns_fidelities" if self._lower(problem) is not None else None
            choice = Choice(problem.space, capability)
            if last is not None and last.problem.space is problem.space:
                choice = last.choice
            last = self._last = _Prepared(problem, encode, plain, choice)
        return last

    def _names(self, problem: Problem) -> tuple[str, ...]:
        """The encoders whose features kernels compare."""
        if self.features == AUTO:
            return fitting_sets(problem.space)
        return tuple(part.strip() for part in self.features.split("+"))

    def _candidates(
        self, history: History, fitted: FittedAcquisition, seed: int
    ) -> tuple[Features, Sequence[str]]:
        encode = self._prepared(history.problem).first

        def value(x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
            return fitted.marginal(encode(x), seed)

        if isinstance(self.generator, str):
            self.generator = generator_for(history.problem.space, self.generator)
        asked = Asked(history, value, self.generator)
        x, sources = propose_candidates(
            asked, self.sources, self.pool, seed, climbers=self.climbers
        )
        lower = self._lower(history.problem)
        if lower is not None:
            # What was looked at cheaply may be evaluated in full.
            looked = history.at(lower).x
            x, sources = torch.cat([x, looked]), [*sources, *["lower fidelity"] * len(looked)]
        return encode(x), sources


class _Prepared:
    """What is computed once for a problem."""

    def __init__(
        self,
        problem: Problem,
        encode: FeatureSets | TaskFeatures,
        plain: FeatureSets | TaskFeatures,
        choice: Choice,
    ) -> None:
        self.problem, self.encode, self.plain, self.choice = problem, encode, plain, choice
        self.costly = any(view.costly for view in encode.views)
        # What is asked of all candidates.
        self.first = plain if self.costly else encode

    @cached_property
    def whole(self) -> Features | None:
        """All that can be proposed, where that is few enough."""
        x = self.problem.whole()
        return None if x is None else self.first(x[self.problem.possible(x)])

    @cached_property
    def hashes(self) -> Int[Tensor, " A"]:
        """Hashes of those."""
        assert self.whole is not None
        return self.problem.space.hashes(self.whole.x)
