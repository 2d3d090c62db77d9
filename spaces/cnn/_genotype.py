"""Genotypes: how DARTS and its followers print a normal and a reduction cell."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..literals import Call, integers, read_literal

__all__ = ["read_genotype", "write_genotype"]

# Of both cells: ``(operation, state)`` of every half of every block, and the states put out.
Cells = tuple[list[tuple[str, int]], list[tuple[str, int]]]
FIELDS = ("normal", "normal_concat", "reduce", "reduce_concat")


def write_genotype(cells: Cells, concatenated: Sequence[Sequence[int]]) -> str:
    """Writes two cells as the public repositories do.

    Args:
        cells: The halves of the normal and of the reduction cell.
        concatenated: The states that either puts out.
    """
    parts = []
    for name, halves, states in zip(("normal", "reduce"), cells, concatenated, strict=True):
        run = list(states) == list(range(states[0], states[-1] + 1)) and len(states) > 1
        shown = f"range({states[0]}, {states[-1] + 1})" if run else str(list(states))
        parts.append(f"{name}={halves}, {name}_concat={shown}")
    return f"Genotype({', '.join(parts)})"


def read_genotype(text: str, blocks: int) -> tuple[Cells, list[list[int] | None]]:
    """Reads two cells, and the states that either puts out where that is said.

    Args:
        text: A ``Genotype(normal=[('sep_conv_3x3', 0), …], normal_concat=range(2, 6), …)``, its
            four values as a tuple, or a dictionary of them.
        blocks: Blocks of a cell.

    Raises:
        ValueError: Where it is no genotype; says why.
    """
    value = read_literal(text)
    said: dict[str, Any] = {}
    if isinstance(value, Call) and value.name == "Genotype":
        said = dict(zip(FIELDS, value.arguments, strict=False)) | dict(value.keywords)
    elif isinstance(value, dict):
        said = {str(key): entry for key, entry in value.items()}
    elif isinstance(value, tuple | list) and len(value) == len(FIELDS):
        said = dict(zip(FIELDS, value, strict=True))
    if not {"normal", "reduce"} <= set(said) <= set(FIELDS):
        raise ValueError("a genotype names its normal and its reduce cell")
    cells = tuple(_halves(said[name], name, blocks) for name in ("normal", "reduce"))
    states = [
        None if said.get(f"{name}_concat") is None else _states(said[f"{name}_concat"], name)
        for name in ("normal", "reduce")
    ]
    return (cells[0], cells[1]), states


def _halves(value: Any, cell: str, blocks: int) -> list[tuple[str, int]]:
    if not isinstance(value, list | tuple) or len(value) != 2 * blocks:
        count = len(value) if isinstance(value, list | tuple) else repr(value)
        raise ValueError(f"a {cell} cell lists {2 * blocks} operations, got {count}")
    found = []
    for half in value:
        if not isinstance(half, list | tuple) or list(map(type, half)) != [str, int]:
            raise ValueError(f"{half!r} is no pair of an operation and a state")
        found.append((half[0], half[1]))
    return found


def _states(value: Any, cell: str) -> list[int]:
    if isinstance(value, Call) and value.name == "range":
        bounds = integers(value.arguments, f"{cell}_concat")
        if len(bounds) not in (1, 2) or max(map(abs, bounds)) > 100:
            raise ValueError(f"{cell}_concat is no range of states")
        return list(range(*bounds))
    return sorted(integers(value, f"{cell}_concat"))
