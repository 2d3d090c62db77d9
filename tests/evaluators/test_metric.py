import pytest

from vitruvius.errors import UsageError
from vitruvius.evaluators.metric import Metric


def test_direction_is_checked() -> None:
    with pytest.raises(UsageError, match="'higher' or 'lower'"):
        Metric("latency", "s", "faster")  # type: ignore[arg-type]


def test_bounds_are_in_order() -> None:
    with pytest.raises(UsageError, match="not in order"):
        Metric("latency", "s", "lower", (1, 0))
