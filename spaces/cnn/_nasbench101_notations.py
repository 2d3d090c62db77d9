"""NAS-Bench-101's cells as the benchmark's own package writes them."""

from __future__ import annotations

from typing import Any

from ..literals import Call, integers, read_literal

__all__ = ["benchmark_form"]


def benchmark_form(text: str) -> tuple[list[list[int]], list[str]] | None:
    """Reads matrix and labels as `ModelSpec` and the benchmark's records write them.

    Args:
        text: JSON or what Python prints; without ``input`` and ``output`` these are added.

    Returns:
        The two, not checked further; None where it is no such notation.

    Raises:
        ValueError: For entries that are no whole numbers.
    """
    value = read_literal(text)
    parts: tuple[Any, ...] = ()
    if isinstance(value, Call):
        parts = value.arguments
        value = dict(value.keywords)
    if isinstance(value, tuple | list):
        parts = tuple(value)
    if isinstance(value, dict) and not parts:
        found = [
            next((value[key] for key in keys if key in value), None)
            for keys in (
                ("matrix", "original_matrix", "module_adjacency", "adjacency"),
                ("ops", "original_ops", "module_operations", "operations"),
            )
        ]
        parts = tuple(found)
    if len(parts) != 2 or not all(isinstance(part, list | tuple) for part in parts):
        return None
    matrix, ops = parts
    if not all(isinstance(line, list | tuple) for line in matrix):
        return None
    labels = [str(label) for label in ops]
    if len(labels) == len(matrix) - 2:
        labels = ["input", *labels, "output"]
    return [integers(list(line), "entries of a matrix") for line in matrix], labels
