"""Targets: what is wanted of an architecture, written as text and checked against the metrics."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor

from ..core.errors import TargetError, UnknownNameError
from ..core.units import convertible, unit_of
from ..spaces import Space
from .metric import Metric

__all__ = ["EXAMPLES", "Target", "Targets", "exact_metrics", "parse_targets"]

EXAMPLES = "valid_perf>=0.80, latency<=5ms, params=4.2e6±2%, 0.5<=flops<=0.7, depth in [8, 12]"

_NAME = r"(?P<name>[A-Za-z_][\w.]*)"
_COMPARE = r"<=|>=|<|>"


def _quantity(group: str) -> str:
    number = r"(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?"
    return rf"(?P<{group}>[+-]?{number})\s*(?P<{group}_unit>[A-Za-zµμ%]*)"


_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        rf"{_NAME}\s*(?P<after>{_COMPARE})\s*{_quantity('b')}",
        rf"{_quantity('a')}\s*(?P<before>{_COMPARE})\s*{_NAME}",
        rf"{_quantity('a')}\s*(?P<before>{_COMPARE})\s*{_NAME}"
        rf"\s*(?P<after>{_COMPARE})\s*{_quantity('b')}",
        rf"{_NAME}\s+in\s*\[\s*{_quantity('a')}\s*,\s*{_quantity('b')}\s*\]",
        rf"{_NAME}\s*==?\s*{_quantity('value')}(?:\s*±\s*{_quantity('tolerance')})?",
    )
)
_SPELLINGS = (("≤", "<="), ("≥", ">="), ("+/-", "±"), ("+-", "±"))
_MIRROR = {"<=": ">=", ">=": "<=", "<": ">", ">": "<"}


@dataclass(frozen=True)
class Target:
    """A closed interval that a metric shall lie in.

    Args:
        metric: Name of the metric.
        low: Smallest wanted value, in the metric's unit; ``-inf`` for none.
        high: Largest wanted value; ``inf`` for none.
        text: How it was written.
    """

    metric: str
    low: float
    high: float
    text: str

    def distance(self, values: Shaped[Tensor, " B"]) -> Float[Tensor, " B"]:
        """Returns how far values lie outside, relative to the bound; 0 inside, inf for NaN.

        Relative to 1 where the bound is 0.
        """
        values = values.double()
        relative = torch.zeros_like(values)
        for bound, outside in ((self.low, values < self.low), (self.high, values > self.high)):
            distance = (values - bound).abs() / (abs(bound) or 1.0)
            # A distance too small to divide is still outside.
            distance = distance.clamp(min=torch.finfo(torch.float64).tiny)
            relative = torch.where(outside, distance, relative)
        return torch.where(values.isnan(), math.inf, relative)


class Targets(tuple[Target, ...]):
    """All targets, one per metric; made by `parse_targets`.

    Example:
        >>> metrics = {"latency": Metric("latency", "s", "lower", (0.0, math.inf))}
        >>> targets = parse_targets("latency<=5ms", metrics)
        >>> targets.satisfied({"latency": torch.tensor([0.004, 0.006, math.nan])}).tolist()
        [True, False, False]
        >>> latency = torch.tensor([0.005, 0.01], dtype=torch.float64)
        >>> targets.violation({"latency": latency}).tolist()
        [0.0, 1.0]
    """

    __slots__ = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The metrics that have a target."""
        return tuple(target.metric for target in self)

    def satisfied(self, values: Mapping[str, Shaped[Tensor, " B"]]) -> Bool[Tensor, " B"]:
        """Tells where all targets are met; NaN meets none, and no targets are always met.

        Args:
            values: One ``[B]`` tensor per metric, in the metric's unit; others are ignored. Give
                float64: the nearest float32 of a bound may lie outside.

        Raises:
            TargetError: Where the values of a metric are missing, or of all.
        """
        return self.violation(values) == 0

    def violation(self, values: Mapping[str, Shaped[Tensor, " B"]]) -> Float[Tensor, " B"]:
        """Sums the relative distances to the wanted intervals; 0 exactly where all are met.

        Args:
            values: As for `satisfied`; a NaN is infinitely far.

        Raises:
            TargetError: As for `satisfied`.
        """
        missing = [name for name in self.names if name not in values]
        if missing or not values:
            raise TargetError(
                f"There are no values of {', '.join(missing) or 'any metric'}.",
                f"Values came for: {', '.join(sorted(values)) or 'nothing'}.",
            )
        total = torch.zeros_like(next(iter(values.values())), dtype=torch.float64)
        for target in self:
            total += target.distance(values[target.metric])
        return total

    def restrict(self, names: Iterable[str]) -> Targets:
        """Returns the targets on these metrics alone."""
        kept = set(names)
        return Targets(target for target in self if target.metric in kept)

    def __str__(self) -> str:
        return ", ".join(target.text for target in self)


def parse_targets(text: str, metrics: Mapping[str, Metric]) -> Targets:
    """Reads targets such as ``valid_perf>=0.80, latency<=5ms, params=4.2e6±2%``.

    Terms are separated by commas; several on one metric must all hold. A term is one of

    - ``metric >= number`` with ``<=``, ``>=``, ``<`` or ``>`` (or ``≤``, ``≥``), either way round;
    - ``low <= metric <= high``, or ``metric in [low, high]``, both ends included;
    - ``metric = number ± tolerance`` (or ``+-``): absolute, or relative to the number where the
      tolerance is in percent;
    - ``metric = number`` for exact counts.

    A number without unit is in the metric's own. Units that convert: s, ms, us; k, M, G for
    counts; % for fractions (and ``fraction`` for metrics in %).

    Args:
        text: The targets; blank for none.
        metrics: The metrics there are, by name.

    Returns:
        One closed interval per metric, in the metric's unit.

    Raises:
        UnknownNameError: For a metric that there is not.
        TargetError: For malformed text, a unit that does not fit, targets that contradict each
            other, or numbers that the metric cannot take.

    Example:
        >>> metrics = {"params": Metric("params", "", "lower", (0.0, math.inf))}
        >>> [target] = parse_targets("params=4.2M±2%", metrics)
        >>> target.low, target.high
        (4116000.0, 4284000.0)
    """
    found: dict[str, Target] = {}
    for term in _terms(text):
        target = _parse_term(term, metrics)
        other = found.get(target.metric)
        if other is not None:
            target = Target(
                target.metric,
                max(target.low, other.low),
                min(target.high, other.high),
                f"{other.text}, {target.text}",
            )
            _check_order(target)
        found[target.metric] = target
    return Targets(found.values())


def exact_metrics(space: Space) -> dict[str, Metric]:
    """Returns the metrics that ``space.statistics`` computes without any label.

    Example:
        >>> from vitruvius.spaces import space
        >>> sorted(exact_metrics(space("nasbench201")))
        ['depth', 'macs', 'params']
    """
    names = space.statistics(torch.tensor([space.example]))
    return {name: Metric(name, "", "lower", (0.0, math.inf), exact=True) for name in names}


def _terms(text: str) -> list[str]:
    """Splits at commas outside of brackets."""
    if not text.strip():
        return []
    return [term.strip() for term in re.split(r",(?![^\[\]]*\])", text)]


def _parse_term(term: str, metrics: Mapping[str, Metric]) -> Target:
    plain = term
    for spelling, ours in _SPELLINGS:
        plain = plain.replace(spelling, ours)
    match = next((match for form in _FORMS if (match := form.fullmatch(plain))), None)
    if match is None:
        raise TargetError(f"{term!r} is not a target.", f"Targets look like: {EXAMPLES}.")
    part = match.groupdict()
    if part["name"] not in metrics:
        raise UnknownNameError.of("metric", part["name"], metrics)
    metric = metrics[part["name"]]
    _check_units_agree(term, part)
    low, high = -math.inf, math.inf
    if "value" in part:
        low, high = _around(term, part, metric)
    elif "after" not in part and "before" not in part:
        low, high = (_number(term, part, end, metric) for end in "ab")
    else:
        ends = (("a", _MIRROR.get(part.get("before", ""))), ("b", part.get("after")))
        for end, relation in ends:
            if relation is None:
                continue
            number = _number(term, part, end, metric)
            if relation.startswith(">"):
                low = max(low, _beyond(number, math.inf) if relation == ">" else number)
            else:
                high = min(high, _beyond(number, -math.inf) if relation == "<" else number)
    target = Target(metric.name, low, high, term)
    _check_order(target)
    if low > metric.bounds[1] or high < metric.bounds[0]:
        raise _impossible(term, metric)
    return target


def _check_units_agree(term: str, part: dict[str, str | None]) -> None:
    """Refuses terms in which some numbers have a unit and others, not zero, have none.

    ``3 <= params <= 4M`` would mean three parameters at least.
    """
    numbers = [name for name in ("a", "b", "value", "tolerance") if part.get(name) is not None]
    if part.get("tolerance_unit") == "%":
        numbers.remove("tolerance")
    have = {bool(part[f"{name}_unit"]) for name in numbers if float(part[name] or 0)}
    if len(have) == 2:
        raise TargetError(
            f"{term!r} gives one number a unit and the other none.",
            "Write the unit at both, or at neither.",
        )


def _around(term: str, part: dict[str, str | None], metric: Metric) -> tuple[float, float]:
    """Interval of ``= number ± tolerance``."""
    value = _number(term, part, "value", metric)
    if part["tolerance"] is None:
        if not metric.exact or metric.unit or not value.is_integer():
            raise TargetError(
                f"{term!r} asks for one exact value, which no measurement meets.",
                f"Say how close, e.g. {metric.name}={part['value']}{part['value_unit']}±2%.",
            )
        return value, value
    if part["tolerance"].startswith(("+", "-")):
        raise TargetError(f"{term!r} has a signed tolerance.", "Write it without a sign.")
    centre = _scaled(term, part, "value", metric)
    if part["tolerance_unit"] == "%":
        width = abs(centre) * _finite(term, Decimal(part["tolerance"])) / 100
    else:
        width = _scaled(term, part, "tolerance", metric)
    return float(centre - width), float(centre + width)


def _number(term: str, part: dict[str, str | None], end: str, metric: Metric) -> float:
    """A number of the term in the metric's unit, checked against the metric's bounds."""
    number = float(_scaled(term, part, end, metric))
    if not metric.bounds[0] <= number <= metric.bounds[1]:
        raise _impossible(term, metric)
    return number


def _scaled(term: str, part: dict[str, str | None], end: str, metric: Metric) -> Decimal:
    """Converts to the metric's unit in decimals, so that 80% is the float 0.8."""
    number = _finite(term, Decimal(part[end] or ""))
    unit = unit_of(part[f"{end}_unit"] or "")
    if unit in ("", metric.unit):
        return number
    known = convertible(metric.unit)
    if unit not in known:
        accepted = ", ".join(repr(name) for name in known if name) or "none"
        own = f"its own, {metric.unit!r}" if metric.unit else "a plain count"
        raise TargetError(
            f"{term!r} has the unit {unit!r}, which does not fit the metric {metric.name!r}.",
            f"Units it accepts: {accepted}; a number without unit is in {own}.",
        )
    return _finite(term, number * known[unit] / known[metric.unit])


def _finite(term: str, number: Decimal) -> Decimal:
    if not math.isfinite(float(number)):
        raise TargetError(f"{term!r} has a number too large to store.", "Use one below 1e308.")
    return number


def _beyond(number: float, towards: float) -> float:
    return math.nextafter(number, towards)


def _check_order(target: Target) -> None:
    if target.low > target.high:
        raise TargetError(
            f"{target.text!r} is contradictory: no value of {target.metric!r} meets it.",
            "Widen the interval or drop a term.",
        )


def _impossible(term: str, metric: Metric) -> TargetError:
    low, high = metric.bounds
    unit = f" {metric.unit}" if metric.unit else ""
    return TargetError(
        f"{term!r} is impossible: {metric.name!r} lies between {low:g} and {high:g}{unit}.",
        f"A number without unit is in {metric.unit!r}." if unit else "",
    )
