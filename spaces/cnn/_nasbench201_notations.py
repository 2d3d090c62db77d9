"""Notations of NAS-Bench-201's cells in other packages."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from ..literals import Call, integers, read_literal

__all__ = ["read_foreign"]

EDGES = 6
# Order of the benchmark's operations.
NATIVE = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
# Order of NASLib's operations (`naslib/search_spaces/nasbench201/conversions.py`).
NASLIB = ("skip_connect", "none", "nor_conv_3x3", "nor_conv_1x1", "avg_pool_3x3")
# Place in the native order of NASLib's edges: 1-2, 1-3, 1-4, 2-3, 2-4, 3-4.
NASLIB_EDGES = (0, 1, 3, 2, 4, 5)
_STRUCTURE = re.compile(r"Structure\(\s*4 nodes with (.*)\)", re.DOTALL)


def read_foreign(text: str, operations: Sequence[str]) -> str | tuple[int, ...] | None:
    """Reads a cell that is not written in the native notation.

    Args:
        text: What AutoDL's ``Structure`` prints, or its nested tuples; an index of NAS-Bench-201
            and NATS-Bench; NASLib's six numbers; the six operations in the native order.
        operations: Names of the space's, in its order.

    Returns:
        The native string in it, or the choices; None where it is no such notation.

    Raises:
        ValueError: For a cell that the benchmark does not have; says why.
    """
    if match := _STRUCTURE.fullmatch(text.strip()):
        return match[1]
    value = read_literal(text)
    if isinstance(value, Call):
        value = value.arguments[0] if value.arguments else None
    if isinstance(value, dict):
        value = value.get("arch", value.get("op_indices", value.get("arch_str")))
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return tuple(_index(NATIVE[code], operations) for code in _of_index(value))
    if not isinstance(value, list | tuple):
        return None
    names = _flat(value)
    if names and all(isinstance(name, str) for name in names):
        if len(names) != EDGES:
            raise ValueError(f"a cell has {EDGES} operations, got {len(names)}")
        return tuple(_index(name, operations) for name in names)
    numbers = integers(value, "operations")
    if len(numbers) != EDGES or not set(numbers) <= set(range(len(NASLIB))):
        raise ValueError(f"NASLib writes {EDGES} numbers of 0 to {len(NASLIB) - 1}, got {numbers}")
    row = [0] * EDGES
    for place, number in zip(NASLIB_EDGES, numbers, strict=True):
        row[place] = _index(NASLIB[number], operations)
    return tuple(row)


def _index(name: str, operations: Sequence[str]) -> int:
    if name not in operations:
        raise ValueError(f"there is no operation {name!r}")
    return operations.index(name)


def _flat(value: Any) -> list[Any]:
    """The operations of nested tuples, whose innermost are ``(operation, source)``."""
    if not isinstance(value, list | tuple):
        return [value]
    if len(value) == 2 and isinstance(value[0], str) and isinstance(value[1], int):
        return [value[0]]
    return [entry for part in value for entry in _flat(part)]


def _of_index(index: int) -> tuple[int, ...]:
    size = len(NATIVE)
    order = _order(size**EDGES)
    if not 0 <= index < len(order):
        raise ValueError(f"the benchmark's indices are 0 to {len(order) - 1}, got {index}")
    code = order[index]
    return tuple(code // size**place % size for place in reversed(range(EDGES)))


@cache
def _order(cells: int) -> list[int]:
    """Number in lexicographic order of every index: the benchmark shuffled them by this seed."""
    order = list(range(cells))
    random.Random(88).shuffle(order)
    return order
