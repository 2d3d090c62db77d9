"""One member of each family, each as small as its contract allows."""

from __future__ import annotations

from pathlib import Path

import torch

from vitruvius.bo.executors import SerialExecutor
from vitruvius.bo.trial import Proposal
from vitruvius.datasets import RawGraph
from vitruvius.evaluators import Evaluation, Evaluator, Metric
from vitruvius.generators import Uniform
from vitruvius.predictors import Boosting
from vitruvius.spaces import space
from vitruvius.spaces.declared import DeclaredSpace


class PlugSpace(DeclaredSpace):
    """Three decisions of a training recipe."""

    def __init__(self) -> None:
        kinds = [
            {"name": name, "choices": ["a", "b", "c"], "kind": "recipe"} for name in ("u", "v", "w")
        ]
        super().__init__({"name": "plug-space", "nodes": ["training"], "variables": kinds})


class PlugEvaluator(Evaluator):
    """Adds up choice indices."""

    serves = "plug-space"
    data_sets = ("plug-labels",)

    @classmethod
    def load(cls, data_set: str, factor: float = 1.0) -> PlugEvaluator:
        made = cls(space(cls.serves), {"sum": Metric("sum", "", "higher")})
        made.factor = factor
        return made

    def evaluate(self, architecture, fidelity=None, seed=0, context=None):
        found = self.space.architecture(architecture)
        return Evaluation(found, {"sum": self.factor * sum(found.indices)})


def plug_data() -> RawGraph:
    """A path of three nodes."""
    edges, labels = torch.tensor([[0, 1], [1, 2]]), torch.tensor([0, 0, 1])
    return RawGraph.of_arrays(edges, torch.eye(3), labels)


class Indices:
    """The choice indices themselves."""

    def fit(self, x):
        return self

    def transform(self, x):
        return x.float()


def plug_encoder(space, *, seed):
    return Indices()


class PlugPredictor(Boosting):
    """Boosted trees, but few."""

    name = "plug-predictor"

    def __init__(self, space, *, seed=0, members=2):
        super().__init__(space, seed=seed, members=members)


class PlugGenerator(Uniform):
    """Uniform draws; a folder with the file ``plugged`` holds one."""

    name = "plug-generator"

    @staticmethod
    def saved_in(path):
        return (Path(path) / "plugged").is_file()

    @classmethod
    def from_pretrained(cls, path):
        return cls()


class PlugMethod:
    """The first architecture that is not known."""

    name = "plug-method"

    def __init__(self, reverse: bool = False) -> None:
        self.reverse = reverse

    def propose(self, history, seed):
        fresh = history.fresh(history.problem.space.enumerate())
        order = fresh.tolist()[:: -1 if self.reverse else 1]
        return Proposal(tuple(order[0]), self.name) if order else None


class PlugExecutor(SerialExecutor):
    """Serial, by another name."""
