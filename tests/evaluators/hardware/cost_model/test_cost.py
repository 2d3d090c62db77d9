"""The cost model against closed forms, published silicon, and what must hold of any chip."""

import math
from dataclasses import fields

import pytest
import torch
from hypothesis import given, strategies as st

from vitruvius.core.errors import UnknownNameError, UsageError
from vitruvius.evaluators.hardware.cost_model import (
    AREAS,
    DATAFLOWS,
    ENERGIES,
    ChipBatch,
    Cost,
    LayerBatch,
    cost_of,
)
from vitruvius.spaces import Layer, names, space


def convolution(
    outputs: int, inputs: int, side: int, kernel: int, stride: int = 1, groups: int = 1
) -> Layer:
    """Channels are those of a group."""
    taken = (side - 1) * stride + kernel
    return Layer(
        "convolution",
        (inputs * groups, taken, taken),
        (outputs * groups, side, side),
        (kernel, kernel),
        (stride, stride),
        (1, 1),
        groups,
    )


ALEXNET = [
    convolution(96, 3, 55, 11, 4),
    convolution(128, 48, 27, 5, groups=2),
    convolution(384, 256, 13, 3),
    convolution(192, 192, 13, 3, groups=2),
    convolution(128, 192, 13, 3, groups=2),
]
LAYER = convolution(70, 40, 9, 3, 2)
ROWS, COLUMNS = 16, 12
LIMITLESS = {"noc_bytes_per_cycle": 1e12, "dram_bytes_per_cycle": 1e12, "buffer_bytes": 2**30}


def chip(**values: object) -> ChipBatch:
    return ChipBatch.of([{"rows": ROWS, "columns": COLUMNS, **values}])


def up(size: int, side: int) -> int:
    return -(-size // side)


@pytest.mark.parametrize(
    ("dataflow", "cycles"),
    [
        ("weight-stationary", up(40, ROWS) * up(70, COLUMNS) * 9 * 81),
        ("output-stationary", 70 * 40 * 9 * up(9, ROWS) * up(9, COLUMNS)),
        # Five sets of three rows above one another, one beside.
        ("row-stationary", up(70 * 40, 5) * 3 * 9),
        (
            "systolic-weight-stationary",
            up(360, ROWS) * up(70, COLUMNS) * (81 + 2 * ROWS + COLUMNS - 2),
        ),
        ("systolic-output-stationary", up(81, ROWS) * up(70, COLUMNS) * (360 + ROWS + COLUMNS - 2)),
        (
            "systolic-input-stationary",
            up(360, ROWS) * up(81, COLUMNS) * (70 + 2 * ROWS + COLUMNS - 2),
        ),
    ],
)
def test_cycles_in_closed_form(dataflow: str, cycles: int) -> None:
    told = cost_of(LayerBatch.of([[LAYER]]), chip(dataflow=dataflow, **LIMITLESS))
    assert told.array_cycles.item() == cycles
    assert told.cycles.item() == pytest.approx(cycles, rel=1e-3)
    assert told.bound.item() == 0


def test_eyeriss() -> None:
    """AlexNet on silicon of 65 nm, four images (Chen et al., ISSCC 2016): .8 to 1 of its time."""
    told = cost_of(LayerBatch.of([ALEXNET], batch=4), ChipBatch.of([{}]))
    measured_ms = torch.tensor([16.5, 39.2, 21.8, 16.0, 10.0], dtype=torch.float64)
    ratio = told.cycles[0, :, 0] / 200e3 / measured_ms
    assert ((ratio > 0.8) & (ratio < 1)).all()
    assert told.feasible.all()


def test_energy_of_the_memory_outside() -> None:
    """AlexNet, sixteen images, 128 KB (Chen et al., ISCA 2016): within 25 % for every layer."""
    told = cost_of(
        LayerBatch.of([ALEXNET], batch=16),
        ChipBatch.of([{"rows": 16, "columns": 16, "buffer_bytes": 128 * 1024}]),
    )
    # Words of 16 bits at 200 multiply-adds each.
    ratio = told.dram_bytes[0, :, 0] / 2 * 200 / 1e9 / torch.tensor([2.46, 2.27, 2.02, 1.57, 1.05])
    assert ((ratio > 0.75) & (ratio < 1.25)).all()
    assert ratio.mean() == pytest.approx(1, abs=0.05)


def test_eyeriss_traffic() -> None:
    """Of the third layer by hand: in the buffer, all of an image's channels at once do not fit."""
    whole = 2 * (384 * 256 * 9 + 4 * 256 * 15 * 15 + 4 * 384 * 13 * 13)
    told = cost_of(LayerBatch.of([ALEXNET[2:3]], batch=4), ChipBatch.of([{}]))
    roomy = cost_of(LayerBatch.of([ALEXNET[2:3]], batch=4), ChipBatch.of([{"buffer_bytes": 2**30}]))
    assert roomy.dram_bytes.item() == whole
    assert whole < told.dram_bytes.item() < 3 * whole


def test_area_of_maestro_is_that_of_nasaic() -> None:
    """Elements and bandwidths of its designs, and the square micrometres of its paper."""
    for designs, area in (
        (((2112, 48), (1984, 16)), 4.71e9),
        (((1088, 24), (2368, 40)), 3.86e9),
        (((576, 56), (1792, 8)), 2.03e9),
    ):
        chips = ChipBatch.of(
            [
                {"rows": 1, "columns": n, "noc_bytes_per_cycle": bandwidth, "register_bytes": 64}
                for n, bandwidth in designs
            ]
        )
        told = AREAS["maestro2019"].of(chips).sum().item()
        assert 0.93 < told / area < 0.97


def test_depthwise_uses_one_row_and_one_column_of_weight_stationary_arrays() -> None:
    layer = convolution(1, 1, 8, 3, groups=32)
    told = cost_of(LayerBatch.of([[layer]]), chip(dataflow="weight-stationary", **LIMITLESS))
    assert told.array_cycles.item() == 32 * 9 * 64
    assert told.utilisation.item() == pytest.approx(1 / (ROWS * COLUMNS), rel=1e-2)


def test_linear_and_pooling_and_what_is_folded() -> None:
    layers = [
        Layer("normalisation", (64, 8, 8), (64, 8, 8)),
        Layer("ReLU", (64, 8, 8), (64, 8, 8)),
        Layer("pooling", (64, 8, 8), (64, 1, 1), (8, 8), (8, 8), (1, 1)),
        Layer("linear", (64,), (10,)),
    ]
    batch = LayerBatch.of([layers])
    assert batch.kind.tolist() == [[2, 1]]
    assert batch.macs.tolist() == [[0, 640]]
    told = cost_of(batch, chip(dataflow="weight-stationary"))
    assert told.array_cycles[0, :, 0].tolist() == [up(64 * 64, COLUMNS), up(64, ROWS)]
    assert told.dram_bytes[0, 0, 0] == 0
    assert told.energy_pj[0, 0, 0] > 0


def test_transposed_convolutions_compute_no_zeros() -> None:
    layer = Layer(
        "transposed convolution", (8, 4, 4), (16, 8, 8), (4, 4), (2, 2), (1, 1), params=0, macs=0
    )
    batch = LayerBatch.of([[layer]])
    # Every entry of the input meets every weight.
    assert batch.macs.item() == 16 * 8 * 16 * 16
    assert batch.share.item() == 0.25


@pytest.mark.parametrize("name", ["nasbench201:width=4,cells=1", "autogan:width=4", "mnasnet"])
def test_multiply_adds_are_those_of_the_space(name: str) -> None:
    found = space(name)
    row = torch.tensor([found.example])
    batch = LayerBatch.of([found.layers(found.example)])
    assert batch.macs.sum() == found.statistics(row)["macs"]


def test_every_network_of_images_is_known() -> None:
    assert {"darts", "eagan-generator"} <= set(names())
    for name in ("darts:cells=3,width=4", "nasnet:cells=1,width=8", "eagan-discriminator:width=4"):
        found = space(name)
        assert cost_of(LayerBatch.of([found.layers(found.example)]), ChipBatch.of([{}])).feasible


# -- what must hold -----------------------------------------------------------------------------

sides = st.integers(1, 40)
# Arguments of `convolution`.
layers = st.tuples(
    sides, sides, st.integers(1, 20), st.sampled_from([1, 3, 5]), st.sampled_from([1, 2]),
    st.sampled_from([1, 2, 16]),
)  # fmt: skip
Sizes = tuple[int, int, int, int, int, int]
chips = st.fixed_dictionaries(
    {
        "dataflow": st.sampled_from(DATAFLOWS.names()),
        "rows": st.integers(1, 40),
        "columns": st.integers(1, 40),
        "buffer_bytes": st.sampled_from([2.0**12, 2.0**15, 3e5, 2.0**22]),
        "register_bytes": st.sampled_from([0, 16, 512]),
        "noc_bytes_per_cycle": st.sampled_from([1, 8, 64]),
        "dram_bytes_per_cycle": st.sampled_from([1, 8]),
        "weight_bits": st.sampled_from([4, 8, 16]),
    }
)


def told_of(sizes: Sizes, *given: dict[str, object]) -> Cost:
    return cost_of(LayerBatch.of([[convolution(*sizes)]]), ChipBatch.of(list(given)))


@given(layers, chips)
def test_bounds(sizes: Sizes, given_chip: dict[str, object]) -> None:
    told, layer = told_of(sizes, given_chip), convolution(*sizes)
    batch = LayerBatch.of([[layer]])
    assert 0 < told.utilisation.item() <= 1
    assert told.energy_pj.item() > 0
    assert told.area_um2.item() > 0
    assert told.cycles >= told.array_cycles
    # Every operand is read or written once at least.
    height, width = (value.item() for value in batch.taken)
    channels, out = layer.inputs[0], math.prod(layer.outputs)
    weights = channels // layer.groups * layer.outputs[0] * math.prod(layer.kernel)
    bits = given_chip["weight_bits"]
    assert isinstance(bits, int)
    least = weights * bits / 8 + 2 * (channels * height * width + out)
    assert told.dram_bytes.item() >= least * (1 - 1e-9)


@given(layers, chips, st.sampled_from(["noc_bytes_per_cycle", "dram_bytes_per_cycle"]))
def test_bandwidth_never_hurts(sizes: Sizes, given_chip: dict[str, object], name: str) -> None:
    low, high = told_of(sizes, given_chip, {**given_chip, name: 1e3}).cycles.flatten().tolist()
    assert high <= low


@given(layers, chips)
def test_a_larger_buffer_never_asks_more_of_the_memory_outside(
    sizes: Sizes, given_chip: dict[str, object]
) -> None:
    grown = [{**given_chip, "buffer_bytes": 2.0**size} for size in range(10, 24)]
    told = told_of(sizes, *grown)
    assert (told.dram_bytes.flatten().diff() <= 0).all()
    # What fits once fits in anything larger.
    assert (told.fits.flatten().int().diff() >= 0).all()


@given(st.lists(layers, min_size=1, max_size=4), st.lists(chips, min_size=1, max_size=4))
def test_a_batch_is_a_loop(some: list[Sizes], several: list[dict[str, object]]) -> None:
    listed = [convolution(*sizes) for sizes in some]
    together = cost_of(LayerBatch.of([listed, listed[:1]]), ChipBatch.of(several))
    for number, sizes in enumerate(some):
        for place, each in enumerate(several):
            alone = told_of(sizes, each)
            for field in fields(Cost)[:8]:
                value = getattr(together, field.name)[0, number, place]
                assert torch.isclose(value, getattr(alone, field.name).flatten()[0], rtol=1e-12)
    # A shorter network is filled up with nothing.
    assert torch.equal(together.latency_cycles[1], together.cycles[0, 0])


def test_half_a_buffer() -> None:
    one = cost_of(LayerBatch.of([[LAYER]]), chip(buffer_bytes=2**14), double_buffered=True)
    other = cost_of(LayerBatch.of([[LAYER]]), chip(buffer_bytes=2**13))
    assert one.dram_bytes == other.dram_bytes


@pytest.mark.parametrize("energy", ENERGIES)
def test_tables(energy: str) -> None:
    layers = LayerBatch.of([[LAYER]])
    wide, narrow = (
        cost_of(layers, chip(weight_bits=bits, activation_bits=bits, sum_bits=bits), energy=energy)
        for bits in (16, 8)
    )
    assert wide.energy_table.name == energy
    assert wide.energy_pj > narrow.energy_pj > 0


# -- what goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        ({"dataflow": "input"}, UnknownNameError, "dataflow 'input'"),
        ({"rows": 0}, UsageError, "`rows` of a chip is 0"),
        ({"weight_bits": "eight"}, UsageError, "`weight_bits` of a chip is 'eight'"),
        ({"buffer_bytes": math.inf}, UsageError, "finite"),
        ({"lanes": 3}, UnknownNameError, "field of a chip 'lanes'"),
    ],
)
def test_chips_that_are_none(
    values: dict[str, object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        ChipBatch.of([values])


def test_unknown_names() -> None:
    layers = LayerBatch.of([[LAYER]])
    with pytest.raises(UnknownNameError, match="table of energy 'free'"):
        cost_of(layers, chip(), energy="free")
    with pytest.raises(UnknownNameError, match="table of area 'free'"):
        cost_of(layers, chip(), area="free")
    with pytest.raises(UsageError, match="does not know the layer 'GRU'"):
        LayerBatch.of([[Layer("GRU", (3,), (3,))]])


def test_a_buffer_that_no_tile_fits() -> None:
    layer = convolution(512, 512, 14, 3)
    told = cost_of(LayerBatch.of([[layer]]), chip(buffer_bytes=64))
    assert not told.feasible.item()
    assert told.cycles.isfinite().all()
