"""RoBoT: one weighted sum of zero-cost proxies, its weights by Bayesian optimisation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import UsageError
from ...core.normal_scores import NormalScores
from ...core.seeding import derive_seed
from ...encoders.view import KEPT, View, views_of
from ..draws import draw_possible
from ..problem import Problem
from ..ranking import merit
from ..trial import History, Proposal
from .neighbourhood import fresh_uniform

__all__ = ["RoBoT"]

# Weights that are looked at for each of a search.
WEIGHTS = 1024
# Squared length scale of the process over weights of one proxy, and its noise.
SCALE, NOISE = 0.5, 1e-3


class RoBoT:
    """Searches for the weights of proxies, and then believes them (He et al., ICLR 2024).

    1. Proxies of all that may be proposed, or of ``pool`` draws, are scaled to lie between 0 and 1.
    2. A Gaussian process over their weights chooses some by an upper confidence bound; weights are
       worth what the architecture is worth that has the largest weighted sum.
    3. After ``rounds`` of that, architectures are evaluated by falling sum of the best weights.

    Args:
        views: Evaluators of the proxies: as text, such as ``proxy:naswot+synflow``, or views.
        rounds: Weights that are tried; those whose architecture is known already cost nothing.
        pool: Architectures that are drawn where each view takes a computation, or where there are
            more than can be listed.
        beta: Deviations above the mean in the bound.

    Raises:
        UsageError: Without views.

    Example:
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> method = RoBoT(views="proxy:l2_norm;batch=2", pool=5)
        >>> method.propose(History(problem, []), seed=0).source
        'weights'
    """

    name: ClassVar[str] = "robot"
    initial: ClassVar[int] = 0

    def __init__(
        self,
        *,
        views: str | Sequence[str | View] = "proxy",
        rounds: int = 20,
        pool: int = 200,
        beta: float = 2.0,
    ) -> None:
        if not views:
            raise UsageError("RoBoT needs proxies.", "Give some, e.g. views=[proxy:naswot+snip].")
        self.views, self.rounds, self.pool, self.beta = views, rounds, pool, beta
        self._file: Path | None = None
        self._last: tuple[Problem, Tensor, Tensor, Tensor] | None = None

    def check(self, problem: Problem) -> None:
        """Looks the views up.

        Args:
            problem: What is searched for.

        Raises:
            UnknownNameError: For an evaluator or proxy that there is not.
        """
        views_of(problem.space, self.views)

    def keep_in(self, folder: Path) -> None:
        """Keeps what views compute.

        Args:
            folder: Of the run.
        """
        self._file = folder / KEPT

    def propose(self, history: History, seed: int) -> Proposal | None:
        problem = history.problem
        x, hashes, scores = self._prepared(problem)
        if not len(x):
            return fresh_uniform(history, seed)
        proposed = set(history.hashes.tolist())
        worth = dict(
            zip(problem.space.hashes(history.x).tolist(), merit(history).tolist(), strict=True)
        )
        tried: list[Tensor] = []
        values: list[float] = []
        for number in range(self.rounds):
            weight = self._next(scores.shape[1], tried, values, number)
            best = int((scores @ weight).argmax())
            key = int(hashes[best])
            if key not in proposed:
                return Proposal(tuple(x[best].tolist()), "weights")
            # What failed or is not back is worth no more than anything else.
            values.append(worth.get(key, min(worth.values(), default=0.0)))
            tried.append(weight)
        chosen = tried[max(range(len(values)), key=values.__getitem__)] if tried else None
        if chosen is None:
            return fresh_uniform(history, seed)
        for index in (scores @ chosen).argsort(descending=True, stable=True).tolist():
            if int(hashes[index]) not in proposed:
                return Proposal(tuple(x[index].tolist()), "greedy")
        return fresh_uniform(history, seed)

    def _prepared(self, problem: Problem) -> tuple[Tensor, Tensor, Tensor]:
        """What may be proposed, its hashes, and its proxies between 0 and 1."""
        last = self._last
        if last is None or last[0] is not problem:
            views = views_of(problem.space, self.views, self._file)
            x = problem.whole()
            if x is None or (any(view.costly for view in views) and len(x) > self.pool):
                x = draw_possible(problem, self.pool, derive_seed(0, "robot"))
            x = problem.space.canonical(x[problem.possible(x)])
            scores = torch.cat([view(x) for view in views], 1).double()
            low, high = (scores.amin(0), scores.amax(0)) if len(x) else (scores.sum(0),) * 2
            scaled = (scores - low) / (high - low).clamp(min=1e-9)
            last = self._last = problem, x, problem.space.hashes(x), scaled
        return last[1:]

    def _next(
        self, size: int, tried: Sequence[Tensor], values: Sequence[float], number: int
    ) -> Float[Tensor, " D"]:
        """The weights with the highest bound, of some drawn anew each time."""
        seed = derive_seed(0, "weights", number)
        engine = torch.quasirandom.SobolEngine(size, scramble=True, seed=seed)
        drawn = 2 * engine.draw(WEIGHTS, dtype=torch.float64) - 1
        if not tried:
            return drawn[0]
        known = torch.stack(list(tried))
        worth = torch.tensor(values, dtype=torch.float64)
        # Ranks among those before, so that what is proposed does not depend on what comes after.
        z = NormalScores(worth)(worth)
        kernel = _kernel(known, known) + NOISE * torch.eye(len(known), dtype=torch.float64)
        factor = torch.linalg.cholesky(kernel)
        cross = torch.linalg.solve_triangular(factor, _kernel(known, drawn), upper=False)
        alpha = torch.linalg.solve_triangular(factor, z[:, None], upper=False)
        deviation = (1 - cross.square().sum(0)).clamp(min=0).sqrt()
        return drawn[((cross.T @ alpha)[:, 0] + self.beta * deviation).argmax()]


def _kernel(a: Float[Tensor, "A D"], b: Float[Tensor, "B D"]) -> Float[Tensor, "A B"]:
    return (-torch.cdist(a, b).square() / (2 * SCALE * a.shape[1])).exp()
