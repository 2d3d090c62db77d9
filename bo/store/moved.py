"""Runs whose folder has moved: files that lay near it are looked for near where it is now."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...core.evaluator_config import EvaluatorConfig
from .config import RunConfig

__all__ = ["moved", "replaced"]

# As far above the run's folder as `runs/NAME` lies below what belongs together.
ABOVE = 2
_FILE = re.compile(r"(?P<file>/.*?)(?P<name>(?<=\.py):\w+)?", re.DOTALL)


def moved(config: RunConfig, old: Path, new: Path) -> RunConfig:
    """Returns a configuration in which files beside or below a run's folder have moved with it.

    What is not there stays where it was.

    Args:
        config: The configuration as it was written.
        old: The run's folder then.
        new: The run's folder now.
    """
    near = old.parents[min(ABOVE, len(old.parents)) - 1]

    def place(text: str) -> str:
        found = _FILE.fullmatch(text)
        if found is None or not Path(found["file"]).is_relative_to(near):
            return text
        file = os.path.normpath(new / os.path.relpath(found["file"], old))
        return f"{file}{found['name'] or ''}" if Path(file).exists() else text

    if old == new:
        return config
    told = config.model_dump()
    for name in ("evaluators", "transfer"):
        if told.get(name):
            told[name] = _each(told[name], place)
    return RunConfig.model_validate(told)


def replaced(
    there: tuple[EvaluatorConfig, ...], given: tuple[EvaluatorConfig, ...]
) -> tuple[EvaluatorConfig, ...]:
    """Returns a run's evaluators with new places: each given one replaces that of its name.

    Args:
        there: The evaluators of the run.
        given: Some of them elsewhere, or as many others. Without options they have those before.

    Example:
        >>> old = (EvaluatorConfig(source="/a/train.py:f", options={"epochs": 3}),)
        >>> replaced(old, (EvaluatorConfig(source="/b/train.py:f"),))[0].options
        {'epochs': 3}
    """
    left = list(given)
    found = []
    for old in there:
        new = next((each for each in left if _name(each) == _name(old)), None)
        if new is not None:
            left.remove(new)
        elif len(given) == len(there) and left:
            new = left.pop(0)
        if new is None:
            new = old
        elif not new.options:
            new = new.model_copy(update={"options": old.options})
        found.append(new)
    return (*found, *left)


def _name(config: EvaluatorConfig) -> str:
    return Path(config.source).name


def _each(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _each(each, change) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_each(each, change) for each in value]
    return value
