"""Mixtures of predictors."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from copy import copy
from typing import ClassVar

from jaxtyping import Float, Int
from torch import Tensor

from ..encoders.feature_sets import Features
from ..spaces import Space
from .posterior import Posterior, mixture
from .predictor import Predictor
from .residual_transfer import warm_started
from .transfer_gp import Sources

__all__ = ["Mixture"]


class Mixture(Predictor):
    """The mixture of some predictors, over which acquisition functions average.

    Members count by their votes, however many hyper-parameter samples each has. Each learns from
    earlier tasks in the way it can.

    Args:
        space: The space.
        seed: Seed of every random draw.

    Attributes:
        members: What is mixed, once it is fitted.
        votes: How often each member counts.
    """

    learns_tasks: ClassVar[bool] = True

    def __init__(self, space: Space, *, seed: int = 0) -> None:
        super().__init__(space, seed=seed)
        self.members: tuple[Predictor, ...] = ()
        self.votes: tuple[int, ...] = ()
        self._sources: Sources | None = None

    @property
    def weights(self) -> Mapping[str, float]:
        return next((member.weights for member in self.members if member.weights), {})

    @property
    def dropped(self) -> tuple[str, ...]:
        return next((member.dropped for member in self.members if member.weights), ())

    def start_from(self, sources: Sources) -> None:
        self._sources = sources

    def thinned(self) -> Mixture:
        some = copy(self)
        some.members = tuple(member.thinned() for member in self.members)
        return some

    @abstractmethod
    def _new_members(self, labels: int) -> Mapping[Predictor, int]:
        """The unfitted members and their votes, given how many labels there are."""

    def fit(self, x: Int[Tensor, "n V"] | Features, values: Float[Tensor, " n"]) -> Mixture:
        super().fit(x, values)
        # So that each member can also be asked by itself, in the unit of the labels.
        for member in self.members:
            member.scores = self.scores
        return self

    def _fit(self, data: Features, z: Float[Tensor, " n"], fidelity: Int[Tensor, " n"]) -> None:
        votes = self._new_members(len(data))
        members = tuple(votes)
        for member in members:
            member.views = self.views
        if self._sources is not None:
            members = tuple(warm_started(member, self._sources) for member in members)
        self.members, self.votes = members, tuple(votes.values())
        for member in members:
            member.fit_scores(data, z)

    def _posterior(self, data: Features, joint: bool) -> Posterior:
        return mixture([member.posterior(data, joint=joint) for member in self.members], self.votes)
