import pytest

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.metric import Metric


def test_bounds_are_in_order() -> None:
    with pytest.raises(UsageError, match="not in order"):
        Metric("latency", "s", "lower", (1.0, 0.0))
