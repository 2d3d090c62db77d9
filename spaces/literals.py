"""Values as JSON and Python print them, read without running anything."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Call", "integers", "read_literal"]

LONGEST = 20_000
_NAMES = {"true": True, "false": False, "null": None, "nan": float("nan")}
# Calls whose first argument is the value: how numpy and torch print numbers and arrays.
_WRAPPERS = re.compile(r"u?int\d*|float\d*|bool_?|array|asarray|tensor|str_|list|tuple|OrderedDict")
_UNREADABLE = (SyntaxError, ValueError, RecursionError, MemoryError, TypeError)


@dataclass(frozen=True)
class Call:
    """What a class printed of its object, such as ``Arch([0, 0, 1, 2], ['gcn', …])``.

    Args:
        name: Of the class.
        arguments: By position.
        keywords: By name.
    """

    name: str
    arguments: tuple[Any, ...]
    keywords: Mapping[str, Any]


def read_literal(text: str) -> Any:
    """Reads a value: JSON, or Python's repr with numbers and arrays of numpy.

    Args:
        text: For example ``"{'ops': ['a'], 'n': np.int64(3)}"``.

    Returns:
        Numbers, strings, lists, tuples and dictionaries, a `Call` for an object of another class;
        None where the text is no such value.

    Example:
        >>> read_literal("(np.int64(3), [true, None], array([[0 1], [0 0]]))")
        (3, [True, None], [[0, 1], [0, 0]])
        >>> read_literal("__import__('os').getcwd()") is None
        True
    """
    if len(text) > LONGEST:
        return None
    # An array as numpy prints it has spaces alone between its numbers.
    spaced = re.sub(r"(?<=[\d.\]])\s+(?=[\d\[-])", ", ", text.strip())
    for written in dict.fromkeys((text.strip(), spaced)):
        try:
            with warnings.catch_warnings(action="ignore"):
                return _value(ast.parse(written, mode="eval").body)
        except _UNREADABLE:
            continue
    return None


def integers(value: object, what: str) -> list[int]:
    """Returns a list of whole numbers, also where it was one number.

    Args:
        value: As from `read_literal`.
        what: What it is called in errors.

    Raises:
        ValueError: For anything else.

    Example:
        >>> integers((2, 3.0), "depths")
        [2, 3]
    """
    found = []
    for entry in value if isinstance(value, list | tuple) else [value]:
        if not isinstance(entry, int | float) or isinstance(entry, bool) or entry != entry // 1:
            raise ValueError(f"{what} are whole numbers, got {entry!r}")
        found.append(int(entry))
    return found


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=str() | int() | float() | None):
            return node.value
        case ast.List(elts=entries):
            return [_value(entry) for entry in entries]
        case ast.Tuple(elts=entries):
            return tuple(_value(entry) for entry in entries)
        case ast.Dict(keys=keys, values=values):
            if any(key is None for key in keys):
                raise ValueError("**")
            pairs = zip(keys, values, strict=True)
            return {_value(key): _value(value) for key, value in pairs if key is not None}
        case ast.UnaryOp(op=ast.USub(), operand=ast.Constant(value=int() | float() as number)):
            return -number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.Call(func=ast.Name() | ast.Attribute(value=ast.Name())):
            return _call(node)
    raise ValueError(type(node).__name__)


def _call(node: ast.Call) -> Any:
    """What a wrapper holds, else the call."""
    name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id  # type: ignore[attr-defined]
    if _WRAPPERS.fullmatch(name) and node.args:
        value = _value(node.args[0])
        is_mapping = name == "OrderedDict" and isinstance(value, list)
        return dict(value) if is_mapping else value
    arguments = tuple(_value(argument) for argument in node.args)
    keywords = {str(keyword.arg): _value(keyword.value) for keyword in node.keywords}
    return Call(name, arguments, keywords)
