"""Bayesian optimisation over architectures: surrogate, acquisition, candidates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._seeding import derive_seed
from ..generators.generator import Generator
from ..generators.resolver import generator_for
from .acquisition import AUTO, acquisition
from .candidates import propose_candidates
from .judge import Judge
from .methods._candidates import fresh_uniform
from .problem import Problem
from .surrogates.views import DEFAULT, Encoded, Views
from .trial import History, Proposal

__all__ = ["BayesianOptimization"]

# Observations before which a surrogate says nothing.
FEWEST = 2


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
        surrogate: ``gp``, ``deep-kernel``, ``ensemble``, or ``auto`` to choose by cross-validated
            rank correlation whenever the number of observations has doubled.
        acquisition: ``auto``, ``logei``, ``lognei``, ``ucb``, ``pi``, ``thompson``, ``its``; for
            several objectives ``logehvi`` or ``lognehvi``.
        views: What kernels compare, of `surrogates.views.VIEWS`, joined by ``+``.
        generator: Source of proposals in large spaces; as for `vitruvius.sample`.
        sources: Where candidates come from in large spaces, of ``diffusion``, ``mutation``,
            ``uniform``, joined by ``+``.
        pool: Most candidates of each source.

    Raises:
        UnknownNameError: For an unknown acquisition function, view, generator or source.

    Example:
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params", where="depth>=5")
        >>> rows = map(tuple, cells.sample(5, 0).tolist())
        >>> trials = [Trial(i, Proposal(row, "initial"), "ok") for i, row in enumerate(rows)]
        >>> BayesianOptimization().propose(History(problem, trials), seed=0).source
        'exhaustive'
    """

    name: ClassVar[str] = "bo"

    def __init__(
        self,
        *,
        surrogate: str = "gp",
        acquisition: str = AUTO,
        views: str = "+".join(DEFAULT),
        generator: str | Generator = "auto",
        sources: str = "diffusion+mutation",
        pool: int = 1000,
    ) -> None:
        self.surrogate, self.acquisition = surrogate, acquisition
        self.generator, self.pool = generator, pool
        self.views = tuple(part.strip() for part in views.split("+"))
        self.sources = tuple(part.strip() for part in sources.split("+"))
        self._last: _Setting | None = None

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < FEWEST:
            return fresh_uniform(history, seed)
        judge = self.judge(history)
        setting = self._setting(history.problem)
        if setting.whole is not None:
            known = torch.isin(setting.hashes, history.hashes)
            if bool(known.all()):
                return None
            return _best(judge(setting.whole, seed, known), setting.whole, ["exhaustive"])
        candidates, sources = self._candidates(history, judge, seed)
        if not len(candidates):
            return fresh_uniform(history, seed)
        return _best(judge(candidates, seed), candidates, sources)

    def judge(self, history: History) -> Judge:
        """Fits surrogates to a history, ready to predict and to value any architecture.

        Args:
            history: At least two trials measured in full.
        """
        function = acquisition(self.acquisition, objectives=len(history.problem.objectives))
        seed = derive_seed(0, "surrogate", len(history.ok))
        views = self._setting(history.problem).views
        return Judge(history, views, function, model=self.surrogate, seed=seed)

    def _setting(self, problem: Problem) -> _Setting:
        if self._last is None or self._last.problem is not problem:
            self._last = _Setting(problem, Views(problem.space, self.views))
        return self._last

    def _candidates(
        self, history: History, judge: Judge, seed: int
    ) -> tuple[Encoded, Sequence[str]]:
        views = self._setting(history.problem).views

        def value(x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
            return judge.marginal(views(x), seed)

        if isinstance(self.generator, str):
            self.generator = generator_for(history.problem.space, self.generator)
        x, sources = propose_candidates(
            history, value, self.generator, self.sources, self.pool, seed
        )
        return views(x), sources


def _best(value: Float[Tensor, " C"], candidates: Encoded, sources: Sequence[str]) -> Proposal:
    """The candidate of the highest value; a single source is everybody's."""
    best = int(value.argmax())
    source = sources[best] if len(sources) > 1 else sources[0]
    return Proposal(tuple(candidates.x[best].tolist()), source)


class _Setting:
    """What is computed once for a problem."""

    def __init__(self, problem: Problem, views: Views) -> None:
        self.problem, self.views = problem, views

    @cached_property
    def whole(self) -> Encoded | None:
        """All that can be proposed, where that is few enough."""
        x = self.problem.whole()
        return None if x is None else self.views(x[self.problem.possible(x)])

    @cached_property
    def hashes(self) -> Int[Tensor, " A"]:
        """Hashes of those."""
        assert self.whole is not None
        return self.problem.space.hashes(self.whole.x)
