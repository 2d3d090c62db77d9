"""Evaluators that train candidates on raw data: what they have in common."""

from __future__ import annotations

import inspect
import json
import logging
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors.torch import save_file
from torch import Tensor

from ...core.errors import UnknownNameError
from ...core.torch_state import own_torch_state
from ...datasets import RawData, Splits, check, data_options, load_raw, split
from ...spaces import Architecture, ArchitectureLike, Space, Task
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from ..metric import Metric
from .loop import Callback, Trained, TrainingError
from .recipe import BaseRecipe

__all__ = ["CURVE", "WEIGHTS", "OnData", "keep", "ran_out"]

_SAY = logging.getLogger(__name__)

# Arguments that no text can give.
PYTHON_ONLY = ("callbacks", "data_options")
# What allocators say when memory runs out on the CPU.
NO_MEMORY = ("can't allocate memory", "out of memory")
# Files of a candidate in its folder.
WEIGHTS, CURVE = "weights.safetensors", "curve.json"


class OnData(Evaluator):
    """An evaluator that trains candidates on raw data.

    An evaluation fails, and says why, where the loss is no number any more, a limit of time or
    memory is reached, or memory runs out also at half the batch.

    Args:
        data: Raw data, or the path or name of some (see `vitruvius.datasets.load_raw`).
        threads: Of torch on the CPU. More workers are quicker than more threads, and results
            depend on the threads, not on the workers.
        val: Share of the examples for validation, where the data have no such part.
        test: The same for the test part.
        split_seed: Seed of these parts.
        callbacks: Further things to do in every training.
        data_options: As for `load_raw`.

    Attributes:
        recipes: The class of its recipes, whose fields are options too.
        least_batch: Examples that a step needs.
        measured_on: The part that its metrics are of; blank where they are of none.
    """

    builds = True
    resumes = True
    least_batch: ClassVar[int] = 1
    measured_on: ClassVar[str] = "validation"
    recipes: ClassVar[type[BaseRecipe]]
    recipe: Any

    def __init__(
        self,
        data: RawData | str | Path,
        *,
        threads: int,
        val: float,
        test: float,
        split_seed: int,
        callbacks: Sequence[Callback],
        data_options: Mapping[str, Any] | None,
    ) -> None:
        self._source = data if isinstance(data, str | Path) else None
        self._options = dict(data_options or {})
        self._shares, self._split_seed = (val, test), split_seed
        # Whether it learns from the validation part too.
        self._whole = False
        self._raw = None if isinstance(data, str | Path) else data
        self.threads, self.callbacks = threads, tuple(callbacks)
        raw, splits = self.data
        for note in check(raw, splits):
            # What the reader noted, it has said.
            if note not in raw.notes:
                _SAY.warning("%s", note)

    def _bind(self, space: Space, metrics: dict[str, Metric], task: Task) -> None:
        """Makes the evaluator one of a space, once the data have said what for."""
        super().__init__(space.for_task(task), metrics, task=task)

    @classmethod
    def of_text(cls, space: Space, source: str, options: Mapping[str, Any]) -> Self:
        """Makes the evaluator of a path or name, whose options may be those of the data too.

        Args:
            space: The space.
            source: As for `load_raw`.
            options: Of `load_raw`, of this class, and of its recipes.

        Raises:
            UnknownNameError: For an option that none of them has.
        """
        of_data = data_options(source)
        own = [n for n, p in inspect.signature(cls).parameters.items() if p.kind is p.KEYWORD_ONLY]
        known = [*cls.recipes.model_fields, *(n for n in own if n not in PYTHON_ONLY), *of_data]
        for name in options:
            if name not in known:
                raise UnknownNameError.of(
                    f"option of a training on {Path(source).name}", name, known
                )
        data = {name: value for name, value in options.items() if name in of_data}
        others = {name: value for name, value in options.items() if name not in of_data}
        return cls(space, source, data_options=data, **others)  # type: ignore[call-arg, arg-type]

    @property
    def source(self) -> str:
        """Path or name of the data; blank for what only Python has."""
        return "" if self._source is None else str(self._source)

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
        return self.__dict__ if self._source is None else self.__dict__ | {"_raw": None}

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
                half = self.recipe.batch // 2
                if not ran_out(error) or half < self.least_batch:
                    raise
                # The first attempt's tensors hang on its traceback.
                error.__traceback__ = None
                note = f"trained at half the batch, {half}, for which alone there was memory"
                told = self.train(architecture, fidelity, seed, context, batch=half)
        except (TrainingError, torch.OutOfMemoryError, RuntimeError, MemoryError) as error:
            if not isinstance(error, TrainingError) and not ran_out(error):
                raise
            why = str(error) if isinstance(error, TrainingError) else "out of memory"
            reason = f"{why}; the network has {size:,.0f} parameters"
            return Evaluation(architecture, {}, "failed", reason, fidelity, seed)
        return Evaluation(architecture, told.metrics, "ok", note, fidelity, seed)

    @abstractmethod
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

    @abstractmethod
    def test(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        """Measures a trained network on the test part: for reports, never to decide anything.

        Args:
            told: What `train` returned.
            device: Where the network is.

        Raises:
            UsageError: Where the data have no test part.
        """

    def report(self, told: Trained, device: torch.device | str = "cpu") -> dict[str, float]:
        """Returns what is reported of a trained network: its scores on the test part, if any.

        Args:
            told: As for `test`.
            device: As for `test`.
        """
        if not len(self.data[1].test):
            return {}
        return {f"test {name}": value for name, value in self.test(told, device).items()}

    @abstractmethod
    def retraining(self, **recipe: Any) -> Self:
        """Returns one that learns from the training and the validation part together.

        Args:
            **recipe: Fields of the recipe that shall be other ones.

        Raises:
            UnknownNameError: For a field that a recipe does not have.
            UsageError: For a value out of range.
        """

    @abstractmethod
    def network(self, architecture: ArchitectureLike) -> tuple[Space, Architecture]:
        """Returns the space and the architecture of the network that a training leaves.

        Args:
            architecture: Of the space.
        """

    @abstractmethod
    def preparation(self, task: Task) -> tuple[dict[str, Any], dict[str, Any]]:
        """Says what is done to inputs before a network, and to its outputs behind it.

        Args:
            task: What the network was built for.

        Returns:
            As `Examples.preparation`; of outputs the ``class_names`` too.
        """

    @abstractmethod
    def test_part(self) -> dict[str, Tensor]:
        """Returns the tensors of the test part, as a predicting script takes them."""

    @abstractmethod
    def recipe_of(self, architecture: Architecture) -> BaseRecipe:
        """Returns the recipe of an architecture.

        Args:
            architecture: Of the space.
        """


def ran_out(error: BaseException) -> bool:
    """Tells whether an error says that memory ran out.

    Args:
        error: The error.
    """
    said = str(error).lower()
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
        words in said for words in NO_MEMORY
    )


def keep(folder: Path, told: Trained, **more: Any) -> None:
    """Leaves weights and learning curve in a candidate's folder.

    Args:
        folder: The folder.
        told: What came of its training.
        **more: What else stands beside the curve.
    """
    weights = {k: v.detach().cpu().contiguous() for k, v in told.network.state_dict().items()}
    save_file(weights, folder / WEIGHTS)
    curve = {"epoch": told.epoch + 1, "curve": told.curve, **more}
    (folder / CURVE).write_text(json.dumps(curve), encoding="utf-8")
