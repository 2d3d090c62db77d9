"""Goal: how well an architecture meets its targets, exactly where that can be counted."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..evaluators.targets import Targets
from ..spaces import Space
from .graph_network import GraphNetwork
from .mixture import Mixture
from .predictor import Predictor

__all__ = ["Goal"]

# Log-value lost per relative distance of 1 from an exact target: 1 % off costs a factor e^2.
STEEPNESS = 200.0
# Architectures drawn to teach a graph network the exact counts, which cost no label.
SURROGATE_ROWS = 256

Exact = Callable[[Int[Tensor, "B V"]], Mapping[str, Tensor]]


class Goal:
    """Combines the targets of a request into one log-value to guide by and to rank by.

    Exact metrics count as met or not, with a slope towards the target while guiding; predicted
    ones count by the probability of meeting the target under their predictor, taken as
    independent.

    Args:
        space: The space.
        targets: What is asked for.
        exact: Computes the exact metrics by name.
        predictors: Fitted predictor of every other metric in ``targets``.
        seed: Seed of the surrogates for gradient guidance.

    Example:
        >>> from vitruvius.evaluators import exact_metrics, parse_targets
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> targets = parse_targets("params<=100k", exact_metrics(cells))
        >>> goal = Goal(cells, targets, cells.statistics, {})
        >>> goal.feasible(torch.tensor([[0] * 6, [3] * 6])).tolist()
        [True, False]
    """

    def __init__(
        self,
        space: Space,
        targets: Targets,
        exact: Exact,
        predictors: Mapping[str, Predictor],
        *,
        seed: int = 0,
    ) -> None:
        self.space, self.targets, self.seed = space, targets, seed
        self.exact, self.predictors = exact, predictors
        self.exact_targets = targets.restrict(set(targets.names) - set(predictors))
        self.predicted_targets = targets.restrict(predictors)
        self._surrogates: dict[str, GraphNetwork] = {}

    def feasible(self, x: Int[Tensor, "B V"]) -> Bool[Tensor, " B"]:
        """Tells which valid rows meet every exact target.

        Args:
            x: Valid choice indices.
        """
        if not self.exact_targets:
            return torch.ones(len(x), dtype=torch.bool)
        return self.exact_targets.satisfied(self.exact(x))

    def violation(self, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """Sums the relative distances of valid rows to the exact targets.

        Args:
            x: Valid choice indices.
        """
        if not self.exact_targets:
            return torch.zeros(len(x), dtype=torch.float64)
        return self.exact_targets.violation(self.exact(x))

    def log_probabilities(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        """Returns the log-probability of meeting each predicted target, by metric.

        Args:
            x: Valid choice indices.
        """
        return {
            target.metric: self.predictors[target.metric].log_probability(
                x, target.low, target.high
            )
            for target in self.predicted_targets
        }

    def log_value(self, x: Int[Tensor, "B V"]) -> Float[Tensor, " B"]:
        """Returns the log-value to guide by, in nats; -inf for rows that are no architectures.

        Args:
            x: Choice indices, valid or not.
        """
        value = torch.full((len(x),), -math.inf, dtype=torch.float64)
        valid = self.space.is_valid(x)
        if valid.any():
            rows = x[valid]
            total = -STEEPNESS * self.violation(rows)
            for column in self.log_probabilities(rows).values():
                total = total + column
            value[valid] = total
        return value

    def relaxed_log_value(self, p: Float[Tensor, "B V C"]) -> Float[Tensor, " B"]:
        """Returns the log-value of relaxed architectures, differentiable, for gradient guidance.

        Metrics whose predictor is not differentiable, and exact ones, are stood in for by a graph
        network fitted to what the predictor says, or to the counts, which costs no label.

        Args:
            p: A distribution over the choices of every variable.
        """
        total = torch.zeros(len(p))
        for target in self.targets:
            network = self._surrogate(target.metric)
            total = total + network.relaxed_log_probability(p, target.low, target.high)
        return total

    def _surrogate(self, metric: str) -> GraphNetwork:
        fitted = self.predictors.get(metric)
        for part in fitted.members if isinstance(fitted, Mixture) else (fitted,):
            if isinstance(part, GraphNetwork):
                return part
        if metric not in self._surrogates:
            x = self.space.sample(SURROGATE_ROWS, self.seed)
            values = fitted.predict(x)[0] if fitted is not None else self.exact(x)[metric]
            network = GraphNetwork(self.space, seed=self.seed)
            network.fit(x, values)
            self._surrogates[metric] = network
        return self._surrogates[metric]
