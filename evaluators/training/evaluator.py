"""Training as an evaluator: candidates are trained on the user's own data."""

from __future__ import annotations

import inspect
import json
import logging
import math
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...core.device import torch_threads
from ...core.errors import UnknownNameError, UsageError
from ...core.seeding import derive_seed
from ...core.torch_state import own_torch_state
from ...datasets import RawData, RawGraph, Splits, check, data_options, load_raw, split
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
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from .examples import Examples, examples_of
from .loop import SEEDS, Callback, Trained, TrainingError, measure, train
from .memory import free_memory, training_memory
from .recipe import Recipe
from .scores import score_metrics

__all__ = ["TrainingEvaluator"]

_SAY = logging.getLogger(__name__)

# Neighbours hop by hop, where features on disk leave no other way.
FANOUT = (10, 10)
AXES = ("epochs", "data", "resolution")
# Arguments that no text can give.
PYTHON_ONLY = ("callbacks", "data_options")
# What allocators say when memory runs out on the CPU.
NO_MEMORY = ("can't allocate memory", "out of memory")
# Files of a candidate in its folder.
WEIGHTS, CURVE = "weights.safetensors", "curve.json"


class TrainingEvaluator(Evaluator):
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

    builds = True
    resumes = True

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
        self._source = data if isinstance(data, str | Path) else None
        self._options = dict(data_options or {})
        self._shares, self._split_seed = (val, test), split_seed
        # What a retraining changes, whatever an architecture chooses.
        self._whole = False
        self._fixed: dict[str, Any] = {}
        self._raw = None if isinstance(data, str | Path) else data
        raw, splits = self.data
        for note in check(raw, splits):
            # What the reader noted, it has said.
            if note not in raw.notes:
                _SAY.warning("%s", note)
        task = _task_for(space, raw.task)
        super().__init__(space.for_task(task), score_metrics(regression=raw.regression), task=task)
        self.recipe = Recipe.of(recipe, task)
        on_disk = isinstance(raw, RawGraph) and isinstance(raw.features, DiskFeatures)
        self.fanout = tuple(fanout) or (FANOUT if on_disk else ())
        self.cache = cache
        if self.fanout and not isinstance(raw, RawGraph):
            raise UsageError("`fanout` is for the nodes of a graph.", "Leave the option out.")
        self.threads, self.axis, self.callbacks = threads, fidelity, tuple(callbacks)
        self.fidelities = self._checked(fidelities)
        self._examples: tuple[Any, Examples] | None = None

    @classmethod
    def of_text(cls, space: Space, source: str, options: Mapping[str, Any]) -> TrainingEvaluator:
        """Makes the evaluator of a path or name, whose options may be those of the data too.

        Args:
            space: The space.
            source: As for `load_raw`.
            options: Of `load_raw`, of this class, and of `Recipe`.

        Raises:
            UnknownNameError: For an option that none of them has.
        """
        of_data = data_options(source)
        own = [n for n, p in inspect.signature(cls).parameters.items() if p.kind is p.KEYWORD_ONLY]
        known = [*Recipe.model_fields, *(n for n in own if n not in PYTHON_ONLY), *of_data]
        for name in options:
            if name not in known:
                raise UnknownNameError.of(
                    f"option of a training on {Path(source).name}", name, known
                )
        data = {name: value for name, value in options.items() if name in of_data}
        others = {name: value for name, value in options.items() if name not in of_data}
        return cls(space, source, data_options=data, **others)

    @property
    def source(self) -> str:
        """Path or name of the data; blank for what only Python has."""
        return "" if self._source is None else str(self._source)

    # -- evaluating -----------------------------------------------------------------------------

    @own_torch_state()
    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        architecture = self.space.architecture(architecture)
        context = context or Context()
        size = float(self.space.statistics(torch.tensor([architecture.indices]))["params"])
        note = ""
        try:
            try:
                told = self.train(architecture, fidelity, seed, context)
            except (torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
                if not _ran_out(error) or self.recipe.batch < 2:
                    raise
                # The first attempt's tensors hang on its traceback.
                error.__traceback__ = None
                half = self.recipe.batch // 2
                note = f"trained at half the batch, {half}, for which alone there was memory"
                told = self.train(architecture, fidelity, seed, context, batch=half)
        except (TrainingError, torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not isinstance(error, TrainingError) and not _ran_out(error):
                raise
            why = str(error) if isinstance(error, TrainingError) else "out of memory"
            reason = f"{why}; the network has {size:,.0f} parameters"
            return Evaluation(architecture, {}, "failed", reason, fidelity, seed)
        return Evaluation(architecture, told.metrics, "ok", note, fidelity, seed)

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
        """Trains one architecture and returns the network too.

        Args:
            architecture: As for `evaluate`.
            fidelity: As for `evaluate`.
            seed: As for `evaluate`.
            context: As for `evaluate`.
            batch: Instead of the recipe's.

        Raises:
            TrainingError: Where the training came to nothing.
        """
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
            _keep(context.folder, told)
        return told

    def test(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        """Measures a trained network on the test part: for reports, never to decide anything.

        Args:
            told: What `train` returned.
            device: Where the network is.

        Raises:
            UsageError: Where the data have no test part.
        """
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
        """Returns one that learns from the training and the validation part together.

        The network after the last epoch counts, for nothing is left to choose another by.

        Args:
            **recipe: Fields of the recipe that shall be other ones.

        Raises:
            UnknownNameError: For a field that a recipe does not have.
            UsageError: For a value out of range.
        """
        made = copy(self)
        whole = {"keep": "last", "patience": 0}
        made._fixed = {**recipe, **whole}
        made.recipe = Recipe.of(self.recipe.model_dump() | made._fixed, self.task)
        made._whole, made._examples = True, None
        return made

    # -- data -----------------------------------------------------------------------------------

    @property
    def data(self) -> tuple[RawData, Splits]:
        """The data and their parts, read again in a worker that has only their path."""
        if self._raw is None:
            assert self._source is not None
            self._raw = load_raw(self._source, **self._options)
        splits = split(self._raw, self._split_seed, *self._shares)
        if self._whole:
            splits = replace(splits, train=torch.cat([splits.train, splits.val]).sort().values)
        return self._raw, splits

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__ | {"_examples": None}
        return state if self._source is None else state | {"_raw": None}

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
        """Returns the recipe, with what an architecture chooses of it in a product with recipes.

        Args:
            architecture: Of the space.
        """
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


def _ran_out(error: BaseException) -> bool:
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in said for words in NO_MEMORY
    )


def _keep(folder: Path, told: Trained) -> None:
    weights = {k: v.detach().cpu().contiguous() for k, v in told.network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    curve = {"epoch": told.epoch + 1, "curve": told.curve}
    (folder / CURVE).write_text(json.dumps(curve), encoding="utf-8")
