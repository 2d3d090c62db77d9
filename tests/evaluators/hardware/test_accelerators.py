import json

import pytest
import torch
from typer.testing import CliRunner

import vitruvius
from vitruvius.cli import app
from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.hardware.accelerators import AcceleratorEvaluator
from vitruvius.evaluators.hardware.cost_model import ChipBatch, LayerBatch, cost_of
from vitruvius.evaluators.hardware.scheduling import Workload, exact_schedule
from vitruvius.spaces import ProductSpace, Space, space

CELLS = "nasbench201:width=4,cells=1"
CHIPS = "accelerator:rows=[8,16],columns=[8,14],buffer_kib=[8,64],weight_bits=8"
EXAMPLE = space(CELLS).to_string(space(CELLS).example)


@pytest.fixture(scope="module")
def pairs() -> Space:
    return space(f"{CELLS} x {CHIPS}")


@pytest.fixture(scope="module")
def made(pairs: Space) -> AcceleratorEvaluator:
    return AcceleratorEvaluator(pairs)


def chip_of(pairs: Space, row: torch.Tensor) -> dict[str, object]:
    """The chip of a pair, in words."""
    assert isinstance(pairs, ProductSpace)
    chips = pairs.parts["accelerator"]
    told = chips.hardware(row[None, pairs.columns["accelerator"]])  # type: ignore[attr-defined]
    fields: dict[str, object] = {k: float(v[0, 0]) for k, v in told.items() if k != "dataflow"}
    return {**fields, "dataflow": chips.dataflows[int(told["dataflow"])]}  # type: ignore[attr-defined]


def test_a_batch_of_pairs_is_a_loop(pairs: Space, made: AcceleratorEvaluator) -> None:
    x = pairs.sample(12, 0)
    told = made.values(x)
    for number, row in enumerate(x):
        _, network = pairs.network(row)
        layers = LayerBatch.of([space(CELLS).layers(str(network))])
        cost = cost_of(layers, ChipBatch.of([chip_of(pairs, row)]))
        assert told["latency_cycles"][number] == pytest.approx(cost.latency_cycles.item())
        assert told["energy_nj"][number] == pytest.approx(cost.energy_nj.item())
        assert told["area_um2"][number] == pytest.approx(cost.area_um2.item())


def test_one_at_a_time(pairs: Space, made: AcceleratorEvaluator) -> None:
    row = pairs.sample(1, 1)[0]
    told = made.evaluate(row)
    assert told.ok
    assert told.metrics == {k: v.item() for k, v in made.values(row[None]).items()}


def test_a_chip_of_ones_own() -> None:
    cells = space(CELLS)
    slow, quick = (
        evaluator(cells, f"hardware:rows={rows},columns={rows},dataflow=weight-stationary")
        for rows in (2, 16)
    )
    x = cells.sample(4, 0)
    assert (slow.values(x)["latency_cycles"] > quick.values(x)["latency_cycles"]).all()
    assert (slow.values(x)["area_um2"] < quick.values(x)["area_um2"]).all()


def test_two_arrays_take_each_layer_where_it_is_best() -> None:
    both = space(f"{CELLS} x nasaic")
    assert isinstance(both, ProductSpace)
    told = AcceleratorEvaluator(both, objective="makespan")
    alone, pair = (
        both.rows(
            [f"nasbench201: {space(CELLS).to_string(space(CELLS).example)} && nasaic: {chip}"]
        )
        for chip in ("<dla,1024,32><>", "<dla,1024,32><shi,1024,32>")
    )
    first, second = told.values(alone), told.values(pair)
    assert second["latency_cycles"] < first["latency_cycles"]
    assert second["area_um2"] > first["area_um2"]


def test_two_networks_share_the_arrays() -> None:
    small = "resnet-pooling:width=4"
    several = space(f"{CELLS} x {small} x nasaic")
    told = AcceleratorEvaluator(several, objective="makespan", batch=2)
    row = several.rows(
        [
            f"nasbench201: {EXAMPLE} && "
            f"resnet_pooling: {space(small).to_string(space(small).example)} && "
            "nasaic: <dla,512,16><shi,1024,32>"
        ]
    )
    together = told.values(row)
    singles = [
        AcceleratorEvaluator(space(f"{name} x nasaic"), objective="makespan", batch=2)
        for name in (CELLS, small)
    ]
    spans = []
    for part in singles:
        assert isinstance(part.space, ProductSpace)
        (network, _) = part.space.parts
        own = several.columns[network]  # type: ignore[attr-defined]
        chip = several.columns["nasaic"]  # type: ignore[attr-defined]
        spans.append(part.values(torch.cat([row[:, own], row[:, chip]], 1))["latency_cycles"])
    assert max(spans) - 1 <= together["latency_cycles"] <= sum(spans) + 1


def test_a_batch_of_several_networks_is_a_loop() -> None:
    several = space(f"{CELLS} x {CELLS} x nasaic")
    told = AcceleratorEvaluator(several)
    x = several.sample(6, 0)
    whole = told.values(x)
    for row in range(len(x)):
        alone = told.values(x[row : row + 1])
        for name, value in alone.items():
            assert float(value) == pytest.approx(float(whole[name][row]), rel=1e-12)


def test_a_few_layers_against_every_schedule() -> None:
    cycles = torch.tensor([[4.0, 9.0], [6.0, 2.0], [5.0, 5.0]], dtype=torch.float64)
    exact = exact_schedule(Workload(cycles, cycles, (2, 1)))
    # On the first: 4; on the second: 2 and, from the start, 5.
    assert exact.makespan == 7


def test_what_does_not_fit(pairs: Space) -> None:
    cells = space("nasbench201:width=16,cells=1")
    made = AcceleratorEvaluator(cells, buffer_kib=16 / 1024)
    told = made.evaluate(cells.example)
    assert told.status == "failed"
    assert "does not fit the global buffer" in told.reason
    assert made.values(cells.rows([cells.to_string(cells.example)]))["energy_nj"].isnan().all()


@pytest.mark.parametrize(
    ("text", "options", "error", "message"),
    [
        ("accelerator", {}, UsageError, "no networks to run"),
        (f"{CELLS} x nasaic", {"rows": 8}, UsageError, "1 chips, and 1 fields"),
        (f"{CELLS} x nasaic x accelerator", {}, UsageError, "2 chips"),
        (CELLS, {"lanes": 8}, UnknownNameError, "field of a chip 'lanes'"),
        (CELLS, {"rows": [8, 16]}, UsageError, r"`rows` of the chip is open: \[8, 16\]"),
        (CELLS, {"chip": "tpu.yaml"}, UnknownNameError, "file 'tpu.yaml'"),
        (CELLS, {"dataflow": "rows"}, UnknownNameError, "dataflow 'rows'"),
        (CELLS, {"energy": "none"}, UnknownNameError, "table of energy 'none'"),
        (CELLS, {"batch": 0}, UsageError, "batch=0"),
        (CELLS, {"objective": "area"}, UsageError, "objective='area'"),
    ],
)
def test_what_makes_no_sense(
    text: str, options: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        AcceleratorEvaluator(space(text), **options)  # type: ignore[arg-type]


def test_a_chip_that_ships() -> None:
    cells = space(CELLS)
    shipped = evaluator(cells, "hardware:chip=eyeriss.yaml").evaluate(cells.example)
    assert shipped.metrics == AcceleratorEvaluator(cells).evaluate(cells.example).metrics
    small = evaluator(cells, "hardware:chip=eyeriss.yaml,processing_elements=24")
    assert small.evaluate(cells.example).metrics["area_um2"] < shipped.metrics["area_um2"]


# -- together with everything else --------------------------------------------------------------


@pytest.mark.slow
def test_targets(pairs: Space, made: AcceleratorEvaluator) -> None:
    told = vitruvius.sample(
        pairs, data="hardware", target="latency_cycles<=40k, area_um2<=2M", n=5, seed=0
    )
    assert len(told.samples) == 5
    assert all(entry.meets_target for entry in told.samples)
    for entry in told.samples:
        values = made.evaluate(entry.architecture).metrics
        assert values["latency_cycles"] <= 40e3
        assert values["area_um2"] <= 2e6


@pytest.mark.slow
def test_search_from_the_command_line() -> None:
    told = CliRunner().invoke(
        app,
        [
            "search", f"{CELLS} x {CHIPS}", "--evaluator", "hardware", "--minimize",
            "latency_cycles, energy_nj", "--method", "nsga2", "--budget", "12", "--format", "json",
        ],
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    trials = json.loads(told.stdout)["trials"]
    assert len(trials) == 12


@pytest.mark.parametrize("text", [f"{CELLS} x {CHIPS}", f"{CELLS} x {CELLS} x nasaic"])
def test_no_pair_has_no_value(text: str) -> None:
    """As where descents found nothing that meets the limits."""
    none = space(text)
    made = AcceleratorEvaluator(none)
    for told in (made.values(none.sample(0, 0)), made.bounds(none.sample(0, 0))):
        assert {name: len(value) for name, value in told.items()} == {
            "latency_cycles": 0,
            "energy_nj": 0,
            "area_um2": 0,
        }
