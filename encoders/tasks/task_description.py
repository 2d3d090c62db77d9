"""What is known of a task before anything is trained on it, and how far tasks are apart."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ...core.errors import UsageError
from ...spaces.task import GraphTask, ImageTask, Task

__all__ = ["Kind", "TaskDescription", "describe_task", "distances"]

Kind = Literal["graph", "image", "probes"]

# A deviation below this share of the size of the values is rounding.
ROUNDING = 1e-6
STRANGERS = 2.0
# Numbers that agree to this, where there are so many, are hardly those of different data.
SAME, ENOUGH_SHARED = 1e-3, 3


@dataclass(frozen=True)
class TaskDescription:
    """Named numbers that describe a task.

    Args:
        kind: What they were taken from: a graph, images, or values of probe architectures.
        values: The numbers; what is not known of a task is left out.

    Raises:
        UsageError: For a value that is not finite.

    Example:
        >>> described = TaskDescription("graph", {"log nodes": 7.9})
        >>> TaskDescription.from_json(described.to_json()) == described
        True
    """

    kind: Kind
    values: Mapping[str, float]

    def __post_init__(self) -> None:
        unknown = [name for name, value in self.values.items() if not math.isfinite(value)]
        if unknown:
            raise UsageError(
                f"The value of {unknown[0]!r} is {self.values[unknown[0]]}.",
                "Leave out what is not known.",
            )

    def to_json(self) -> dict[str, Any]:
        """Returns the JSON form."""
        return {"kind": self.kind, "values": dict(self.values)}

    def is_of_the_same(self, other: TaskDescription) -> bool:
        """Whether it may well describe the same data: no number that both have differs.

        Args:
            other: Another description.

        Example:
            >>> values = {"log nodes": 7.9, "log classes": 1.95, "log degree": 1.59}
            >>> cora = TaskDescription("graph", values)
            >>> cora.is_of_the_same(TaskDescription("graph", {**values, "clustering": 0.24}))
            True
            >>> cora.is_of_the_same(TaskDescription("graph", {"log nodes": 7.9}))
            False
        """
        shared = self.values.keys() & other.values.keys()
        return (
            self.kind == other.kind
            and len(shared) >= ENOUGH_SHARED
            and all(math.isclose(self.values[n], other.values[n], abs_tol=SAME) for n in shared)
        )

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskDescription:
        """Reads the JSON form.

        Args:
            data: As `to_json` writes it.

        Raises:
            UsageError: For what is no description.
        """
        try:
            kind = data["kind"]
            values = {str(name): float(value) for name, value in data["values"].items()}
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise UsageError(
                f"This is no description of a task: {error!r}.",
                "It has a `kind`, and `values` by name.",
            ) from None
        if kind not in get_args(Kind):
            raise UsageError(
                f"A task is not described by {kind!r}.", f"Kinds: {', '.join(get_args(Kind))}."
            )
        return cls(kind, values)


def describe_task(task: Task) -> TaskDescription | None:
    """Describes a task by what is declared of it, where there is no raw data to look at.

    The values are some of those that `describe_graph` and `describe_images` take from the data.

    Args:
        task: What architectures are built for.

    Returns:
        None for a task that is neither a graph nor images.

    Example:
        >>> from vitruvius.spaces.gnn.nas_bench_graph import TASKS
        >>> {name: round(value, 2) for name, value in describe_task(TASKS["cora"]).values.items()}
        {'log classes': 1.95, 'log features': 7.27, 'log nodes': 7.9, 'log degree': 1.59}
    """
    values = {"log classes": math.log(task.classes)}
    if isinstance(task, ImageTask):
        values["channels"] = task.channels
        values["log resolution"] = math.log(task.resolution)
        return TaskDescription("image", values)
    if not isinstance(task, GraphTask):
        return None
    values["log features"] = math.log(task.features)
    if task.nodes:
        values["log nodes"] = math.log(task.nodes)
    if task.nodes and task.edges:
        values["log degree"] = math.log1p(2 * task.edges / task.nodes)
    return TaskDescription("graph", values)


def distances(descriptions: Sequence[TaskDescription]) -> Float[Tensor, "K K"]:
    """Tells how far tasks are apart: the mean squared difference of what is known of both.

    Every value is scaled to variance 1 over the descriptions of its kind that have it, so that
    two tasks drawn from them are at distance 2 in the mean; a value that all have alike counts as
    a difference of 0. So distances are relative to the descriptions given: of only two, every
    value that differs at all differs by 2. Values of probes are scores of variance 1 within a task
    and are compared as they are: the distance is ``2 (1 - r)`` for a correlation ``r`` of scores.
    Two descriptions without a common value, or of different kinds, are at distance 2: strangers.

    Args:
        descriptions: Of the tasks.

    Returns:
        Symmetric, 0 on the diagonal.

    Example:
        >>> tasks = [TaskDescription("graph", {"log nodes": size}) for size in (7.0, 7.5, 10.0)]
        >>> distances([*tasks, TaskDescription("probes", {"probe 0": 1.0})])
        tensor([[0.0000, 0.0968, 3.4839, 2.0000],
                [0.0968, 0.0000, 2.4194, 2.0000],
                [3.4839, 2.4194, 0.0000, 2.0000],
                [2.0000, 2.0000, 2.0000, 0.0000]], dtype=torch.float64)
    """
    names = sorted({(each.kind, name) for each in descriptions for name in each.values})
    table = torch.full((len(descriptions), len(names)), math.nan, dtype=torch.float64)
    for row, each in zip(table, descriptions, strict=True):
        for place, (kind, name) in enumerate(names):
            if kind == each.kind and name in each.values:
                row[place] = each.values[name]
    known = ~table.isnan()
    count = known.sum(0).clamp(min=1)
    mean = table.nan_to_num(0.0).sum(0) / count
    centred = (table - mean).nan_to_num(0.0)
    deviation = (centred.square().sum(0) / (count - 1).clamp(min=1)).sqrt()
    deviation[[kind == "probes" for kind, _ in names]] = 1.0
    rounding = deviation <= ROUNDING * table.nan_to_num(0.0).abs().amax(0)
    scaled = centred / deviation.masked_fill(rounding, math.inf)
    both = (known[:, None] & known[None]).double()
    square = ((scaled[:, None] - scaled[None]).square() * both).sum(-1)
    shared = both.sum(-1)
    apart = torch.where(shared > 0, square / shared.clamp(min=1), STRANGERS)
    return apart.fill_diagonal_(0.0)
