"""Any search within what boosted trees leave of the space (GBDT-NAS)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.errors import UsageError
from ...core.normal_scores import NormalScores
from ...core.seeding import derive_seed
from ...encoders import one_hot
from ...predictors.shapley import pair_values
from ...spaces import Space
from ..method import CheckingMethod, KeepingMethod, Method, ReportingMethod
from ..problem import Problem
from ..ranking import merit
from ..trial import History, Proposal

__all__ = ["PrunedSpace"]

TREES = {
    "objective": "regression", "num_leaves": 31, "learning_rate": 0.05, "feature_fraction": 0.9,
    "bagging_fraction": 0.8, "bagging_freq": 5, "num_threads": 1, "verbosity": -1,
    "deterministic": True,
}  # fmt: skip
ROUNDS = 100
# Examples that have to have what is forbidden, and the share of the best whose choices stay.
FEWEST, KEPT = 3, 0.1
# Draws that the share which is left is told from.
DRAWN = 2_000

# One choice, or two together, by their columns of the one-hot encoding.
Rule = tuple[int, ...]


class PrunedSpace:
    """Forbids what boosted trees find bad, and searches in the rest (Luo et al., 2020).

    After ``first`` evaluations, and whenever their number has doubled, trees are fitted to the
    choices. Those choices are forbidden whose Shapley values, where they are made, are negative in
    the mean, the worst first; or pairs of them, by what they add beyond the two alone. A choice
    stays where it is the last of its variable, or one of the best tenth has it.

    Args:
        method: The search, as text.
        first: Evaluations before anything is forbidden.
        forbid: Most choices or pairs that are.
        order: 1 for choices, 2 for pairs.
        least: Share of the space that has to be left.

    Raises:
        UsageError: For another order, or other numbers out of range.

    Example:
        >>> from vitruvius.bo.trial import Trial
        >>> from vitruvius.evaluators import Evaluation
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> problem = Problem(cells, {}, minimize="params")
        >>> rows = map(tuple, cells.sample(40, 0).tolist())
        >>> trials = [Trial.of(i, Evaluation(cells.architecture(r))) for i, r in enumerate(rows)]
        >>> told = PrunedSpace(method="random", first=40).report(History(problem, trials))[
        ...     "pruned space"
        ... ]
        >>> "op_0_3=nor_conv_3x3" in told["forbidden"], told["left"] < 0.5
        (True, True)
    """

    name: ClassVar[str] = "pruned-space"

    def __init__(
        self,
        *,
        method: str = "bo",
        first: int = 40,
        forbid: int = 20,
        order: int = 1,
        least: float = 0.01,
    ) -> None:
        from .resolver import method as make_method

        if order not in (1, 2):
            raise UsageError(f"`order` is 1 or 2, got {order}.", "Forbid choices, or pairs.")
        if first < FEWEST or not 0 < least < 1:
            raise UsageError(
                f"`first` is at least {FEWEST} and `least` between 0 and 1, got {first} and "
                f"{least}.",
                "Leave them out for 40 and 0.01.",
            )
        self.method: Method = make_method(method)
        self.first, self.forbid, self.order, self.least = first, forbid, order, least
        self._made: tuple[object, Problem, list[Rule]] | None = None

    def propose(self, history: History, seed: int) -> Proposal | None:
        if len(history.ok) < self.first:
            return self.method.propose(history, seed)
        narrowed, _ = self._narrowed(history)
        told = self.method.propose(History(narrowed, history.trials), seed)
        return told if told is not None else self.method.propose(history, seed)

    def check(self, problem: Problem) -> None:
        """Lets the search look its names up.

        Args:
            problem: What is searched for.
        """
        if isinstance(self.method, CheckingMethod):
            self.method.check(problem)

    def keep_in(self, folder: Path) -> None:
        """Lets the search keep what it does.

        Args:
            folder: Of the run.
        """
        if isinstance(self.method, KeepingMethod):
            self.method.keep_in(folder)

    def report(self, history: History) -> dict[str, Any]:
        """Tells what is forbidden and what share of the space is left.

        Args:
            history: All trials.
        """
        inner = self.method
        told = inner.report(history) if isinstance(inner, ReportingMethod) else {}
        if len(history.ok) < self.first:
            return told
        narrowed, rules = self._narrowed(history)
        names = _names(history.problem.space)
        return told | {
            "pruned space": {
                "forbidden": [" and ".join(names[column] for column in rule) for rule in rules],
                "left": narrowed.share_possible() / max(history.problem.share_possible(), 1e-9),
            }
        }

    def _narrowed(self, history: History) -> tuple[Problem, list[Rule]]:
        """The problem without what the first 40, 80, 160, … evaluations say is bad."""
        seen = self.first
        while 2 * seen <= len(history.ok):
            seen *= 2
        key = (history.problem, history.ok[:seen])
        if self._made is None or self._made[0] != key:
            rules = self._rules(History(history.problem, history.ok[:seen]))
            space = history.problem.space
            narrowed = history.problem.allowing(lambda x: _allowed(space, x, rules))
            self._made = key, narrowed, rules
        return self._made[1:]

    def _rules(self, history: History) -> list[Rule]:
        problem, space = history.problem, history.problem.space
        features = one_hot(space, history.x).double()
        value = merit(history)
        effects = self._effects(features.numpy(), NormalScores(value)(value).numpy())
        best = value >= value.quantile(1 - KEPT)
        owner = space.choice_mask.nonzero()[:, 0]
        drawn = problem.whole()
        if drawn is None:
            drawn = space.sample(DRAWN, derive_seed(0, "pruned"))
        else:
            drawn = drawn[torch.linspace(0, len(drawn) - 1, min(DRAWN, len(drawn))).long()]
        columns = one_hot(space, drawn[problem.possible(drawn)]).bool()
        left = torch.ones(len(columns), dtype=torch.bool)
        remaining = owner.bincount()
        rules: list[Rule] = []
        for rule, effect in sorted(effects.items(), key=lambda entry: (entry[1], entry[0])):
            if effect >= 0 or len(rules) >= self.forbid:
                break
            if bool(features[best][:, list(rule)].all(1).any()):
                continue
            if len(rule) == 1 and int(remaining[owner[rule[0]]]) < 2:
                continue
            after = left & ~columns[:, list(rule)].all(1)
            if float(after.double().mean()) < self.least:
                continue
            left = after
            rules.append(rule)
            if len(rule) == 1:
                remaining[owner[rule[0]]] -= 1
        return rules

    def _effects(self, features: np.ndarray, z: np.ndarray) -> Mapping[Rule, float]:
        """What each choice, or pair, adds in the mean where it is made."""
        import lightgbm

        data = lightgbm.Dataset(features, z, free_raw_data=False)
        own = {"min_data_in_leaf": max(2, min(20, len(z) // 20)), "seed": 0}
        booster = lightgbm.train({**TREES, **own}, data, num_boost_round=ROUNDS)
        made = features > 0
        if self.order == 1:
            values = np.asarray(booster.predict(features, pred_contrib=True))
            return {
                (column,): float(values[made[:, column], column].mean())
                for column in range(features.shape[1])
                if made[:, column].sum() >= FEWEST
            }
        return {
            pair: float(values[both].mean())
            for pair, values in pair_values(booster, features).items()
            if (both := made[:, pair[0]] & made[:, pair[1]]).sum() >= FEWEST
        }


def _allowed(space: Space, x: Int[Tensor, "B V"], rules: Sequence[Rule]) -> Bool[Tensor, " B"]:
    columns: Float[Tensor, "B D"] = one_hot(space, x)
    allowed = torch.ones(len(x), dtype=torch.bool)
    for rule in rules:
        allowed &= ~columns[:, list(rule)].bool().all(1)
    return allowed


def _names(space: Space) -> list[str]:
    return [f"{each.name}={choice}" for each in space.variables for choice in each.choices]
