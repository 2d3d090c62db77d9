"""Chips in YAML files: what a data sheet says, and what is still open."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from ...core.errors import UnknownNameError, UsageError
from ...core.texts import read_text
from .accelerator import Accelerator

__all__ = ["FIELDS", "KEY", "chip_of", "read_chip"]

KEY = "chip"
FIELDS = tuple(
    name
    for name, parameter in inspect.signature(Accelerator).parameters.items()
    if parameter.kind is parameter.KEYWORD_ONLY
)


def read_chip(path: str | Path) -> dict[str, Any]:
    r"""Reads the fields of a chip, each a value or a list of choices.

    Args:
        path: A file that says ``chip:`` and, below it, fields of `Accelerator`.

    Raises:
        UsageError: For anything else, with the line where it stands.
        UnknownNameError: For a field that there is not.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "chip.yaml"
        >>> _ = file.write_text("chip:\n  rows: [8, 16]\n  columns: 16\n")
        >>> read_chip(file)
        {'rows': [8, 16], 'columns': 16}
    """
    text = read_text(path)
    name = Path(path).name
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{name} is no YAML: {error}.") from error
    if not isinstance(data, dict) or not isinstance(data.get(KEY), dict):
        raise UsageError(f"{name} declares no chip.", f"Begin with '{KEY}:' and its fields below.")
    lines = _lines(root)
    for key in data:
        if key != KEY:
            raise UsageError(
                f"{name} says {key!r} beside '{KEY}', line {lines[(key,)]}.",
                f"Put fields below '{KEY}:'.",
            )
    try:
        return chip_of(data[KEY])
    except (UsageError, UnknownNameError) as error:
        said = (each for each in data[KEY] if re.search(rf"['`]{each}['`]", error.message))
        field = next(said, None)
        where = name if field is None else f"{name}, line {lines[KEY, field]}"
        raise type(error)(f"{error.message.rstrip('.')} ({where}).", error.hint) from error


def chip_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Checks the fields of a chip.

    Args:
        fields: By the names of the arguments of `Accelerator`.

    Raises:
        UsageError: For a value that is none.
        UnknownNameError: For a field that there is not.
    """
    for name, value in fields.items():
        if name not in FIELDS:
            raise UnknownNameError.of("field of a chip", str(name), FIELDS)
        for each in value if isinstance(value, list) else [value]:
            if isinstance(each, bool) or not isinstance(each, str | int | float):
                raise UsageError(
                    f"`{name}` of a chip is {each!r}.", "Give a number, a name, or a list of some."
                )
    return dict(fields)


def _lines(root: yaml.Node | None) -> dict[tuple[Any, ...], int]:
    """The line of every key of the first two levels."""

    def below(node: yaml.Node | None) -> Iterable[tuple[Any, yaml.Node, int]]:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            yield yaml.safe_load(yaml.serialize(key)), value, key.start_mark.line + 1

    found: dict[tuple[Any, ...], int] = {}
    for key, value, line in below(root):
        found[(key,)] = line
        found |= {(key, inner): at for inner, _, at in below(value)}
    return found
