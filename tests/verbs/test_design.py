import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from vitruvius import design
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.datasets import RawData, RawGraph, RawImages, RawSeries, load_raw, split
from vitruvius.verbs import plan as plans
from vitruvius.verbs.plan import Plan, make_plan, suited_space

LABELS = torch.arange(40) % 2


def images(side: int = 8) -> RawImages:
    return RawImages(torch.zeros(40, 1, side, side, dtype=torch.uint8), LABELS)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch takes two seconds, as far as plans know."""
    monkeypatch.setattr(plans, "seconds_an_epoch", lambda *_: 2.0)


def planned(minutes: float, raw: RawData | None = None, **more: object) -> Plan:
    raw = images() if raw is None else raw
    return make_plan(raw, split(raw, test=0.1), minutes=minutes, workers=1, **more)  # type: ignore[arg-type]


def test_spaces_suit_the_data() -> None:
    assert suited_space(images())[0] == "resnet-size:width=16"
    assert suited_space(images(96))[0] == "mnasnet:width=0.5"
    assert suited_space(RawSeries(torch.zeros(40, 1, 30), LABELS))[0] == "resnet-size:width=16"
    assert suited_space(images(), "params<=20k")[0] == "resnet-size:width=4"
    assert suited_space(images(), "latency<=5ms, params<=5M")[0] == "resnet-size:width=16"


@pytest.mark.usefixtures("quick")
def test_more_time_is_spent_on_epochs_first_then_on_candidates() -> None:
    few, some, many = planned(0.5), planned(10.0), planned(60.0)
    assert few.options["epochs"] == 1
    assert 1 < some.options["epochs"] < many.options["epochs"] == 20
    assert few.budget < plans.CANDIDATES <= some.budget < many.budget
    assert few.pruner == "none"
    assert many.pruner.startswith("asha")
    # As a whole that is 60 % of the time; what is stopped early takes half.
    assert some.budget * some.options["epochs"] * 2 <= 360 < (some.budget + 2) * 30
    assert 2 * many.retrain["epochs"] <= 60 * 60 * plans.RETRAINING
    with pytest.raises(UsageError, match="at least 1 minutes"):
        planned(0.05)


def test_of_many_examples_some_are_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """In the order of a folder, a class after the other."""
    monkeypatch.setattr(plans, "TIMED_EXAMPLES", 20)
    labels = torch.arange(120).sort().values // 40
    many = RawImages(torch.randint(256, (120, 1, 8, 8)).byte(), labels)
    asked = []
    measured = plans.seconds_an_epoch

    def seen(*arguments: object) -> float:
        asked.append(arguments[3])
        return measured(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(plans, "seconds_an_epoch", seen)
    told = planned(5.0, many, space="nasbench201:width=4,cells=1")
    assert asked == [24]
    assert 0 < told.seconds < 60


@pytest.mark.usefixtures("quick")
def test_what_is_given_stays() -> None:
    told = planned(10.0, space="nasbench201:width=4", given={"epochs": 3, "lr": 0.2})
    assert told.space == "nasbench201:width=4"
    assert told.options["epochs"] == 3
    assert told.options["lr"] == 0.2


@pytest.mark.usefixtures("quick")
def test_the_metric_follows_the_targets() -> None:
    rare = RawImages(images().images, (torch.arange(40) % 8 == 0).long())
    assert planned(10.0, rare).maximize == "balanced_accuracy"
    values = RawImages(images().images, torch.rand(40))
    assert planned(10.0, values).maximize == "r2"
    assert planned(10.0).maximize == "accuracy"


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_from_a_graph_to_a_network(tmp_path: Path) -> None:
    draw = torch.Generator().manual_seed(0)
    labels = torch.arange(60) % 3
    edges = torch.randint(60, (2, 150), generator=draw)
    x = torch.eye(3)[labels] + torch.rand(60, 3, generator=draw)
    np.savez(tmp_path / "graph.npz", x=x.numpy(), edges=edges.numpy(), y=labels.numpy())
    raw = load_raw(tmp_path / "graph.npz")
    assert isinstance(raw, RawGraph)
    out = tmp_path / "out"
    data = f"{tmp_path / 'graph.npz'}:epochs=2"
    told = design(data, out=out, minutes=0.3, workers=1, where="params<=5k", seed=1)
    assert told.exported is not None
    counts = told.exported.architecture.to_json()
    assert counts
    model = json.loads((out / "model" / "model.json").read_text())
    assert model["params"] <= 5_000
    assert model["history"]["recipe"]["epochs"] == told.plan.retrain["epochs"]
    assert (out / "model" / "predict.py").is_file()
    # Once more, all is there.
    before = (out / "model" / "weights.safetensors").stat().st_mtime_ns
    again = design(data, out=out, minutes=0.3, workers=1, where="params<=5k", seed=1)
    assert (out / "model" / "weights.safetensors").stat().st_mtime_ns == before
    assert again.exported is not None
    assert again.exported.scores == told.exported.scores
    with pytest.raises(UsageError, match="another where"):
        design(data, out=out, minutes=0.3, workers=1, where="params<=9k", seed=1)


@pytest.mark.slow
def test_killed_in_the_middle_it_goes_on(tmp_path: Path) -> None:
    command = [
        *(sys.executable, "-m", "vitruvius", "design", "digits", "--minutes", "0.6"),
        *("--where", "params<=60k", "--out", str(tmp_path / "out"), "--workers", "2"),
    ]
    with subprocess.Popen(command, start_new_session=True) as first:
        while not list((tmp_path / "out" / "search" / "trials").glob("*/weights.safetensors")):
            assert first.poll() is None
            time.sleep(0.2)
        os.killpg(first.pid, signal.SIGKILL)
    plan = (tmp_path / "out" / "design.json").read_text()
    subprocess.run(command, check=True)
    assert (tmp_path / "out" / "design.json").read_text() == plan
    model = json.loads((tmp_path / "out" / "model" / "model.json").read_text())
    assert model["params"] <= 60_000
    assert model["scores"]["test accuracy"][0] > 0.8


def test_formats_are_checked_before_anything_is_trained(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="format"):
        design("digits", out=tmp_path / "out", to=["keras"])
    assert not (tmp_path / "out").exists()
