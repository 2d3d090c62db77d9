"""Generators conditioned on the task: trained over many, then set to a new one."""

from __future__ import annotations

import math
from collections.abc import Mapping
from copy import deepcopy

import torch
from jaxtyping import Int
from torch import Tensor

from ..core.errors import UsageError
from ..encoders.tasks.task_description import TaskDescription
from ..predictors.source_tasks import SourceTasks
from ..spaces import Space
from .diffusion import GraphDiffusion
from .training import Source

__all__ = ["SCORE", "for_task", "settle_conditions", "source_across"]

# The condition that says how good an architecture is on the task, as a normal score.
SCORE = "score"
_TASK = "task: "
# Of a hundred architectures the five best: what a new task is asked for.
GOOD = 1.645


def source_across(
    space: Space, rows: Int[Tensor, "A V"], tasks: SourceTasks, metric: str
) -> Source:
    """Makes the training set of a generator that is conditioned on the task.

    Every architecture stands in it once a task, with its score there and the task's description
    as further properties. What is not known of a task is a condition that is absent.

    Args:
        space: The space.
        rows: Architectures to learn from.
        tasks: The tasks, which should have descriptions.
        metric: Name of the metric.

    Raises:
        UsageError: Where no task has the metric.

    Example:
        >>> from vitruvius.predictors.source_task import SourceTask
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(40, 0)
        >>> said = TaskDescription("image", {"log classes": 2.3})
        >>> task = SourceTask("c10", cells, x, {"acc": x.sum(1).double()}, description=said)
        >>> sorted(source_across(cells, x, SourceTasks([task]), "acc").properties)
        ['score', 'task: log classes']
    """
    there = tasks.having(metric)
    if not there:
        raise UsageError(f"No task has the metric {metric!r}.", "Name one that they share.")
    properties = {SCORE: torch.cat([task.scores(metric, rows) for task in there])}
    known = [task.description.values if task.description else {} for task in there]
    for name in sorted({name for values in known for name in values}):
        column = [torch.full((len(rows),), values.get(name, math.nan)) for values in known]
        properties[_TASK + name] = torch.cat(column).double()
    names = tuple(task.name for task in there)
    return Source(space, rows.repeat(len(there), 1), properties, tasks=names)


def for_task(
    generator: GraphDiffusion,
    space: Space,
    description: TaskDescription | None,
    score: float = GOOD,
) -> GraphDiffusion:
    """Sets a generator that was trained across tasks to one of them, seen or not.

    Args:
        generator: Trained on what `source_across` makes.
        space: One of its spaces.
        description: Of the task; what it was not trained with is passed over.
        score: How good proposals shall be, as a normal score; 1.645 is the best 5 %.

    Raises:
        UsageError: For a generator without the condition.

    Example:
        >>> from vitruvius.generators.training import new_denoiser
        >>> from vitruvius.predictors.source_task import SourceTask
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> x = cells.sample(40, 0)
        >>> task = SourceTask("c10", cells, x, {"acc": x.sum(1).double()})
        >>> source = source_across(cells, x, SourceTasks([task]), "acc")
        >>> untrained = GraphDiffusion.of(new_denoiser([source], width=16, layers=1))
        >>> for_task(untrained, cells, None).conditions
        ('params', 'macs', 'depth', 'score')
    """
    if SCORE not in generator.conditions:
        raise UsageError(
            f"This generator is not conditioned on how good architectures are "
            f"({', '.join(generator.conditions) or 'no conditions'}).",
            "Train one across tasks: vitruvius train SPACE --tasks …",
        )
    values = {SCORE: score}
    for name, value in (description.values if description else {}).items():
        if _TASK + name in generator.conditions:
            values[_TASK + name] = value
    return settle_conditions(generator, space, values)


def settle_conditions(
    generator: GraphDiffusion, space: Space, values: Mapping[str, float]
) -> GraphDiffusion:
    """Returns a copy that has some of its conditions wherever they are not given.

    The network adds a vector for every condition, and one in its place where the condition is
    absent. That one becomes the vector of the value, so that the copy is a generator like any
    other, saved as one, and proposes under these conditions when asked for none.

    Args:
        generator: The generator, left as it is.
        space: One of its spaces.
        values: Conditions by name, in their units.

    Example:
        >>> from vitruvius.generators import load
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> small = settle_conditions(load("nasbench201"), cells, {"params": 2e5})
        >>> x = small.propose(cells, 200, seed=0).x
        >>> bool(cells.statistics(x)["params"].double().median() < 3e5)
        True
    """
    denoiser = deepcopy(generator.denoiser)
    number = denoiser.space_index(space.name)
    given = {name: torch.tensor([value]) for name, value in values.items()}
    scores = denoiser.scores(number, given)
    with torch.no_grad():
        for name in values:
            place = denoiser.condition_names.index(name)
            denoiser.absent[place] = denoiser.encoded(place, scores[:, place])[0]
    return GraphDiffusion(denoiser, deepcopy(generator.scheduler))
