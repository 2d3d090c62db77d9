"""Operations: what a cell's edge or node can be, those that ship and a user's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from ..core.errors import UsageError
from .variable import Role

__all__ = ["Operation", "all_operations", "name_with", "operation"]


@dataclass(frozen=True)
class Operation:
    """One operation that a space can choose.

    Args:
        name: What strings and choices call it: a word of letters, digits and ``_``.
        build: Makes its module from the channels that come in, the channels that go out and the
            stride. Of side ``n`` it must make ``ceil(n / stride)``.
        role: ``op``, ``identity`` where it passes its input on unchanged (at stride 1), ``absent``
            where it gives nothing but zeros.

    Raises:
        UsageError: For a name that is no word.

    Example:
        >>> conv = Operation("conv", lambda width, out, stride: nn.Conv2d(width, out, 1, stride))
        >>> conv.build(4, 8, 2)
        Conv2d(4, 8, kernel_size=(1, 1), stride=(2, 2))
    """

    name: str
    build: Callable[..., nn.Module]
    role: Role = "op"

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z_]\w*", self.name):
            raise UsageError(
                f"{self.name!r} cannot name an operation.",
                "Use a word of letters, digits and '_', e.g. sep_conv_7x7.",
            )


def operation(
    name: str = "", *, role: Role = "op"
) -> Callable[[Callable[[int, int, int], nn.Module]], Operation]:
    """Makes an `Operation` of a function of channels in, channels out and stride.

    With it in a space's ``operations``, it is sampled, written, counted and built as the space's
    own are.

    Args:
        name: What it is called; the function's own name by default.
        role: What it does (see `Operation`).

    Example:
        >>> from vitruvius.spaces.cnn.darts import DARTS, OPERATIONS
        >>> @operation()
        ... def conv_1x1(width, out, stride):
        ...     return nn.Sequential(nn.ReLU(), nn.Conv2d(width, out, 1, stride, bias=False))
        >>> cells = DARTS(operations=(*OPERATIONS, conv_1x1), cells=3, width=4)
        >>> cells.name, cells.variables[1].choices[-1]
        ('darts+conv_1x1', 'conv_1x1')
    """

    def made(build: Callable[..., Any]) -> Operation:
        return Operation(name or build.__name__, build, role)

    return made


def all_operations(given: Sequence[Operation], own: Sequence[Operation]) -> tuple[Operation, ...]:
    """Returns the operations of a space in one order: its own first, then the others as given.

    Args:
        given: What was asked for.
        own: What the space has unless told otherwise.

    Raises:
        UsageError: For none, or for two of one name, be it one of the space's own.
    """
    if not given:
        raise UsageError(
            "A space needs operations, got none.",
            f"Its own are {', '.join(each.name for each in own)}.",
        )
    ordered = (*(each for each in own if each in given), *(e for e in given if e not in own))
    reserved = {each.name: each for each in own}
    seen: set[str] = set()
    for each in ordered:
        if each.name in seen or reserved.get(each.name, each) != each:
            raise UsageError(
                f"Two operations are called {each.name!r}.",
                "Give yours a name that none of the space's own has.",
            )
        seen.add(each.name)
    return ordered


def name_with(name: str, operations: Sequence[Operation], own: Sequence[Operation]) -> str:
    """Names a space by what its operations are besides, and short of, its own.

    What was trained for the one is so never taken for the other.

    Args:
        name: Of the space with its own operations.
        operations: What it has.
        own: Its own.
    """
    more = "".join(f"+{each.name}" for each in operations if each not in own)
    return name + more + "".join(f"-{each.name}" for each in own if each not in operations)
