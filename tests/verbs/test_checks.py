"""A mistake in what was asked costs no evaluation, in any verb."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from vitruvius.core.errors import VitruviusError
from vitruvius.spaces import Architecture
from vitruvius.verbs.sample import sample
from vitruvius.verbs.search import search
from vitruvius.verbs.transfer import transfer


def never(architecture: Architecture) -> None:
    pytest.fail("it was evaluated")


SAMPLE: list[dict[str, Any]] = [
    {"target": "accuracy=>1"},
    {"target": "accuracy>=1, parms<=3"},
    {"predictor": "gpp"},
    {"predictor": "ridge:feature=path"},
    {"guidance": "resampleing"},
    {"generator": "unifrom"},
    {"steps": 0},
    {"batch_size": 0},
    {"n": 0},
    {"workers": 0},
    {"executor": "proces"},
    {"device": "nowhere"},
    {"timeout": -1.0},
]


@pytest.mark.parametrize("wrong", SAMPLE, ids=str)
def test_of_sample(wrong: dict[str, Any]) -> None:
    # That all evaluations failed would be another error.
    with pytest.raises(VitruviusError, match=r"^(?!The first evaluations)"):
        sample("nasbench201", **{"data": never, "target": "accuracy>=1", "labels": 5, **wrong})


@pytest.mark.parametrize(
    "wrong",
    [
        {"maximize": "acc=1"},
        {"maximize": "accuracy,accuracy"},
        {"where": "parms<=1M"},
        {"where": "acuracy>=1"},
        {"where": "params<=10"},
        {"method": "randm"},
        {"method": "evolution:populaton=3"},
        {"pruner": "hyperbandd"},
        {"executor": "serail"},
        {"initial": -1},
        {"warm_start": ["nowhere"]},
        {"run": "file/run"},
    ],
    ids=str,
)
def test_of_search(wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    settings = {"evaluator": never, "maximize": "accuracy", "budget": 3, "executor": "serial"}
    try:
        told = search("nasbench201", **{**settings, **wrong})
    except VitruviusError:
        return
    assert told.trials == []


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"target": "vald_perf>=0.5, latency<=1"}, marks=pytest.mark.slow),
        pytest.param({"target": "valid_perf>=0.5, parms<=1"}, marks=pytest.mark.slow),
        pytest.param({"maximize": "accuracy"}, marks=pytest.mark.slow),
        pytest.param({"maximize": "valid_perf", "minimize": "latency"}, marks=pytest.mark.slow),
        pytest.param({"minimize": "latncy"}, marks=pytest.mark.slow),
        pytest.param({"sources": ["citeser"]}, marks=pytest.mark.slow),
        {"predictor": "transfr"},
        {"generator": "builtn"},
        {"out": "file/moved"},
        pytest.param({"device": "nowhere"}, marks=pytest.mark.slow),
        {"executor": "serail"},
        {"workers": 0},
        {"n": 0},
    ],
    ids=str,
)
def test_of_transfer(
    wrong: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    settings = {"data": "cora", "evaluator": never, "sources": ["citeseer"], "labels": 5}
    with pytest.raises(VitruviusError, match=r"^(?!The first evaluations)"):
        transfer("nas-bench-graph", **{**settings, **wrong})
