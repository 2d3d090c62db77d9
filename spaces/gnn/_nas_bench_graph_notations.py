"""Architectures of NAS-Bench-Graph as its own package writes them."""

from __future__ import annotations

from collections.abc import Sequence

from ..literals import Call, read_literal

__all__ = ["package_form"]


def package_form(
    text: str, trees: Sequence[Sequence[int]], operations: Sequence[str]
) -> tuple[str, list[str]] | None:
    """Reads ``Arch(link, ops)``, the two as a list or by name, and the hash of them.

    Args:
        text: JSON or what Python prints.
        trees: Parents of the nodes, in the order of the first digit of a hash.
        operations: In the order of the other digits.

    Returns:
        The list of parents as text and the operations, not checked; None where it is no such
        notation.

    Raises:
        ValueError: For a number that is no hash.
    """
    value = read_literal(text)
    if isinstance(value, int) and not isinstance(value, bool):
        size = len(trees[0]) + 1
        digits = [int(digit) for digit in f"{value:0{size}d}"] if 0 <= value < 10**size else []
        if not digits or max(digits) >= len(operations):
            raise ValueError(f"a hash has {size} digits of 0 to 8, the tree first")
        return str(list(trees[digits[0]])), [operations[digit] for digit in digits[1:]]
    if isinstance(value, Call):
        value = {**dict(zip(("link", "ops"), value.arguments, strict=False)), **value.keywords}
    if isinstance(value, dict):
        value = [value.get("link", value.get("lk")), value.get("ops", value.get("op"))]
    if not isinstance(value, list | tuple) or len(value) != 2:
        return None
    if not all(isinstance(part, list | tuple) for part in value):
        return None
    return str(list(value[0])), [str(operation) for operation in value[1]]
