"""The fourth verb: write an architecture, with its weights, as files that run without us."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import torch
from safetensors.torch import load_file

from ..bo.result import SearchResult
from ..bo.store import Run
from ..bo.trial import Trial
from ..core.device import resolve_device
from ..core.errors import UsageError
from ..core.options import read_options
from ..core.output import writing
from ..core.progress import progress_bar
from ..core.seeding import derive_seed
from ..core.torch_state import own_torch_state
from ..datasets.task import read_task
from ..evaluators.context import Context
from ..evaluators.evaluator import Evaluator
from ..evaluators.joined import JoinedEvaluator
from ..evaluators.resolver import EvaluatorLike
from ..evaluators.training import OnData, Trained
from ..evaluators.training.on_data import WEIGHTS
from ..exports.model import Model
from ..exports.resolver import FORMATS, write_model
from ..spaces import Architecture, Space, Task, space as make_space
from .checks import check_at_least
from .configured import evaluator_of, space_of
from .search import show

__all__ = ["Exported", "architecture_of", "export", "trained_model"]

# Where trainings go on from, in the folder of the export, until they are done.
UNFINISHED = ".retraining"
BEST = "best"


@dataclass(frozen=True, eq=False)
class Exported:
    """What `export` wrote.

    Args:
        folder: Where it is.
        files: The files.
        architecture: What they are of.
        scores: What was measured, a value for each training.
    """

    folder: Path
    files: list[Path]
    architecture: Architecture
    scores: dict[str, list[float]] = field(default_factory=dict)

    def __repr__(self) -> str:
        told = [f"{name} {_mean(values)}" for name, values in self.scores.items()]
        return f"Exported({', '.join([str(self.folder), *told])})"


@own_torch_state()
def export(
    what: str | Architecture,
    *,
    out: str | Path,
    to: Sequence[str] = ("pytorch",),
    space: str | Space | None = None,
    data: EvaluatorLike | None = None,
    task: str = "",
    retrain: str | None = None,
    trainings: int = 1,
    seed: int = 0,
    device: str = "auto",
    storage: str | None = None,
) -> Exported:
    """Writes an architecture as files that run without this package.

    Of a run, the weights are those that its search trained. Trained again, a network learns from
    the training and the validation part together, and is measured on the test part, once; with
    several trainings scores are their mean and deviation, and the weights those of the first.
    Interrupted, the same call goes on where it was.

    Args:
        what: ``RUN:best`` or ``RUN:12`` of a run's folder (with ``storage`` its name), or an
            architecture as its space writes it.
        out: Folder of the files.
        to: Formats: ``pytorch`` (source, weights, a script that predicts, a model card), ``onnx``,
            ``torchscript``, ``json``, ``dot``.
        space: Of an architecture that is given as text.
        data: Raw data to train an architecture on that is given, or a run's best on others.
        task: What an architecture that is not trained is built for.
        retrain: Options of the recipe, such as ``"epochs=100"``, that the trainings change; blank
            trains as the run did; None does not train a run's again.
        trainings: How many there are.
        seed: Of the trainings.
        device: Where to train.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such run or trial, or nothing to train on.
        UnknownNameError: For a format, or an option of the recipe, that there is not.
        ArchitectureError: For text that is no architecture of the space.
        OutputError: Where nothing can be written.

    Example:
        >>> import tempfile
        >>> cell = "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|skip_connect~0|none~1|none~2|"
        >>> cells = "nasbench201:width=4,cells=1"
        >>> told = export(cell, space=cells, out=tempfile.mkdtemp(), to=["dot"])
        >>> [file.name for file in told.files]
        ['architecture.dot']
    """
    for name in to:
        FORMATS.get(name)
    check_at_least(trainings=(trainings, 1))
    options = read_options("retrain", retrain) if retrain else {}
    found = _given(what, space, data, task) if storage is None else None
    found = found or _of_run(str(what), data, storage)
    folder = Path(out)
    with writing(folder):
        if found.trainer is None:
            if retrain is not None:
                raise UsageError("There is nothing to train on.", "Give raw data, e.g. --data DIR.")
            model = found.model()
        elif retrain is None and found.weights is not None:
            model = found.trained()
        else:
            model = _retrained(found, options, folder, trainings, seed, device)
        files = write_model(model, to, folder)
        shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
    return Exported(folder, files, found.architecture, dict(model.scores))


def trained_model(what: str, storage: str | None = None) -> Model:
    """Returns a network as the search of a run left it.

    Args:
        what: ``RUN:best`` or ``RUN:12``, as for `export`.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such trial, or its weights were not kept.
    """
    found = _of_run(what, None, storage)
    if found.weights is None:
        raise UsageError(
            f"The search of {what} kept no weights of it.",
            "Only trainings on raw data, in the folder of a run, leave some.",
        )
    return found.trained()


@dataclass(frozen=True, eq=False)
class _Found:
    """An architecture, and what there is to train it with."""

    space: Space
    architecture: Architecture
    trainer: OnData | None = None
    weights: Path | None = None
    scores: dict[str, list[float]] = field(default_factory=dict)
    history: dict[str, Any] = field(default_factory=dict)

    @property
    def task(self) -> Task:
        return self.space.task_of(self.architecture.indices, self.space.task)

    def network(self) -> tuple[Space, Architecture]:
        """Space and architecture of the network that is written."""
        whose = self.space if self.trainer is None else self.trainer
        return whose.network(self.architecture)

    def model(self) -> Model:
        """The network as it is before any training."""
        space, own = self.network()
        return Model(space.build(own, self.task).eval(), space, own, self.task)

    def trained(self) -> Model:
        """The network as the search left it."""
        assert self.trainer is not None
        assert self.weights is not None
        space, own = self.network()
        network = space.build(own, self.task)
        network.load_state_dict(load_file(self.weights))
        scores = dict(self.scores)
        told = Trained(network.eval(), {}, [], 0, self.task)
        scores |= {name: [value] for name, value in self.trainer.report(told).items()}
        return _model(self, self.trainer, network.eval(), scores, self.history)


def _given(
    what: str | Architecture, space: str | Space | None, data: EvaluatorLike | None, task: str
) -> _Found | None:
    """What an architecture stands for; None where a run may be meant."""
    if space is None:
        if isinstance(what, Architecture):
            space = what.space
        elif ":" in what and Path(what.rpartition(":")[0]).is_dir():
            return None
        else:
            raise UsageError(
                f"{what!r} is neither RUN:best nor RUN:NUMBER of a run that is there.",
                "Give the space of an architecture, e.g. --space nasbench201.",
            )
    found = make_space(space) if isinstance(space, str) else space
    if task:
        found = found.for_task(read_task(task, found.task))
    architecture = found.architecture(what)
    if data is None:
        return _Found(found, architecture)
    trainer = _trainer(found, data)
    return _Found(trainer.space, architecture, trainer)


def architecture_of(what: str, storage: str | None = None) -> tuple[Space, Architecture]:
    """Returns the space and the architecture of a trial.

    Args:
        what: ``RUN:best`` or ``RUN:12``, as for `export`.
        storage: As for `search`.

    Raises:
        UsageError: Where there is no such trial.
    """
    run, told, trial = _trial(what, storage)
    return space_of(run.config), told.architecture(trial)


def _trial(what: str, storage: str | None) -> tuple[Run, SearchResult, Trial]:
    name, _, which = what.rpartition(":")
    run = Run.open(name, storage, writable=False)
    told = show(name, storage)
    if which == BEST:
        if not told.best:
            raise UsageError(f"{run.location} has no best yet.", "Let its search go on.")
        return run, told, told.best[0]
    numbered = {str(trial.number): trial for trial in told.trials if trial.done}
    if which not in numbered:
        raise UsageError(
            f"{run.location} has no finished trial {which!r}.",
            f"Give {BEST} or the number of one, such as {next(iter(numbered), 0)}.",
        )
    return run, told, numbered[which]


def _of_run(what: str, data: EvaluatorLike | None, storage: str | None) -> _Found:
    run, told, trial = _trial(what, storage)
    space = space_of(run.config)
    if run.config.task:
        space = space.for_task(read_task(run.config.task, space.task))
    architecture = told.architecture(trial)
    trainer: OnData | None
    if data is not None:
        trainer = _trainer(space, data)
    else:
        named = ", ".join((run.config.maximize, run.config.minimize, run.config.where))
        trainer = _training_part(evaluator_of(run.config, space, (), named))
    weights = None if run.folder is None else run.folder / "trials" / str(trial.number) / WEIGHTS
    kept = weights is not None and weights.is_file() and data is None
    return _Found(
        space if trainer is None else trainer.space,
        architecture,
        trainer,
        weights if kept else None,
        {_score(name, trainer): [value] for name, value in trial.metrics.items()},
        {"run": run.location, "trial": trial.number},
    )


def _score(metric: str, trainer: OnData | None) -> str:
    if trainer is None or metric not in trainer.metrics:
        return metric
    return f"{trainer.measured_on} {metric}".strip()


def _trainer(space: Space, data: EvaluatorLike) -> OnData:
    from ..evaluators.resolver import evaluator

    made = _training_part(evaluator(space, data))
    if made is None:
        raise UsageError("Nothing is trained on these data.", "Give a folder or file of raw data.")
    return made


def _training_part(evaluator: Evaluator | None) -> OnData | None:
    parts = evaluator.evaluators if isinstance(evaluator, JoinedEvaluator) else (evaluator,)
    return next((each for each in parts if isinstance(each, OnData)), None)


def _retrained(
    found: _Found, options: dict[str, Any], folder: Path, trainings: int, seed: int, device: str
) -> Model:
    assert found.trainer is not None
    trainer = found.trainer.retraining(**options)
    place = resolve_device(device)
    identity = f"{found.space.text} {found.architecture} {trainer.recipe.model_dump_json()} {seed}"
    scores: dict[str, list[float]] = {}
    space, own = found.network()
    network = space.build(own, found.task)
    with progress_bar() as bar:
        task = bar.add_task("trainings", total=trainings)
        for number in range(trainings):
            unfinished = folder / UNFINISHED / str(number)
            told = _one(
                found, trainer, unfinished, identity, derive_seed(seed, "retrain", number), place
            )
            for name, value in told.items():
                scores.setdefault(name, []).append(value)
            bar.advance(task)
    network.load_state_dict(load_file(folder / UNFINISHED / "0" / WEIGHTS))
    history = {k: v for k, v in found.history.items() if k in ("run", "trial")}
    return _model(found, trainer, network.eval(), scores, history)


def _one(
    found: _Found,
    trainer: OnData,
    folder: Path,
    identity: str,
    seed: int,
    device: torch.device,
) -> dict[str, float]:
    """Scores of one training, which is done only where it was not done before."""
    result = folder / "result.json"
    if result.is_file():
        kept = json.loads(result.read_text(encoding="utf-8"))
        if kept["identity"] == identity:
            return dict(kept["scores"])
        shutil.rmtree(folder)
    context = Context(device=str(device), folder=folder)
    told = trainer.train(found.architecture, seed=seed, context=context)
    scores = trainer.report(told, device)
    kept = {"identity": identity, "scores": scores}
    result.write_text(json.dumps(kept), encoding="utf-8")
    return scores


def _model(
    found: _Found,
    trainer: OnData,
    network: torch.nn.Module,
    scores: dict[str, list[float]],
    history: dict[str, Any],
) -> Model:
    inputs, outputs = trainer.preparation(found.task)
    space, own = found.network()
    return Model(
        network,
        space,
        own,
        found.task,
        inputs,
        outputs,
        scores,
        {
            "data": trainer.source,
            **history,
            "recipe": trainer.recipe_of(found.architecture).model_dump(),
        },
        trainer.test_part(),
    )


def _mean(values: Sequence[float]) -> str:
    spread = f" ± {stdev(values):.4f}" if len(values) > 1 else ""
    return f"{mean(values):.4f}{spread}"
