"""Units that convert into each other."""

from __future__ import annotations

import re
from decimal import Decimal

__all__ = ["COUNTS", "convertible", "factor", "split_unit", "unit_of"]

# What one unit is worth among its kind.
COUNTS = {"": Decimal(1), "k": Decimal("1e3"), "M": Decimal("1e6"), "G": Decimal("1e9")}
_KINDS: tuple[dict[str, Decimal], ...] = (
    {"s": Decimal(1), "ms": Decimal("1e-3"), "us": Decimal("1e-6"), "ns": Decimal("1e-9")},
    COUNTS,
    {"fraction": Decimal(1), "%": Decimal("1e-2")},
)
_ALIASES = {"µs": "us", "μs": "us", "K": "k", "sec": "s", "msec": "ms", "percent": "%"}
# Of those that do not convert, what the brackets of a header may hold and still be a unit.
_OTHERS = re.compile(r"[munkMGT]?(J|W|Wh|Hz|B|iB|FLOPs|FLOPS|OPs|OPS|MACs)|[KMG]i?B|fps|min|h")
_IN_BRACKETS = re.compile(r"(?P<name>.*\S)\s*[\[(]\s*(?P<unit>[^\[\]()]+?)\s*[\])]")


def unit_of(text: str) -> str:
    """Returns the one spelling of a unit.

    Args:
        text: Any spelling.

    Example:
        >>> unit_of("µs"), unit_of("images/s")
        ('us', 'images/s')
    """
    return _ALIASES.get(text, text)


def convertible(unit: str) -> dict[str, Decimal]:
    """Returns the units that convert into one, with what each is worth.

    Args:
        unit: Of a metric.

    Example:
        >>> list(convertible("%"))
        ['fraction', '%']
    """
    return next((kind for kind in _KINDS if unit in kind), {unit: Decimal(1)})


def factor(unit: str, into: str) -> Decimal | None:
    """Returns what a number in one unit is multiplied by in another; None where that cannot be.

    Args:
        unit: The unit it is in.
        into: The unit it shall be in.

    Example:
        >>> factor("ms", "s"), factor("ms", "%")
        (Decimal('0.001'), None)
    """
    known = convertible(into)
    return known[unit] / known[into] if unit in known else None


def split_unit(header: str) -> tuple[str, str]:
    """Parts a column's header from the unit in its brackets; ``""`` where they hold none.

    Args:
        header: As written.

    Example:
        >>> split_unit("Latency [ms]"), split_unit("accuracy (val)")
        (('Latency', 'ms'), ('accuracy (val)', ''))
    """
    match = _IN_BRACKETS.fullmatch(header.strip())
    unit = unit_of(match["unit"]) if match else ""
    if match and (any(unit in kind for kind in _KINDS) or _OTHERS.fullmatch(unit)):
        return match["name"], unit
    return header.strip(), ""
