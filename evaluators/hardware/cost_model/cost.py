"""Cost: cycles, energy and bounds of layers on chips."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .chips import ChipBatch
from .dataflows import DATAFLOWS, Dataflow, Sizes, up
from .layer_batch import VECTOR, LayerBatch
from .sparse import aggregated
from .tables import AreaTable, EnergyTable, area_table, energy_table
from .tiling import dram_traffic

__all__ = ["BOUNDS", "Cost", "cost_of"]

BOUNDS = ("array", "noc", "dram")
"""What a layer's latency may be bound by."""
# Values of a tensor that are computed at a time.
CHUNK = 1 << 22


@dataclass(frozen=True, eq=False)
class Cost:
    """What layers cost on chips; sums over layers are of one run of each network.

    Args:
        cycles: Latency of each layer, in cycles ``[A, L, J]``.
        array_cycles: Of the array alone, where data are always there.
        energy_pj: Of each layer, in picojoules (in multiply-adds for a table in that unit).
        dram_bytes: Between the memory outside and the global buffer.
        buffer_bytes: Between the global buffer and the array.
        utilisation: Multiply-adds by what the array could have done in its latency.
        bound: Position in `BOUNDS`.
        fits: Whether any tiling of the layer fits the global buffer.
        area_um2: Of each chip ``[J]``, in square micrometres.
        energy_table: Of the energy.
        area_table: Of the area.
    """

    cycles: Float[Tensor, "A L J"]
    array_cycles: Float[Tensor, "A L J"]
    energy_pj: Float[Tensor, "A L J"]
    dram_bytes: Float[Tensor, "A L J"]
    buffer_bytes: Float[Tensor, "A L J"]
    utilisation: Float[Tensor, "A L J"]
    bound: Int[Tensor, "A L J"]
    fits: Bool[Tensor, "A L J"]
    area_um2: Float[Tensor, " J"]
    energy_table: EnergyTable
    area_table: AreaTable

    @property
    def latency_cycles(self) -> Float[Tensor, "A J"]:
        """Of one layer after another, in cycles."""
        return self.cycles.sum(1)

    @property
    def energy_nj(self) -> Float[Tensor, "A J"]:
        """Of whole networks, in nanojoules (thousands of multiply-adds in that unit)."""
        return self.energy_pj.sum(1) / 1000

    @property
    def feasible(self) -> Bool[Tensor, "A J"]:
        """Whether all layers of a network fit."""
        return self.fits.all(1)


def cost_of(
    layers: LayerBatch,
    chips: ChipBatch,
    *,
    energy: str = "eyeriss-65nm",
    area: str = "cacti-65nm",
    double_buffered: bool = False,
) -> Cost:
    """Computes what layers cost on chips, all pairs in batches.

    The latency of a layer is what is slowest of the array, the network between buffer and array,
    and the memory outside, after the first tiles have come from there. Energy is counted by
    accesses of each memory. It is dense: zeros are computed, but for those that a transposed
    convolution puts in. Layers of products that follow on one another exchange everything through
    the memory outside; vector operations take what is in the buffer.

    Valid for ranking designs and checking specifications within one table; absolute energy is good
    to a factor of three or four.

    Args:
        layers: The layers.
        chips: The chips, on the same device.
        energy: Name of a table of energy, see `vitruvius.evaluators.hardware.cost_model.ENERGIES`.
        area: Name of a table of area, see `vitruvius.evaluators.hardware.cost_model.AREAS`.
        double_buffered: Whether only half of the global buffer holds tiles.

    Raises:
        UnknownNameError: For another table.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201")
        >>> layers = LayerBatch.of([cells.layers(cells.example)])
        >>> cost = cost_of(layers, ChipBatch.of([{}, {"columns": 28}]))
        >>> bool(cost.latency_cycles[0, 1] <= cost.latency_cycles[0, 0]), bool(cost.feasible.all())
        (True, True)
    """
    table, areas = energy_table(energy), area_table(area)
    per = max(1, CHUNK // max(1, layers.kind.numel()))
    pieces = [
        _cost(layers, chips[part], table, 0.5 if double_buffered else 1.0)
        for part in torch.arange(len(chips), device=chips.rows.device).split(per)
    ]
    cycles, array, picojoules, dram, buffer, busy, bound, fits = (
        torch.cat(values, -1) for values in zip(*pieces, strict=True)
    )
    return Cost(
        cycles, array, picojoules, dram, buffer, busy, bound, fits, areas.of(chips), table, areas
    )


def _cost(
    layers: LayerBatch, chips: ChipBatch, table: EnergyTable, share: float
) -> tuple[Tensor, ...]:
    sizes = Sizes.of(layers)
    array, words, hops, registers = _on_array(sizes, chips)
    products = layers.products[..., None]
    gathers = layers.aggregations[..., None]
    vector = (layers.kind == VECTOR)[..., None]
    kept = layers.share[..., None]
    elements = layers.elements[..., None]
    weight, activation, partial = chips.operand_bytes
    # Zeros that were put in need no cycle; a vector operation has a lane for every column.
    lanes = torch.where(vector, up(elements, chips.columns), 0.0)
    array = torch.where(products, array * kept, lanes)
    moved = words[0] * weight + words[1] * activation + words[2] * partial
    moved = torch.where(products, moved, torch.where(vector, 2 * elements * activation, 0.0))
    traffic = dram_traffic(layers, chips, share)
    outside, first = (torch.where(products, value, 0.0) for value in traffic[:2])
    if bool(gathers.any()):
        sparse = aggregated(layers, chips)
        array, moved, outside, first = (
            torch.where(gathers, own, value)
            for own, value in zip(sparse, (array, moved, outside, first), strict=True)
        )
    on_noc = moved / chips.noc_bytes_per_cycle
    on_dram = (outside - first) / chips.dram_bytes_per_cycle
    candidates = torch.stack([array, on_noc, on_dram])
    slowest, bound = candidates.max(0)
    cycles = slowest + first / chips.dram_bytes_per_cycle

    macs = layers.macs[..., None]
    scale = table.bits / 8
    multiplied = macs * table.mac * chips.weight_bits * chips.activation_bits / table.bits**2
    wide = chips.activation_bits / table.bits
    hops = torch.where(products, hops, 0.0)
    inside = (registers * macs * table.register + hops * table.hop) * wide
    picojoules = (
        multiplied
        + inside
        + moved / scale * table.of_buffer(chips)
        + outside / scale * table.dram
        # Milliwatts by nanoseconds.
        + table.idle_mw * cycles / chips.clock_mhz * 1000
    )
    busy = (cycles * chips.processing_elements).clamp(min=1)
    fits = traffic.fits | ~products
    return cycles, array, picojoules, outside, moved, macs / busy, bound, fits


def _on_array(
    sizes: Sizes, chips: ChipBatch
) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor], Tensor, Tensor]:
    """Cycles, words, hops and accesses of registers, each chip by its own dataflow."""
    shape = (*sizes.k.shape[:-1], len(chips))
    cycles, weights, inputs, sums, hops = (sizes.k.new_zeros(shape) for _ in range(5))
    registers = sizes.k.new_zeros(len(chips))
    for number in chips.dataflow.unique().tolist():
        flow: Dataflow = DATAFLOWS.get(DATAFLOWS.names()[number])()
        own = (chips.dataflow == number).nonzero()[:, 0]
        some = chips[own]
        cycles[..., own] = flow.cycles(sizes, some)
        weights[..., own], inputs[..., own], sums[..., own] = flow.words(sizes, some)
        hops[..., own] = flow.hops(sizes, some)
        registers[own] = flow.registers
    return cycles, (weights, inputs, sums), hops, registers
