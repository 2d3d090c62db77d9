from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from vitruvius.evaluators import Evaluation
from vitruvius.evaluators.context import Context
from vitruvius.evaluators.function import FunctionEvaluator
from vitruvius.spaces import Architecture, space

CELLS = space("nasbench201")
CELL = CELLS.architecture((1,) * 6)


def evaluated(returned: Any, metrics: str = "accuracy") -> Evaluation:
    return FunctionEvaluator(CELLS, lambda _: returned, metrics).evaluate(CELL)


NUMBERS = [
    0.5, np.float32(0.5), np.array(0.5), np.array([0.5]), np.array([[0.5]]), torch.tensor(0.5),
    torch.tensor([0.5], requires_grad=True), Fraction(1, 2), Decimal("0.5"), [0.5],
    {"accuracy": torch.tensor([0.5])}, [{"accuracy": 0.5}], Evaluation(CELL, {"accuracy": 0.5}),
]  # fmt: skip


@pytest.mark.parametrize("returned", NUMBERS, ids=repr)
def test_a_number_of_any_library_is_the_value_of_the_only_metric(returned: Any) -> None:
    assert evaluated(returned).metrics == {"accuracy": 0.5}


@pytest.mark.parametrize("other", [None, "best.pt", True, [1, 2], {"a": 1}, object(), 1j])
def test_what_was_not_asked_for_fails_nothing(other: Any) -> None:
    told = evaluated({"accuracy": 1, "other": other, "loss": np.float64(2)})
    assert told.metrics == {"accuracy": 1.0, "loss": 2.0}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("63", "'63' is text"),
        (True, "True is a flag"),
        (np.bool_(True), "True is a flag"),
        (torch.tensor([True]), "True is a flag"),
        (None, "None is no number"),
        (torch.ones(2), "is not one number"),
        (1j, "1j is no number"),
    ],
)
def test_what_is_no_number_is_refused_for_a_metric_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(TypeError, match=f"accuracy: {reason}" if reason[0] != "i" else reason):
        evaluated({"accuracy": value})
    with pytest.raises(TypeError, match=f"neither a number nor numbers by metric: .*{reason}"):
        evaluated(value)


def test_one_number_is_not_taken_for_several_metrics() -> None:
    with pytest.raises(TypeError, match="2 metrics are asked for: accuracy, latency_ms"):
        evaluated(0.5, "accuracy, latency_ms<=5")


def test_an_evaluation_is_taken_with_all_it_says() -> None:
    told = evaluated(Evaluation(CELL, {"accuracy": 0.5}, "pruned", "slow", 12, 7, 3.0))
    assert (told.status, told.reason, told.fidelity, told.seed) == ("pruned", "slow", 12, 7)


def test_what_is_told_to_stop_may_return_nothing() -> None:
    def train(_: Architecture, context: Context) -> None:
        context.report(1, {"accuracy": torch.tensor([0.25]), "phase": "warm-up"})

    context = Context(reporter=lambda step, metrics: False)
    FunctionEvaluator(CELLS, train, "accuracy").evaluate(CELL, context=context)  # type: ignore[arg-type]
    assert context.metrics == {"accuracy": 0.25}
