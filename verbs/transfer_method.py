"""The method of a transfer: made of what was asked for, also again when its run is resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..bo.methods.warm_start import WarmStart
from ..bo.store import SourceConfig
from ..core.errors import UsageError
from ..datasets.labelled import Labelled
from ..datasets.raw_data import RawData, RawGraph, RawImages, is_raw, load_raw
from ..encoders.tasks.graph_task import describe_graph
from ..encoders.tasks.image_task import describe_images
from ..encoders.tasks.task_description import TaskDescription, describe_task
from ..evaluators.evaluator import Evaluator
from ..evaluators.resolver import data_sets, evaluator as make_evaluator
from ..generators.diffusion import GraphDiffusion
from ..generators.generator import Generator
from ..generators.resolver import across, generator_for
from ..predictors.source_task import SourceTask
from ..predictors.source_tasks import SourceTasks, named_tasks
from ..spaces import Space, Task
from .finished import task_of_source

__all__ = [
    "BUILTIN",
    "NewTask",
    "base_generator",
    "recipe_of",
    "source_names",
    "source_tasks",
    "transfer_method",
]

BUILTIN = "builtin"


@dataclass(frozen=True)
class NewTask:
    """What the new data is.

    Args:
        name: What it is called.
        description: What is known of it, if anything.
        evaluator: Where its labels come from, where it is a table.
        task: What it says architectures are for, where it is raw.
    """

    name: str
    description: TaskDescription | None
    evaluator: Evaluator | None
    task: Task | None = None

    @classmethod
    def read(cls, space: Space, data: str | Evaluator | RawData, metrics: str) -> NewTask:
        """Reads the new data.

        Args:
            space: The space.
            data: As for `vitruvius.transfer`.
            metrics: As for `vitruvius.transfer`.
        """
        name = data if isinstance(data, str) else type(data).__name__
        if isinstance(data, str):
            if data not in data_sets(space.name) and is_raw(data):
                name = Path(data).name
                data = load_raw(data)
            else:
                data = make_evaluator(space, data, metrics=metrics)
        if isinstance(data, RawGraph):
            return cls(name, describe_graph(data), None, data.task)
        if isinstance(data, RawImages):
            return cls(name, describe_images(data), None, data.task)
        if isinstance(data, Labelled):
            return cls(name, describe_task(data.task), None, data.task)
        declared = None if data.task == space.task else describe_task(data.task)
        return cls(name, declared, data)


def base_generator(space: Space, generator: str | GraphDiffusion, new: str) -> GraphDiffusion:
    """Returns the generator to start from; of those that ship, none that has seen the new task.

    Args:
        space: The space.
        generator: As for `vitruvius.transfer`.
        new: Name of the new task.

    Raises:
        UsageError: For one that is no graph diffusion.
    """
    if isinstance(generator, str) and generator != BUILTIN:
        return _diffusion(generator_for(space, generator))
    if isinstance(generator, GraphDiffusion):
        return generator
    best = _diffusion(generator_for(space, across(space)))
    return _diffusion(generator_for(space)) if new in best.tasks else best


def _diffusion(generator: Generator) -> GraphDiffusion:
    if not isinstance(generator, GraphDiffusion):
        raise UsageError(
            f"Adapters are for graph diffusion, and {generator.name} is none.",
            "Train one: vitruvius train SPACE --out FOLDER",
        )
    return generator


def source_names(
    space: Space, new: str, trained_across: Sequence[str], *, alone: bool
) -> list[str]:
    """Returns the earlier tasks of a transfer that names none.

    Args:
        space: The space.
        new: Name of the new task.
        trained_across: The tasks that the generator was trained across.
        alone: Whether there are no other earlier tasks.
    """
    known = data_sets(space.name)
    names = [name for name in trained_across if name in known]
    return [name for name in (names if names or not alone else known) if name != new]


def source_tasks(
    space: Space, sources: Sequence[str | SourceTask], warm_start: Sequence[SourceConfig]
) -> list[SourceTask]:
    """Makes the earlier tasks.

    Args:
        space: The space.
        sources: Names as for `vitruvius.transfer`, or tasks.
        warm_start: What earlier runs have measured.

    Raises:
        UsageError: Where there are none.
    """
    there: list[SourceTask] = []
    for source in sources:
        if isinstance(source, SourceTask):
            there.append(source)
        else:
            there += named_tasks(space, [source])
    there += [task_of_source(space, each) for each in warm_start]
    if not there:
        raise UsageError(
            f"There is no earlier task on {space.name} to transfer from.",
            "Give tables as `sources`, or finished runs as `warm_start`.",
        )
    return there


def recipe_of(
    data: object,
    metrics: str,
    generator: object,
    sources: Sequence[str | SourceTask],
    warm_start: Sequence[SourceConfig],
    metric: str,
) -> dict[str, Any] | None:
    """Returns as JSON what `transfer_method` makes a method of; None where only Python has it.

    Args:
        data: As for `vitruvius.transfer`.
        metrics: As for `vitruvius.transfer`.
        generator: As for `vitruvius.transfer`.
        sources: The earlier tasks that are no runs.
        warm_start: Those that are.
        metric: The metric that counts.
    """
    texts = [data, generator, *sources]
    if not all(isinstance(each, str) for each in texts):
        return None
    return {
        "data": _absolute(str(data)),
        "metrics": metrics,
        "generator": _absolute(str(generator)),
        "sources": [_absolute(str(each)) for each in sources],
        "warm_start": [each.model_dump(mode="json") for each in warm_start],
        "metric": metric,
    }


def transfer_method(space: Space, recipe: Mapping[str, Any]) -> WarmStart:
    """Makes the method of a transfer again.

    Args:
        space: The space, for the task of the run.
        recipe: As of `recipe_of`.

    Raises:
        UsageError: Where something of it is not to be had any more.
    """
    new = NewTask.read(space, recipe["data"], recipe["metrics"])
    kept = [SourceConfig.model_validate(each) for each in recipe["warm_start"]]
    tasks = SourceTasks(source_tasks(space, recipe["sources"], kept), new.description)
    base = base_generator(space, recipe["generator"], new.name)
    return WarmStart(tasks, recipe["metric"], generator=base)


def _absolute(text: str) -> str:
    """A path, where text begins with one that is there, as it is called from anywhere."""
    file, colon, rest = text.partition(":")
    return f"{Path(file).resolve()}{colon}{rest}" if Path(file).exists() else text
