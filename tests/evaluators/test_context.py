from __future__ import annotations

import math
import time

import pytest

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.context import Context


def test_it_stops_once_and_for_all() -> None:
    context = Context(reporter=lambda step, metrics: step != 2)
    assert [context.report(step, {"a": float(step)}) for step in (1, 2, 3)] == [True, False, False]
    assert (context.stopped, context.metrics) == (2, {"a": 3.0})


def test_alone_it_never_stops() -> None:
    context = Context()
    assert context.report(0, {"a": 1.0})
    assert context.seconds_left == math.inf
    assert Context(deadline=time.time() - 1).seconds_left < 0


@pytest.mark.parametrize("step", [-1, True])
def test_steps_are_whole_numbers(step: int) -> None:
    with pytest.raises(UsageError, match="whole numbers"):
        Context().report(step, {})
