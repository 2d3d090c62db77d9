"""ZigZag: what it is told exactly, that nothing is computed twice or lost, and what holds."""

import json
import os
import sys
from pathlib import Path
from statistics import median

import pytest
import torch

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators import evaluator
from vitruvius.evaluators.hardware.cost_model import ENERGIES, ChipBatch, LayerBatch, cost_of
from vitruvius.evaluators.hardware.cost_model.layer_batch import PRODUCT
from vitruvius.evaluators.hardware.zigzag import ZigZag, ZigZagEvaluator
from vitruvius.evaluators.hardware.zigzag.arrays import Shape
from vitruvius.evaluators.hardware.zigzag.translation import chips_of, job_of, shapes_of
from vitruvius.spaces import Layer, space

TABLE = ENERGIES["eyeriss-65nm"]
FROZEN = Path(__file__).parents[3] / "benchmarks" / "results" / "zigzag_layers.json"
PAIRS = (
    "resnet-pooling x accelerator:dataflow=row-stationary,rows=12,columns=14,"
    "register_bytes=512,noc_bytes_per_cycle=64,weight_bits=8,buffer_kib=[1,108]"
)
# 3x3, from 16 to 32 channels, 8 by 8 places.
SHAPE = Shape(1, 1, 32, 16, 8, 8, 3, 3)
# Answers as ZigZag does: cycles are the product of all loops. Where a file called `die` says so, it
# dies at the start of that answer; where one is called `wait`, it never comes to it.
FAKE = """#!{python}
import json, math, pathlib, sys, time
home = pathlib.Path({home!r})
if sys.argv[-1] == "--version":
    print("9.9")
    raise SystemExit
print(json.dumps({{"ready": "9.9"}}), flush=True)
for line in sys.stdin:
    with (home / "asked").open("a") as file:
        file.write(line)
    job = json.loads(line)
    done = len((home / "asked").read_text().splitlines())
    if (home / "die").exists() and done == int((home / "die").read_text()):
        sys.exit("out of memory.")
    if (home / "wait").exists() and done == int((home / "wait").read_text()):
        time.sleep(60)
    cycles = math.prod(job["workload"][0]["loop_sizes"])
    if cycles == 7:
        told = {{"reason": "NoValidLoopOrderingFoundException: too small"}}
    else:
        keys = ("energy_pj", "dram_bytes", "buffer_bytes", "seconds")
        told = {{"cycles": cycles, **dict.fromkeys(keys, 2 * cycles)}}
    print(json.dumps(told), flush=True)
"""


def chip(**fields: object) -> dict[str, object]:
    made = {"rows": 8, "columns": 4, "buffer_bytes": 4096, **fields}
    return chips_of(ChipBatch.of([made]), TABLE)[0]


def job(shape: Shape = SHAPE, mode: str = "fixed", **fields: object) -> dict[str, object]:
    told = job_of(shape, chip(**fields), TABLE, mode)
    assert isinstance(told, dict)
    return told


def linear(outputs: int, inputs: int = 3) -> Layer:
    return Layer("linear", (inputs,), (outputs,))


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    path = tmp_path / "python"
    path.write_text(FAKE.format(python=sys.executable, home=str(tmp_path)))
    path.chmod(0o755)
    return path


def asked(fake: Path) -> int:
    file = fake.with_name("asked")
    return len(file.read_text().splitlines()) if file.exists() else 0


def made(fake: Path, **options: object) -> ZigZag:
    cache = fake.with_name("answers.jsonl")
    return ZigZag(python=fake, cache=cache, **options)  # type: ignore[arg-type]


# -- what ZigZag is told ------------------------------------------------------------------------


def test_the_layer() -> None:
    told = job(SHAPE._replace(stride=2, dilation=3), dataflow="weight-stationary", sum_bits=32)
    assert told["workload"] == [
        {
            "id": 0,
            "name": "layer",
            "operator_type": "Conv",
            "equation": "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]",
            "dimension_relations": ["ix=2*ox+3*fx", "iy=2*oy+3*fy"],
            "loop_dims": ["B", "G", "K", "C", "OY", "OX", "FY", "FX"],
            "loop_sizes": [1, 1, 32, 16, 8, 8, 3, 3],
            "operand_precision": {"W": 16, "I": 16, "O": 32, "O_final": 16},
            "operand_source": {"W": 0, "I": 0},
        }
    ]
    assert told["objective"] == "edp"


@pytest.mark.parametrize(
    ("dataflow", "sides", "order", "inner"),
    [
        (
            "weight-stationary",
            {"D1": ["C, 8"], "D2": ["K, 4"]},
            [
                ["OX", 8],
                ["OY", 4],
                ["OY", 2],
                ["FX", 3],
                ["FY", 3],
                ["K", 2],
                ["C", 2],
                ["K", 4],
            ],
            3,
        ),
        (
            "output-stationary",
            {"D1": ["OY, 8"], "D2": ["OX, 4"]},
            [["FX", 3], ["FY", 3], ["C", 4], ["C", 4], ["OX", 2], ["K", 32]],
            4,
        ),
        (
            "row-stationary",
            {"D1": ["FY, 3", "C, 2"], "D2": ["OY, 4"]},
            [["FX", 3], ["C", 2], ["K", 16], ["OX", 8], ["OY", 2], ["C", 4], ["K", 2]],
            0,
        ),
    ],
)
def test_loops(
    dataflow: str, sides: dict[str, list[str]], order: list[list[object]], inner: int
) -> None:
    fixed, searched = (job(mode=mode, dataflow=dataflow) for mode in ("fixed", "search"))
    links = {"I": "I1", "W": "I2", "O": "O"}
    told = {"name": "default", "spatial_mapping": sides, "memory_operand_links": links}
    assert fixed["mapping"] == [{**told, "temporal_ordering": order}]
    # A search leaves those loops innermost that make the dataflow what it is.
    kept = {"inner": order[:inner]} if inner else {}
    assert searched == {**fixed, "mapping": [told], **kept}


def test_the_chip() -> None:
    told = job(
        dataflow="weight-stationary", noc_bytes_per_cycle=32, weight_bits=8, activation_bits=8
    )
    accelerator = told["accelerator"]
    assert isinstance(accelerator, dict)
    memories = accelerator["memories"]
    # From the registers outwards, which the order tells ZigZag.
    assert list(memories) == ["register_I1", "register_I2", "register_O", "buffer", "dram"]
    assert memories["register_I2"] == {
        "area": 0.0,
        "latency": 1,
        "size": 16,
        "r_cost": 0.5,
        "w_cost": 0.5,
        "operands": ["I2"],
        "ports": [
            {
                "name": "r_port_1", "type": "read", "bandwidth_min": 8, "bandwidth_max": 8,
                "allocation": ["I2, tl"],
            },
            {
                "name": "w_port_1", "type": "write", "bandwidth_min": 8, "bandwidth_max": 8,
                "allocation": ["I2, fh"],
            },
        ],
        "served_dimensions": [],
        "force_double_buffering": True,
    }  # fmt: skip
    buffer, dram = memories["buffer"], memories["dram"]
    assert buffer["size"] == 4096 * 8
    assert [port["bandwidth_max"] for port in buffer["ports"]] == [256, 256]
    assert buffer["ports"][0]["allocation"] == ["I1, tl", "I2, tl", "O, tl", "O, fl"]
    assert dram["ports"][0]["bandwidth_max"] == 64
    # Of a word of 16 bits, 15 and 460 pJ.
    assert buffer["r_cost"] == 15 / 16 * 256
    assert dram["w_cost"] == 460 / 16 * 64
    # Sums of a column have one register; what they pass on is a part of the multiply-add.
    assert memories["register_O"]["served_dimensions"] == ["D1"]
    assert memories["register_O"]["r_cost"] == 0
    assert accelerator["operational_array"] == {
        "unit_energy": 2 / 4 + 4 / 8 / 2,
        "unit_area": 0.0,
        "dimensions": ["D1", "D2"],
        "sizes": [8, 4],
    }


def test_every_order_is_whole_and_within_the_buffer() -> None:
    shapes = [
        SHAPE,
        Shape(4, 2, 24, 48, 13, 13, 3, 3),
        Shape(1, 32, 1, 1, 14, 14, 3, 3, 2),
        Shape(1, 1, 10, 64, 1, 1, 1, 1),
        Shape(1, 1, 96, 3, 55, 55, 11, 11, 4),
    ]
    for shape in shapes:
        for dataflow in ("weight-stationary", "output-stationary", "row-stationary"):
            told = job(shape, dataflow=dataflow, buffer_bytes=2**17)["mapping"][0]  # type: ignore[index]
            steps = dict.fromkeys(shape.loops, 1)
            for loop, size in told["temporal_ordering"]:
                steps[loop] *= size
            for side in told["spatial_mapping"].values():
                for loop, size in (each.split(", ") for each in side):
                    steps[loop] *= int(size)
            for loop, size in shape.loops.items():
                assert size <= steps[loop] < 2 * size + 1


def test_why_there_is_no_job() -> None:
    assert job_of(SHAPE, chip(buffer_bytes=16), TABLE) == "no tiling fits the global buffer"
    assert isinstance(job_of(SHAPE, chip(buffer_bytes=16), TABLE, "search"), dict)
    told = job_of(SHAPE, chip(dataflow="systolic-weight-stationary"), TABLE)
    assert told == "ZigZag is not told of the dataflow 'systolic-weight-stationary'"


def test_what_is_no_product() -> None:
    layers = [
        Layer("pooling", (4, 8, 8), (4, 4, 4)),
        Layer("transposed convolution", (4, 4, 4), (2, 8, 8), (4, 4), (2, 2), (1, 1)),
        linear(5),
    ]
    assert shapes_of(LayerBatch.of([layers])) == [None, None, Shape(1, 1, 5, 3, 1, 1, 1, 1)]


# -- answers ------------------------------------------------------------------------------------


def test_nothing_is_computed_twice(fake: Path) -> None:
    layers = LayerBatch.of([[linear(5), linear(5), linear(6)]])
    chips = ChipBatch.of([{"clock_mhz": 100}, {"clock_mhz": 200}])
    first = made(fake).costs(layers, chips)
    assert first.cycles[0, :, 0].tolist() == [15, 15, 18]
    # The clock is nothing to ZigZag, but to what is drawn all the time.
    assert asked(fake) == 2
    assert first.energy_pj[0, 0].tolist() == [30 + 15 * 300, 30 + 15 * 150]
    again = made(fake).costs(layers, chips)
    assert asked(fake) == 2
    assert torch.equal(again.energy_pj, first.energy_pj)
    made(fake, mode="fixed").costs(layers, chips)
    assert asked(fake) == 4
    made(fake, energy="eyeriss-ratio").costs(layers, chips)
    assert asked(fake) == 6


def test_only_what_is_wanted(fake: Path) -> None:
    layers, chips = LayerBatch.of([[linear(5), linear(6)]]), ChipBatch.of([{}, {"rows": 3}])
    wanted = torch.tensor([[[True, False], [False, False]]])
    told = made(fake).costs(layers, chips, wanted)
    assert told.cycles.isnan().tolist() == [[[False, True], [True, True]]]
    assert asked(fake) == 1


def test_killed_in_the_middle(fake: Path) -> None:
    """What was answered is kept, and a line that is half there is computed again."""
    cache = fake.with_name("answers.jsonl")
    layers = LayerBatch.of([[linear(n) for n in (5, 6, 8)]])
    made(fake).costs(layers, ChipBatch.of([{}]))
    whole = cache.read_text()
    cache.write_text(whole[: whole.rindex("\n", 0, -1) + 20])
    told = made(fake).costs(layers, ChipBatch.of([{}]))
    assert told.cycles[0, :, 0].tolist() == [15, 18, 24]
    assert asked(fake) == 4
    made(fake).costs(layers, ChipBatch.of([{}]))
    assert asked(fake) == 4


def test_a_process_that_dies_takes_one_layer_with_it(fake: Path) -> None:
    fake.with_name("die").write_text("2")
    layers = LayerBatch.of([[linear(n) for n in (5, 6, 8)]])
    told = made(fake).costs(layers, ChipBatch.of([{}]))
    assert told.cycles[0, [0, 2], 0].tolist() == [15, 24]
    assert told.reasons == {(0, 1, 0): "out of memory"}
    # Which may be no fault of the layer, so that it is run again.
    assert made(fake).costs(layers, ChipBatch.of([{}])).cycles[0, 1].item() == 18
    assert asked(fake) == 4


def test_what_takes_too_long(fake: Path) -> None:
    fake.with_name("wait").write_text("1")
    layers = LayerBatch.of([[linear(5), linear(6)]])
    told = made(fake, limit_s=0.3).costs(layers, ChipBatch.of([{}]))
    assert told.reasons == {(0, 0, 0): "took longer than 0.3 s"}
    assert told.cycles[0, 1].item() == 18
    assert made(fake, limit_s=0.3).costs(layers, ChipBatch.of([{}])).reasons
    assert asked(fake) == 2
    # With more time it is worth another try.
    assert not made(fake, limit_s=9.0).costs(layers, ChipBatch.of([{}])).reasons


def test_what_cannot_be_mapped(fake: Path) -> None:
    layers = LayerBatch.of([[linear(7, 1), linear(5)]])
    for _ in range(2):
        told = made(fake).costs(layers, ChipBatch.of([{}]))
        assert told.cycles.isnan().flatten().tolist() == [True, False]
        assert told.reasons == {
            (0, 0, 0): "NoValidLoopOrderingFoundException: too small",
        }
    assert asked(fake) == 2


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no Python 'none/python'.*pip install zigzag-dse six"):
        ZigZag(python="none/python")
    with pytest.raises(UnknownNameError, match="mode of ZigZag 'salsa'"):
        ZigZag(python=sys.executable, mode="salsa")
    with pytest.raises(UsageError, match="limit_s"):
        ZigZag(python=sys.executable, limit_s=0.0)
    without = ZigZag(python=sys.executable, cache=tmp_path / "answers.jsonl")
    with pytest.raises(UsageError, match=r"cannot run ZigZag: .*zigzag-dse.*python -m venv zigzag"):
        without.costs(LayerBatch.of([[linear(5)]]), ChipBatch.of([{}]))


def test_one_that_cannot_be_imported(fake: Path) -> None:
    fake.write_text(
        f"#!{sys.executable}\nimport sys\n"
        "print('9.9') if sys.argv[-1] == '--version' else sys.exit('No module named six.')\n"
    )
    with pytest.raises(UsageError, match="cannot run ZigZag: No module named six"):
        made(fake).costs(LayerBatch.of([[linear(5)]]), ChipBatch.of([{}]))


# -- as an evaluator ----------------------------------------------------------------------------


def test_evaluator(fake: Path) -> None:
    pairs = space(PAIRS)
    told = evaluator(pairs, f"zigzag:python={fake},cache={fake.with_name('answers.jsonl')}")
    assert isinstance(told, ZigZagEvaluator)
    assert (told.fidelities, told.batched) == ((0, 1), False)
    assert [name for name, metric in told.metrics.items() if metric.exact] == ["area_um2"]
    cells = pairs.sample(1, 0)[0, :-1].tolist()
    small, roomy = (*cells, 0), (*cells, 1)
    model = told.evaluate(roomy, 0)
    assert asked(fake) == 0
    fixed, full = told.evaluate(roomy, 1), told.evaluate(roomy)
    assert (fixed.fidelity, full.fidelity) == (1, None)
    assert fixed.metrics["area_um2"] == model.metrics["area_um2"]
    # The fake knows but one way to compute a layer.
    assert full.metrics == fixed.metrics != model.metrics
    cycles = [layer.cycles for layer in told.layers(roomy)]
    assert full.metrics["latency_cycles"] == sum(cycles)
    row = torch.tensor([roomy])
    assert told.exact_values(row)["area_um2"].item() == model.metrics["area_um2"]
    failed = told.evaluate(small, 1)
    assert (failed.status, failed.metrics) == ("failed", {})
    assert failed.reason == "ZigZag: no tiling fits the global buffer"
    with pytest.raises(UsageError, match="no fidelity 2"):
        told.evaluate(roomy, 2)


# -- against ZigZag itself ----------------------------------------------------------------------


@pytest.fixture(scope="module")
def compared() -> dict[str, list[tuple[str, str, dict[str, float]]]]:
    """The cost model by ZigZag, of what `benchmarks/zigzag.py` has kept; by order of loops."""
    if not FROZEN.is_file():
        pytest.skip("the benchmarks are not part of what is installed")
    kept = json.loads(FROZEN.read_text())
    answers = kept["answers"]
    rows = [[PRODUCT, *answer["shape"].values(), 1.0, 0.0] for answer in answers]
    kind, *sizes = torch.tensor(rows, dtype=torch.float64).T[:, None]
    ours = cost_of(
        LayerBatch(kind.long(), *sizes), ChipBatch.of(kept["chips"]), energy=kept["energy"]
    )
    flows = [told["dataflow"] for told in kept["chips"]]
    found: dict[str, list[tuple[str, str, dict[str, float]]]] = {"fixed": [], "search": []}
    for number, answer in enumerate(answers):
        column = flows.index(answer["chip"])
        ratios = {
            name: float(getattr(ours, name)[0, number, column]) / answer[name]
            for name in ("cycles", "dram_bytes", "energy_pj")
        }
        found[answer["mode"]].append((answer["layer"], answer["chip"], ratios))
    return found


def share(told: list[tuple[str, str, dict[str, float]]], name: str, within: float) -> float:
    return sum(abs(ratios[name] - 1) <= within for *_, ratios in told) / len(told)


@pytest.mark.parametrize(
    ("mode", "count", "name", "within", "least"),
    [
        ("fixed", 60, "cycles", 0.1, 0.78),
        ("fixed", 60, "dram_bytes", 0.25, 0.95),
        ("fixed", 60, "energy_pj", 0.1, 0.8),
        ("search", 30, "cycles", 0.1, 0.9),
    ],
)
def test_layers_that_are_kept(
    compared: dict[str, list[tuple[str, str, dict[str, float]]]],
    mode: str,
    count: int,
    name: str,
    within: float,
    least: float,
) -> None:
    """Why the others are further off is in docs/accelerator.md."""
    told = compared[mode]
    assert len(told) == count
    assert share(told, name, within) >= least
    for dataflow in {chip for _, chip, _ in told}:
        own = [ratios[name] for _, chip, ratios in told if chip == dataflow]
        assert 0.95 < median(own) < 1.05


@pytest.mark.skipif("VITRUVIUS_ZIGZAG" not in os.environ, reason="names no Python with ZigZag")
def test_zigzag_itself(tmp_path: Path) -> None:
    python = os.environ["VITRUVIUS_ZIGZAG"]
    layers = LayerBatch.of(
        [[Layer("convolution", (16, 10, 10), (8, 8, 8), (3, 3), (1, 1), (1, 1))]]
    )
    flows = ("weight-stationary", "output-stationary", "row-stationary")
    chips = ChipBatch.of([{"dataflow": flow} for flow in flows])
    told = ZigZag(python=python, mode="fixed", cache=tmp_path / "answers.jsonl").costs(
        layers, chips
    )
    ours = cost_of(layers, chips)
    assert not told.reasons
    assert torch.equal(told.dram_bytes, ours.dram_bytes)
    assert (told.cycles >= ours.array_cycles).all()
