"""Training as an evaluator: candidates are trained on the user's own data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...core.device import torch_threads
from ...core.errors import UsageError
from ...core.seeding import derive_seed
from ...core.torch_state import own_torch_state
from ...datasets import RawData, RawGraph, RawGraphs, RawImages, Splits, split
from ...datasets.disk_features import DiskFeatures
from ...spaces import (
    Architecture,
    ArchitectureLike,
    GraphTask,
    ImageTask,
    ProductSpace,
    Space,
    Task,
)
from ...spaces.recipe import RecipeSpace
from ..context import Context
from .examples import Examples, examples_of
from .loop import SEEDS, Callback, Trained, TrainingError
from .memory import free_memory, training_memory
from .on_data import OnData, keep
from .recipe import Recipe
from .scores import score_metrics
from .supervised import measure, train

__all__ = ["TrainingEvaluator"]

# Neighbours hop by hop, where features on disk leave no other way.
FANOUT = (10, 10)
AXES = ("epochs", "data", "resolution")


class TrainingEvaluator(OnData):
    """Trains candidates on images, series or graphs, and measures them on the validation part.

    Metrics are those of `vitruvius.evaluators.training.score_metrics`: ``accuracy``,
    ``balanced_accuracy``, ``f1``, ``auroc``, ``calibration_error`` and ``loss`` for classes;
    ``mae``, ``rmse`` and ``r2`` for values. The test part is never looked at.

    In a product with recipes, ``"darts x recipe"``, each candidate is trained as it says.

    An evaluation fails, and says why, where the loss is no number any more, a limit of time or
    memory is reached, or memory runs out also at half the batch. In the folder of its trial it
    leaves ``curve.json``, the scores after every epoch, and ``weights.safetensors``.

    Args:
        space: The space; its networks are built for the task that the data set.
        data: Raw data, or the path or name of some (see `vitruvius.datasets.load_raw`).
        fidelity: What lower fidelities are: fewer ``epochs``, a share of ``data`` in percent, or a
            smaller ``resolution``.
        fidelities: Those there are, ascending and below the full one.
        threads: Of torch on the CPU. More workers are quicker than more threads, and results
            depend on the threads, not on the workers.
        val: Share of the examples for validation, where the data have no such part.
        test: The same for the test part; by default there is none where none is given.
        split_seed: Seed of these parts.
        fanout: Of a graph's nodes in batches, the most neighbours of each that take part, hop by
            hop; by default all nodes are taken together, and with features on disk 10 and 10.
        cache: Megabytes of features on disk that stay in memory.
        callbacks: Further things to do in every training.
        data_options: As for `load_raw`.
        **recipe: Fields of `Recipe`.

    Raises:
        UsageError: For data that no training can start on, or of another kind than the space's.
        TableError: For data that cannot be read.
        UnknownNameError: For an unknown option.

    Example:
        >>> import torch
        >>> from vitruvius.datasets import RawImages
        >>> from vitruvius.spaces import space
        >>> images = torch.randint(256, (60, 1, 8, 8), dtype=torch.uint8)
        >>> raw = RawImages(images, torch.arange(60) % 3)
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> evaluator = TrainingEvaluator(cells, raw, epochs=1)
        >>> sorted(evaluator.evaluate(cells.example).metrics)[:3]
        ['accuracy', 'auroc', 'balanced_accuracy']
    """

    recipes = Recipe

    def __init__(
        self,
        space: Space,
        data: RawData | str | Path,
        *,
        fidelity: str = "epochs",
        fidelities: Sequence[int] = (),
        threads: int = 1,
        val: float = 0.2,
        test: float = 0.0,
        split_seed: int = 0,
        fanout: Sequence[int] = (),
        cache: float = 64,
        callbacks: Sequence[Callback] = (),
        data_options: Mapping[str, Any] | None = None,
        **recipe: Any,
    ) -> None:
        # What a retraining changes, whatever an architecture chooses.
        self._fixed: dict[str, Any] = {}
        super().__init__(
            data,
            threads=threads,
            val=val,
            test=test,
            split_seed=split_seed,
            callbacks=callbacks,
            data_options=data_options,
        )
        raw, _ = self.data
        task = _task_for(space, raw.task)
        self._bind(space, score_metrics(regression=raw.regression), task)
        self.recipe = Recipe.of(recipe, task)
        on_disk = isinstance(raw, RawGraph) and isinstance(raw.features, DiskFeatures)
        self.fanout = tuple(fanout) or (FANOUT if on_disk else ())
        self.cache = cache
        if self.fanout and not isinstance(raw, RawGraph):
            raise UsageError("`fanout` is for the nodes of a graph.", "Leave the option out.")
        self.axis = fidelity
        self.fidelities = self._checked(fidelities)
        self._examples: tuple[Any, Examples] | None = None

    @own_torch_state()
    def train(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
        *,
        batch: int | None = None,
    ) -> Trained:
        architecture, context = self.space.architecture(architecture), context or Context()
        device = torch.device(context.device)
        recipe, task = self._at(architecture, fidelity)
        if batch is not None:
            recipe = recipe.model_copy(update={"batch": batch})
        self._check_memory(architecture, task, recipe, device)
        with torch_threads(self.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed(seed, "weights") % SEEDS)
            space, own = self.space.network(architecture)
            network = space.build(own, task)
            told = train(
                network,
                self.examples(task, fidelity, device),
                recipe,
                seed=seed,
                device=device,
                context=context,
                callbacks=self.callbacks,
                identity=f"{self.space.text} {architecture} {fidelity} {self.threads}",
            )
        if context.folder is not None:
            keep(context.folder, told)
        return told

    def test(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        examples = self.examples(told.task, None, torch.device(device))
        if not examples.sizes["test"]:
            raise UsageError("The data have no test part.", "Give one, e.g. a folder test/.")
        with torch_threads(self.threads):
            return measure(told.network, examples, "test", self.recipe, device)

    def examples(self, task: Task, fidelity: int | None, device: torch.device) -> Examples:
        """Returns the examples that a training at a fidelity learns from.

        Args:
            task: What the network is built for, whose resolution images are scaled to.
            fidelity: As for `evaluate`.
            device: Where they shall be.
        """
        share = fidelity if self.axis == "data" else None
        key = (task, share, device)
        if self._examples is None or self._examples[0] != key:
            raw, splits = self.data
            if share is not None:
                splits = replace(splits, train=_part(raw, splits, share))
            memory = int(self.cache * 1e6)
            made = examples_of(raw, splits, task, device, self.fanout, memory)
            self._examples = key, made
        return self._examples[1]

    def retraining(self, **recipe: Any) -> TrainingEvaluator:
        # The network after the last epoch counts, for nothing is left to choose another by.
        made = copy(self)
        whole = {"keep": "last", "patience": 0}
        made._fixed = {**recipe, **whole}
        made.recipe = Recipe.of(self.recipe.model_dump() | made._fixed, self.task)
        made._whole, made._examples = True, None
        return made

    def __getstate__(self) -> dict[str, Any]:
        return super().__getstate__() | {"_examples": None}

    def network(self, architecture: ArchitectureLike) -> tuple[Space, Architecture]:
        return self.space.network(architecture)

    def preparation(self, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
        inputs, outputs = self.examples(task, None, torch.device("cpu")).preparation()
        raw, _ = self.data
        if not raw.regression:
            outputs["class_names"] = list(raw.class_names or map(str, range(raw.classes)))
        return inputs, outputs

    def test_part(self) -> dict[str, Tensor]:
        raw, splits = self.data
        rows = splits.test
        if not len(rows):
            return {}
        targets = raw.labels[rows]
        if isinstance(raw, RawGraph):
            edges = torch.cat([raw.edges, raw.edges.flip(0)], dim=1)
            if isinstance(raw.features, DiskFeatures):
                return {}
            x = torch.from_numpy(raw.features.toarray()).float()
            return {"x": x, "edge_index": edges, "rows": rows, "targets": targets}
        if isinstance(raw, RawGraphs):
            x, edges, graph = raw.batch(rows)
            return {"x": x, "edge_index": edges, "graph": graph, "targets": targets}
        values = raw.images if isinstance(raw, RawImages) else raw.series
        return {"inputs": values[rows], "targets": targets}

    # -- fidelities -----------------------------------------------------------------------------

    def _checked(self, fidelities: Sequence[int]) -> tuple[int, ...]:
        if self.axis not in AXES:
            raise UsageError(f"`fidelity` is {self.axis!r}.", f"Use one of {', '.join(AXES)}.")
        if self.axis == "resolution" and not isinstance(self.task, ImageTask):
            raise UsageError("Only images have a resolution.", "Use fidelity=epochs or data.")
        full = {"epochs": self.recipe.epochs, "data": 100}.get(
            self.axis, getattr(self.task, "resolution", 0)
        )
        listed = tuple(fidelities)
        if listed != tuple(sorted(set(listed))) or any(not 1 <= each < full for each in listed):
            raise UsageError(
                f"`fidelities` of {self.axis} are {list(listed)}.",
                f"List whole numbers from 1 to {full - 1}, ascending.",
            )
        return listed

    def _at(self, architecture: Architecture, fidelity: int | None) -> tuple[Recipe, Task]:
        if fidelity is not None and fidelity not in self.fidelities:
            raise UsageError(
                f"There is no fidelity {fidelity}.", f"Those of this evaluator: {self.fidelities}."
            )
        task = self.space.task_of(architecture.indices, self.task)
        recipe = self.recipe_of(architecture)
        if fidelity is None or self.axis == "data":
            return recipe, task
        if self.axis == "epochs":
            return recipe.model_copy(update={"epochs": fidelity}), task
        return recipe, replace(task, resolution=fidelity)  # type: ignore[call-arg]

    def recipe_of(self, architecture: Architecture) -> Recipe:
        if not isinstance(self.space, ProductSpace):
            return self.recipe
        rows = self.space.parted(architecture.indices)
        chosen: dict[str, Any] = {}
        for name, part in self.space.parts.items():
            if isinstance(part, RecipeSpace):
                chosen |= part.options(rows[name])
        return Recipe.of(self.recipe.model_dump() | chosen | self._fixed, self.task)

    def _check_memory(
        self, architecture: Architecture, task: Task, recipe: Recipe, device: torch.device
    ) -> None:
        if self.fanout and isinstance(task, GraphTask):
            # As if no neighbour were another's too.
            hops = range(len(self.fanout) + 1)
            most = recipe.batch * sum(math.prod(self.fanout[:hop]) for hop in hops)
            task = replace(task, nodes=min(most, task.nodes or most))
        needed = training_memory(self.space.layers(architecture, task), task, recipe)
        limit = recipe.memory * 1e9 or free_memory(device)
        if needed > limit:
            raise TrainingError(
                f"it would need about {needed / 1e9:.2g} GB of memory at a batch of "
                f"{recipe.batch}, the limit is {limit / 1e9:.2g} GB"
            )


def _task_for(space: Space, given: Task) -> Task:
    """The task of the data; widths of a graph network stay those of the space."""
    own = space.task
    if isinstance(given, GraphTask) and isinstance(own, GraphTask):
        return replace(
            given, hidden=own.hidden, head_layers=own.head_layers, stem_layers=own.stem_layers
        )
    return given


def _part(raw: RawData, splits: Splits, percent: int) -> Tensor:
    """The first of the training examples in an order that keeps the shares of classes."""
    few = replace(raw, splits=Splits(splits.train))
    return split(few, 0, val=percent / 100).val
