import csv
import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from vitruvius.cli import app
from vitruvius.core.errors import UsageError, VitruviusError
from vitruvius.evaluators.hardware.accelerators import AcceleratorEvaluator
from vitruvius.spaces import space
from vitruvius.verbs.on_chip import on_chip

CELLS = "nasbench201:width=4,cells=1"


def test_layers_add_up(tmp_path: Path) -> None:
    cells = space(CELLS)
    told = on_chip(cells, cells.example, "eyeriss.yaml", out=tmp_path)
    whole = AcceleratorEvaluator(cells, chip="eyeriss.yaml").evaluate(cells.example).metrics
    assert told.metrics == whole
    assert sum(each.cycles for each in told.layers) == pytest.approx(whole["latency_cycles"])
    assert sum(each.energy_pj for each in told.layers) / 1000 == pytest.approx(whole["energy_nj"])
    names = ["layers.csv", "schedule.svg", "roofline_1.svg"]
    assert [file.name for file in told.files] == names
    with (tmp_path / "layers.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(told.layers)
    assert float(rows[0]["cycles"]) == told.layers[0].cycles


def test_several_networks_on_two_arrays(tmp_path: Path) -> None:
    both = space(f"{CELLS} x resnet-pooling:width=4 x nasaic")
    row = both.rows(
        [
            str(both.architecture(both.example)).rpartition("nasaic:")[0]
            + "nasaic: <dla,512,16><shi,1024,32>"
        ]
    )[0]
    told = on_chip(both, row, out=tmp_path, objective="makespan")
    assert {each.network for each in told.layers} == {"nasbench201", "resnet_pooling"}
    assert {each.array for each in told.layers} == {0, 1}
    assert (tmp_path / "roofline_2.svg").is_file()
    end = max(each.start + each.cycles for each in told.layers)
    assert end == pytest.approx(told.metrics["latency_cycles"])
    starts = [each.start for each in told.layers]
    assert starts == sorted(starts)


def test_command_line() -> None:
    cells = space(CELLS)
    arguments = ["evaluate", CELLS, cells.to_string(cells.example), "--hardware", "eyeriss.yaml"]
    arguments += ["--cluster", "leaves=2,chips=2,spines=2"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    assert "latency_cycles" in told.stdout
    assert "Energy by eyeriss-65nm" in told.stdout
    assert "efficiency" in told.stdout
    as_json = json.loads(CliRunner().invoke(app, [*arguments, "--format", "json"]).stdout)
    assert as_json["layers"][0]["layer"]["kind"] == "convolution"


def test_a_cluster_of_chips() -> None:
    cells = space(CELLS)
    told = on_chip(cells, cells.example, "eyeriss.yaml", cluster="leaves=2,chips=4,spines=3")
    steps = told.training
    assert set(steps) == {"spray", "split", "hash"}
    assert steps["split"].chips == 8
    assert steps["split"].compute_cycles == 3 * told.metrics["latency_cycles"]
    assert steps["split"].cycles == pytest.approx(steps["spray"].cycles)
    # A ring of eight: each sends an eighth of the gradients fourteen times, of two bytes each.
    params = float(cells.statistics(torch.tensor([cells.example]))["params"])
    assert steps["split"].communication_cycles == pytest.approx(14 * 2 * params / 8 / 8)
    for wrong, message in (("leaves=2", "chips, spines"), ("rows=2", "option of cluster 'rows'")):
        with pytest.raises(VitruviusError, match=message):
            on_chip(cells, cells.example, "eyeriss.yaml", cluster=wrong)


def test_the_best_of_the_choices_that_a_file_leaves_open(tmp_path: Path) -> None:
    file = tmp_path / "chip.yaml"
    file.write_text(
        "chip:\n  dataflow: weight-stationary\n  rows: [4, 8]\n  columns: 8\n  buffer_kib: 64\n"
        "  register_bytes: 64\n  noc_bytes_per_cycle: [16, 64]\n  weight_bits: 8\n"
    )
    cells = space(CELLS)
    told = on_chip(cells, cells.example, file, minimize="latency_cycles")
    assert told.chosen == "rows=8, noc_bytes_per_cycle=64"
    small = on_chip(cells, cells.example, file, where="area_um2<=650k", minimize="latency_cycles")
    assert small.chosen.startswith("rows=4")
    assert small.metrics["area_um2"] <= 650e3 < told.metrics["area_um2"]
    assert small.metrics["latency_cycles"] >= told.metrics["latency_cycles"]
    with pytest.raises(UsageError, match="None of 4 chips"):
        on_chip(cells, cells.example, file, where="area_um2<=1k")
    with pytest.raises(UsageError, match="The chip is given"):
        on_chip(cells, cells.example, "eyeriss.yaml", where="area_um2<=1k")


@pytest.mark.parametrize("option", ["--where=area_um2<=1M", "--minimize=energy_nj", "--cluster=x"])
def test_what_is_of_chips_needs_one(option: str) -> None:
    cells = space(CELLS)
    command = ["evaluate", CELLS, cells.to_string(cells.example), option]
    with pytest.raises(UsageError, match="is of chips"):
        CliRunner().invoke(app, command, catch_exceptions=False)


def test_which_chip_is_meant() -> None:
    cells, pairs = space(CELLS), space(f"{CELLS} x accelerator")
    with pytest.raises(UsageError, match="has no chip"):
        on_chip(cells, cells.example)
    with pytest.raises(UsageError, match="has a chip of its own"):
        on_chip(pairs, pairs.example, "eyeriss.yaml")
