"""What user code returns, as numbers by metric."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from numbers import Real
from typing import Any

from ..core.errors import nearest

__all__ = ["by_metric", "missing", "number", "numbers"]

LONGEST = 60


def number(value: object) -> float:
    """Returns a number as a float, also one in an array or tensor of one element.

    Args:
        value: A number of any library. Flags and text are none, whatever they look like.

    Raises:
        TypeError: For what is no number.

    Example:
        >>> import torch
        >>> number(torch.tensor([0.5]))
        0.5
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes) and len(value) == 1:
        return number(value[0])
    item = value
    if callable(read := getattr(value, "item", None)):
        try:
            item = read()
        except (RuntimeError, ValueError) as error:
            raise TypeError(f"{_short(value)} is not one number") from error
    if isinstance(item, bool):
        raise TypeError(f"{item} is a flag, not a number")
    if isinstance(item, str | bytes):
        raise TypeError(f"{_short(item)} is text, not a number")
    if not isinstance(item, Real | Decimal):
        raise TypeError(f"{_short(item)} is no number")
    return float(item)


def numbers(values: Mapping[Any, object]) -> tuple[dict[str, float], dict[str, str]]:
    """Parts numbers from all else.

    Args:
        values: Anything by name.

    Returns:
        The numbers, and of the others why they are none.

    Example:
        >>> numbers({"accuracy": 0.9, "checkpoint": "best.pt"})
        ({'accuracy': 0.9}, {'checkpoint': "'best.pt' is text, not a number"})
    """
    found: dict[str, float] = {}
    others: dict[str, str] = {}
    for name, value in values.items():
        try:
            found[str(name)] = number(value)
        except (TypeError, ValueError, OverflowError) as error:
            others[str(name)] = str(error)
    return found, others


def by_metric(returned: object, metrics: Iterable[str]) -> Mapping[Any, object]:
    """Returns what a function returned by metric; a bare number is that of the only metric.

    Args:
        returned: What the function returned.
        metrics: Names of what was asked of it.

    Raises:
        TypeError: For what is neither values by name nor a number, or for one number where several
            metrics are asked for.

    Example:
        >>> by_metric(0.93, ["accuracy"])
        {'accuracy': 0.93}
    """
    if isinstance(returned, Mapping):
        return returned
    if isinstance(returned, Sequence) and len(returned) == 1 and isinstance(returned[0], Mapping):
        return returned[0]
    asked = list(metrics)
    try:
        value = number(returned)
    except TypeError as error:
        raise TypeError(f"it returned neither a number nor numbers by metric: {error}") from None
    if len(asked) != 1:
        raise TypeError(
            f"it returned one number, but {len(asked)} metrics are asked for: {', '.join(asked)}"
        )
    return {asked[0]: value}


def missing(name: str, known: Iterable[str]) -> str:
    """Says that a metric was not returned, and what was.

    Args:
        name: The metric.
        known: Names of what was returned.

    Example:
        >>> missing("accuracy", ["acuracy", "loss"])
        "no accuracy among acuracy, loss: is it 'acuracy'?"
    """
    names = sorted(known)
    if not names:
        return f"no {name}"
    guess = nearest(name, names)
    return f"no {name} among {', '.join(names)}" + (f": is it {guess!r}?" if guess else "")


def _short(value: object) -> str:
    said = " ".join(repr(value).split())
    return said if len(said) <= LONGEST else f"{said[:LONGEST]}…"
