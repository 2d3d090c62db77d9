"""What defines a run: everything its trajectory depends on, as JSON in the storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    model_serializer,
    model_validator,
)

from ...core.evaluator_config import EvaluatorConfig

__all__ = ["RunConfig", "SourceConfig"]

# What version 0.2.0 did not know and refuses: kept only where it says something.
_LATER = ("lower", "transfer")


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_serializer(mode="wrap")
    def _known_before(self, serialize: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in serialize(self).items() if value or key not in _LATER}


class SourceConfig(_Kept):
    """The labels of an earlier task, kept with the run, which the earlier one may not outlive.

    Args:
        name: What reports call it.
        rows: Choice indices.
        values: Values of the rows by metric.
        lower: Metrics of which less is better.
    """

    name: str
    rows: tuple[tuple[int, ...], ...]
    values: dict[str, tuple[float, ...]]
    lower: tuple[str, ...] = ()


class RunConfig(_Kept):
    """What defines a run.

    Args:
        space: Name of the space.
        declaration: What the YAML file of the space said, where it came from one.
        evaluators: Where labels come from, joined; none where they are told.
        task: What architectures are built for, where that is not what the space or the evaluators
            say (see `vitruvius.spaces.task.parse_task`).
        maximize: Objectives, as for `Problem`.
        minimize: Objectives, as for `Problem`.
        where: Constraints, as for `Problem`.
        method: Name of the method.
        seed: Of everything random.
        batch: How many trials may be evaluated at the same time, over all processes.
        initial: Random architectures before the method decides.
        warm_start: Earlier tasks that the method starts from.
        budget: Evaluations, prior results not counted; the one thing that may grow.
        workers: Evaluations at the same time in one process, unless told otherwise.
        executor: What runs them, unless told otherwise.
        timeout: Seconds after which an evaluation has failed, unless told otherwise.
        pruner: What stops evaluations that fall behind (see `vitruvius.bo.pruners.pruner`).
        transfer: What a transfer was asked for, from which its method is made again.

    Example:
        >>> config = RunConfig(space="nasbench201", maximize="accuracy", seed=1)
        >>> RunConfig.model_validate_json(config.model_dump_json()) == config
        True
        >>> config.differences(RunConfig(space="nasbench201", maximize="top1", seed=1))
        {'maximize': ('accuracy', 'top1')}
    """

    space: str
    declaration: dict[str, Any] | None = None
    evaluators: tuple[EvaluatorConfig, ...] = ()
    task: str = ""
    maximize: str = ""
    minimize: str = ""
    where: str = ""
    method: str = "bo"
    seed: int = 0
    batch: int = Field(default=1, ge=1)
    initial: int = Field(default=5, ge=0)
    warm_start: tuple[SourceConfig, ...] = ()
    budget: int = Field(default=0, ge=0)
    workers: int = Field(default=1, ge=1)
    executor: str = "process"
    timeout: float | None = None
    pruner: str = "none"
    transfer: dict[str, Any] | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_0_1(cls, data: Any) -> Any:
        """Version 0.1.0 had one evaluator, and called what a search starts from ``earlier``."""
        if not isinstance(data, dict):
            return data
        new = {"warm_start" if key == "earlier" else key: value for key, value in data.items()}
        if "evaluator" in new:
            old = new.pop("evaluator")
            new["evaluators"] = [] if old is None else [old]
        return new

    def differences(self, other: RunConfig) -> dict[str, tuple[object, object]]:
        """Lists what would give another trajectory: name, the value here, the value there.

        Where files lie is none of it.
        """
        free = {"budget", "workers", "executor", "timeout", "transfer"}
        if not all(each.source for each in (*self.evaluators, *other.evaluators)):
            free |= {"evaluators"}  # what only Python has cannot be compared
        here, there = self.model_dump(), other.model_dump()
        return {
            name: (_brief(here[name]), _brief(there[name]))
            for name in here
            if name not in free and _placeless(here[name]) != _placeless(there[name])
        }


def _brief(value: Any) -> Any:
    """A setting with the number of labels in the place of labels."""
    if isinstance(value, dict) and "rows" in value:
        return f"{value['name']} with {len(value['rows'])} labels"
    if isinstance(value, list | tuple):
        return [_brief(each) for each in value]
    return value


def _placeless(value: Any) -> Any:
    """A setting with the names of files in the place of their paths."""
    if isinstance(value, str) and value.startswith("/"):
        return Path(value).name
    if isinstance(value, dict):
        # Runs of 0.2.0 did not keep which way is better.
        return {key: _placeless(each) for key, each in value.items() if key != "lower"}
    if isinstance(value, list | tuple):
        return [_placeless(each) for each in value]
    return value
