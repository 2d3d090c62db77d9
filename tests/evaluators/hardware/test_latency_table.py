from pathlib import Path

import pytest
from torch import nn

from vitruvius.core.errors import UsageError
from vitruvius.evaluators.hardware import LatencyEvaluator, LatencyTable
from vitruvius.evaluators.hardware.latency_table import time_layers
from vitruvius.spaces import Layer, space

SMALL = Layer("linear", (4,), (4,), params=20, macs=16)
LARGE = Layer("linear", (4,), (8,), params=40, macs=32)


def test_what_adds_up_is_predicted() -> None:
    """Whole networks take 1 ms, and .1 ms for each layer besides what it takes itself."""
    measured = [
        (
            [(SMALL, 0.5)] * small + [(LARGE, 0.8)] * large,
            1 + 0.1 * (small + large) + 0.5 * small + 0.8 * large,
        )
        for small, large in ((1, 1), (2, 1), (4, 3), (1, 5), (3, 3))
    ]
    table = LatencyTable.of({"batch": 1}, measured)
    assert table.error == pytest.approx(0.0, abs=1e-9)
    assert table.networks == 5
    assert table.predict([SMALL] * 7) == pytest.approx(1 + 0.7 + 3.5)


def test_a_layer_that_was_never_seen_takes_as_its_kind() -> None:
    other = Layer("linear", (4,), (16,), params=80, macs=64)
    layers = [(SMALL, 0.16), (LARGE, 0.32)]
    table = LatencyTable.of({}, [(layers, 0.48), (layers * 2, 0.96)])
    assert table.predict([other]) == pytest.approx(0.64, rel=0.05)
    assert table.predict([Layer("attention", (4,), (4,))]) == pytest.approx(0.0, abs=0.01)


def test_layers_are_timed_in_their_order() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.LazyLinear(2))
    inputs = space("nasbench201").task.inputs(1)
    network(*inputs)
    told = time_layers(network, inputs)
    assert [layer.kind for layer, _ in told] == ["convolution", "ReLU", "Flatten", "linear"]
    assert all(spent > 0 for _, spent in told)


def test_a_table_is_measured_once_and_is_a_lower_fidelity(tmp_path: Path) -> None:
    cells, file = space("nasbench201:width=4,cells=1"), tmp_path / "table.json"
    made = LatencyEvaluator(cells, table=str(file), networks=3)
    assert made.fidelities == (1,)
    told = made.evaluate((3,) * 6, 1).metrics
    assert told["latency"] > 0
    again = LatencyEvaluator(cells, table=str(file))
    assert again.evaluate((3,) * 6, 1).metrics == told
    with pytest.raises(UsageError, match="was measured for"):
        LatencyEvaluator(cells, table=str(file), batch=2)
    with pytest.raises(UsageError, match="no fidelity 2"):
        again.evaluate((3,) * 6, 2)
    file.write_text("{}")
    with pytest.raises(UsageError, match="no table of latencies"):
        LatencyEvaluator(cells, table=str(file))
