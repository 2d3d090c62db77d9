"""Options that follow a name: ``name:key=value,key=value``."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import yaml

from .errors import UnknownNameError, UsageError

__all__ = ["check_options", "read_options", "split_options", "with_options"]

# Between options, and not within a list.
_BETWEEN = re.compile(r"[,;](?![^\[]*\])")


def split_options(text: str) -> tuple[str, dict[str, Any]]:
    """Parts a name from its options; numbers, true, false and lists are what they look like.

    Args:
        text: The name, and what follows a colon.

    Raises:
        UsageError: Where the options cannot be read.

    Example:
        >>> split_options("evolution:population=20,fast=true")
        ('evolution', {'population': 20, 'fast': True})
        >>> split_options("mobilenetv3:resolutions=[128,160]")
        ('mobilenetv3', {'resolutions': [128, 160]})
    """
    name, _, written = text.partition(":")
    return name, read_options(name, written)


def read_options(name: str, written: str) -> dict[str, Any]:
    """Reads options; numbers, true and false are what they look like.

    Args:
        name: What they belong to, for errors.
        written: The options, ``key=value,key=value``.

    Raises:
        UsageError: Where they cannot be read.

    Example:
        >>> read_options("./photos", "resolution=32,skip_corrupt=true")
        {'resolution': 32, 'skip_corrupt': True}
    """
    options = {}
    for option in filter(None, (part.strip() for part in _BETWEEN.split(written))):
        key, separator, value = option.partition("=")
        if not separator:
            raise UsageError(
                f"{option!r} is not an option of {name!r}.",
                f"Options follow a colon, e.g. {name}:key=value,key=value.",
            )
        try:
            options[key.strip()] = yaml.safe_load(value)
        # An integer may be too long, and a date no day.
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(
                f"The option {option[:80]!r} of {name!r} cannot be read: "
                f"{str(error).splitlines()[0]}.",
                "Quote text that has marks of YAML.",
            ) from None
    return options


def with_options(name: str, options: Mapping[str, Any]) -> str:
    """Writes a name and its options as `split_options` reads them.

    Args:
        name: The name.
        options: Numbers, words, truth values and lists of these.

    Raises:
        TypeError: For a value that has no such text.

    Example:
        >>> with_options("evolution", {"population": 20, "fast": True})
        'evolution:population=20,fast=true'
    """
    written = (
        f"{key}={value if isinstance(value, str) else json.dumps(value, separators=(',', ':'))}"
        for key, value in options.items()
    )
    return ":".join(filter(None, (name, ",".join(written))))


# What an option may be, how it is said, and an example, by the annotation of what takes it.
_KINDS: dict[str, tuple[tuple[type, ...], str, str]] = {
    "int": ((int,), "a whole number", "32"),
    "float": ((int, float), "a number", "0.5"),
    "bool": ((bool,), "true or false", "true"),
    "str": ((str,), "text", "'…'"),
}


def check_options(name: str, options: Mapping[str, Any], factory: Callable[..., Any]) -> None:
    """Checks that something takes the options that are given to it, and that they are of its kinds.

    Args:
        name: What it is called.
        options: By their names.
        factory: What takes them.

    Raises:
        UnknownNameError: For one that it does not take.
        UsageError: For one that is of another kind than a number, truth value or text has to be.

    Example:
        >>> check_options("int", {"base": 10}, lambda base: None)
    """
    # A class without `__init__` takes none, whatever its `__new__` keeps of what it is given.
    bare = getattr(factory, "__init__", None) is object.__init__
    known = {} if bare else inspect.signature(factory).parameters
    # What takes any names those it does not know itself.
    any_name = any(each.kind is each.VAR_KEYWORD for each in known.values())
    for option, value in options.items():
        if option in known:
            _check_kind(name, option, value, known[option].annotation)
        elif not any_name:
            raise UnknownNameError.of(f"option of {name}", option, known)


def _check_kind(name: str, option: str, value: Any, annotation: Any) -> None:
    text = annotation.__name__ if isinstance(annotation, type) else str(annotation)
    kind = text.removesuffix(" | None")
    if kind not in _KINDS or (value is None and kind != text):
        return
    types, wanted, example = _KINDS[kind]
    # Of numbers, true and false are none.
    if not isinstance(value, types) or isinstance(value, bool) != (kind == "bool"):
        raise UsageError(
            f"`{option}` of {name} is {wanted}, got {value!r}.", f"Write {option}={example}."
        )
