"""Products: what is known of one part, where several are searched together."""

from pathlib import Path

import pytest
import torch
from scipy.stats import kendalltau

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.function import FunctionEvaluator
from vitruvius.evaluators.of_part import PartEvaluator
from vitruvius.predictors.source_tasks import named_tasks
from vitruvius.spaces import ProductSpace, space
from vitruvius.verbs.sample import sample
from vitruvius.verbs.search import search

SMALL = "nasbench201:width=4,cells=1"
CHIPS = (
    "accelerator:dataflow=weight-stationary,rows=[4,8],columns=8,buffer_kib=64,register_bytes=64,"
    "noc_bytes_per_cycle=[32,64],weight_bits=8"
)


def pairs(text: str) -> ProductSpace:
    found = space(text)
    assert isinstance(found, ProductSpace)
    return found


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Every tenth cell, good where it has many 3x3 convolutions."""
    cells = space(SMALL)
    x = cells.enumerate()[::10]
    lines = [f"{cells.to_string(row)},{row.count(3)},{row.count(1)}" for row in x.tolist()]
    file = tmp_path / "cells.csv"
    file.write_text("arch_str,accuracy,skips\n" + "\n".join(lines) + "\n")
    return file


def test_a_data_set_of_a_part_is_found_by_its_name() -> None:
    product = pairs("nasbench201 x accelerator")
    told = evaluator(product, "analog")
    x = product.sample(5, 0)
    alone = evaluator(product.parts["nasbench201"], "analog").values(x[:, :6])
    whole = told.values(x)
    assert torch.equal(whole["analog_accuracy"], alone["analog_accuracy"])
    one = told.evaluate(x[0])
    assert one.architecture == product.architecture(x[0])
    assert one.metrics["analog_accuracy"] == float(alone["analog_accuracy"][0])


def test_a_table_of_a_part_is_an_earlier_task(table: Path) -> None:
    product = pairs(f"{SMALL} x {CHIPS}")
    [task] = named_tasks(product, [f"{table}:accuracy=accuracy,part=nasbench201"]).tasks
    assert task.metrics == ("accuracy",)
    assert len(task.x) > 100
    x = product.sample(300, 1)
    told, threes = task.scores("accuracy", x), (x[:, :6] == 3).sum(1)
    assert kendalltau(told, threes).statistic > 0.6
    with pytest.raises(UsageError, match="hardware is no table"):
        named_tasks(product, ["hardware"])


@pytest.mark.slow
def test_parts_that_are_alike_have_metrics_of_their_own() -> None:
    product = pairs("nasbench201 x nasbench201 x nasaic")
    told = evaluator(product, "analog")
    x = product.sample(4, 0)
    values = told.values(x)
    alone = evaluator(product.parts["nasbench201_2"], "analog")
    own = alone.values(x[:, product.columns["nasbench201_2"]])
    assert torch.equal(values["nasbench201_2.analog_accuracy"], own["analog_accuracy"])
    assert "nasbench201_1.analog_accuracy" in told.metrics
    assert told.metrics["nasbench201_1.analog_accuracy"].name == "nasbench201_1.analog_accuracy"


def test_a_table_says_of_which_part_it_is(table: Path) -> None:
    product = pairs(f"{SMALL} x {CHIPS}")
    told = evaluator(product, f"{table}:accuracy=accuracy,part=nasbench201")
    assert list(told.metrics) == ["accuracy"]
    x = product.sample(200, 0)
    has = told.has(x)
    assert has.any()
    assert not has.all()
    row = x[has][0]
    assert told.evaluate(row).metrics["accuracy"] == row[:6].tolist().count(3)
    missing = told.evaluate(x[~has][0])
    assert (missing.status, missing.reason) == ("failed", "not in the table")
    # Without a product, `part` is a metric like any other.
    lone = evaluator(space(SMALL), f"{table}:part=skips")
    assert list(lone.metrics) == ["part"]


@pytest.mark.slow
def test_networks_and_chips_are_sampled_to_targets(table: Path) -> None:
    product = pairs(f"{SMALL} x {CHIPS}")
    target = "latency_cycles<=60k, area_um2<=700k, accuracy>=2"
    found = sample(
        product,
        data=[f"{table}:accuracy=accuracy,part=nasbench201", "hardware"],
        target=target,
        labels=30,
        n=5,
        seed=0,
    )
    hardware = evaluator(product, "hardware")
    for each in found.samples:
        metrics = hardware.evaluate(each.architecture).metrics
        assert metrics["latency_cycles"] <= 60e3
        assert metrics["area_um2"] <= 700e3


@pytest.mark.slow
def test_networks_and_chips_are_searched(table: Path) -> None:
    product = pairs(f"{SMALL} x {CHIPS}")
    found = search(
        product,
        evaluator=[f"{table}:accuracy=accuracy,part=nasbench201", "hardware"],
        maximize="accuracy",
        where="area_um2<=700k",
        method="random",
        budget=8,
        seed=0,
    )
    assert found.best[0].metrics["area_um2"] <= 700e3


def test_what_makes_no_sense() -> None:
    product = pairs(f"{SMALL} x {CHIPS}")
    ones = FunctionEvaluator(space("autognn"), lambda a: {"ones": 1.0}, "ones")
    with pytest.raises(UnknownNameError, match=r"part of .* 'nets'"):
        PartEvaluator(product, "nets", ones)
    with pytest.raises(UsageError, match="The evaluator is of autognn"):
        PartEvaluator(product, "nasbench201", ones)
