"""What is set globally, of torch and elsewhere, changes no result and is not changed."""

from __future__ import annotations

import logging
import random
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import vitruvius
from vitruvius.core.torch_state import own_torch_state, users_torch_state
from vitruvius.predictors.resolver import new_predictor

CALLS: dict[str, Callable[[], Any]] = {
    "sample": lambda: vitruvius.sample(
        "nasbench201", target="params<=400k", n=3, generator="uniform"
    ),
    "labels": lambda: vitruvius.sample(
        "nasbench201",
        data=quality,
        target="quality<=12",
        labels=12,
        predictor="gp",
        n=2,
        generator="uniform",
        executor="serial",
    ),
    "search": lambda: vitruvius.search(
        "nasbench201", evaluator=quality, maximize="quality", budget=8, initial=4, executor="serial"
    ),
    "evolution": lambda: vitruvius.search(
        "mobilenetv3",
        evaluator=quality,
        maximize="quality",
        method="evolution:population=3",
        budget=6,
        executor="serial",
    ),
}


def quality(architecture: vitruvius.Architecture) -> dict[str, float]:
    return {"quality": float(sum(architecture.indices))}


@contextmanager
def double() -> Iterator[None]:
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


@contextmanager
def nowhere() -> Iterator[None]:
    torch.set_default_device("meta")
    try:
        yield
    finally:
        torch.set_default_device("cpu")


SLOW = pytest.mark.slow
STATES: dict[str, Callable[[], Any]] = {
    "double precision": double,
    "another device": nowhere,
    "a device by context": lambda: torch.device("meta"),
    "no gradients": torch.no_grad,
    "inference mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu"),
}


def rows(result: Any) -> list[Any]:
    if hasattr(result, "samples"):
        return [(str(each.architecture), each.predicted) for each in result.samples]
    return [(trial.proposal.row, trial.metrics) for trial in result.trials]


@pytest.fixture(scope="module")
def expected() -> dict[str, list[Any]]:
    return {name: rows(call()) for name, call in CALLS.items()}


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(state, marks=() if state in ("double precision", "another device") else SLOW)
        for state in STATES
    ],
)
@pytest.mark.parametrize("call", CALLS)
def test_what_is_set_changes_no_result(
    state: str, call: str, expected: dict[str, list[Any]]
) -> None:
    with STATES[state]():
        result = rows(CALLS[call]())
    assert result == expected[call]


def test_what_is_set_is_not_changed(request: pytest.FixtureRequest) -> None:
    # Checks of annotations draw from `random` themselves.
    checked = request.config.getoption("--shapes")

    def state() -> list[object]:
        return [
            torch.get_default_dtype(),
            torch.get_default_device(),
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.is_grad_enabled(),
            torch.are_deterministic_algorithms_enabled(),
            None if checked else random.getstate(),
            np.random.get_state()[1].tolist(),
            np.geterr(),
            logging.getLogger().level,
            list(warnings.filters),
        ]

    with double():
        before = state()
        for call in CALLS.values():
            call()
        after = state()
    assert after == before


def test_evaluators_of_the_users_have_what_they_set() -> None:
    seen = []

    def evaluate(architecture: vitruvius.Architecture) -> float:
        seen.append((torch.zeros(1).dtype, torch.is_grad_enabled()))
        return 1.0

    with double(), torch.no_grad():
        vitruvius.search(
            "nasbench201", evaluator=evaluate, maximize="x", budget=2, executor="serial"
        )
    assert seen == [(torch.float64, False)] * 2


def test_a_file_of_the_users_may_set_what_it_likes(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import torch\n"
        "torch.set_default_dtype(torch.float64)\n"
        "def evaluate(architecture):\n"
        "    return {'quality': sum(architecture.indices) + torch.zeros(1).element_size()}\n"
    )
    try:
        result = vitruvius.search(
            "nasbench201",
            evaluator=f"{tmp_path}/train.py:evaluate",
            maximize="quality",
            budget=8,
            initial=4,
            executor="serial",
        )
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    plain = vitruvius.search(
        "nasbench201", evaluator=quality, maximize="quality", budget=8, initial=4, executor="serial"
    )
    assert [t.proposal for t in result.trials] == [t.proposal for t in plain.trials]
    assert {
        t.metrics["quality"] - q.metrics["quality"]
        for t, q in zip(result.trials, plain.trials, strict=True)
    } == {8}


def test_states_nest() -> None:
    with double(), own_torch_state():
        with own_torch_state():
            assert torch.get_default_dtype() == torch.float32
        with users_torch_state():
            assert torch.get_default_dtype() == torch.float64
            with own_torch_state():
                assert torch.get_default_dtype() == torch.float32
            assert torch.get_default_dtype() == torch.float64
        assert torch.get_default_dtype() == torch.float32


@pytest.mark.parametrize("name", ["gp", "ridge", "gnn", "lightgbm"])
def test_predictors_by_themselves(name: str) -> None:
    cells = vitruvius.space("nasbench201")
    x, z = cells.sample(12, 0), torch.linspace(-1, 1, 12, dtype=torch.float64)
    plain = new_predictor(name, cells).fit(x, z).predict(x)
    with double():
        assert torch.equal(new_predictor(name, cells).fit(x, z).predict(x)[0], plain[0])
