"""Tables of energy and area: no figure of either means anything without the name of its table."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ....core.errors import UnknownNameError
from .chips import ChipBatch

__all__ = ["AREAS", "ENERGIES", "AreaTable", "EnergyTable", "area_table", "energy_table"]

KILOBYTE = 1024.0


@dataclass(frozen=True)
class EnergyTable:
    """Energy of each kind of access, in picojoules.

    Memories and adders take energy by their bits, multipliers by the product of the operands'.

    Args:
        name: Of the table.
        source: Where it is from.
        bits: Of the words that the values are for.
        mac: Of a multiply-add.
        register: Of a word of a register file.
        hop: Of a word between neighbours of the array.
        dram: Of a word of the memory outside.
        buffer: Of a word of the global buffer, whatever its size; 0 where it follows from it.
        buffer_fit: Factor and exponent of kilobytes, for a read of 64 bits.
        idle_mw: Drawn all the time, in milliwatts.
        unit: ``pJ``; or ``MAC``, where all values are multiples of a multiply-add's.
    """

    name: str
    source: str
    bits: int
    mac: float
    register: float
    hop: float
    dram: float
    buffer: float = 0.0
    buffer_fit: tuple[float, float] = (0.0, 0.0)
    idle_mw: float = 0.0
    unit: str = "pJ"

    def of_buffer(self, chips: ChipBatch) -> Float[Tensor, " J"]:
        """Energy of a word of ``bits`` bits in the global buffers of chips.

        Args:
            chips: The chips.
        """
        if self.buffer:
            return torch.full_like(chips.buffer_bytes, self.buffer)
        factor, exponent = self.buffer_fit
        return factor * (chips.buffer_bytes / KILOBYTE) ** exponent * self.bits / 64


@dataclass(frozen=True)
class AreaTable:
    """Area of the parts of a chip, in square micrometres.

    Args:
        name: Of the table.
        source: Where it is from.
        mac: Of a multiplier of 8 by 8 bits with its adder; it grows with the product of the bits.
        buffer: Of a kilobyte of the global buffer.
        register: Of a bit of a register file.
        wire: Of the network, of each processing element and bit of its bandwidth.
        bus: Whether the network is MAESTRO's of 2019 instead: a bus, and an arbiter that grows with
            the square of the elements.
    """

    name: str
    source: str
    mac: float
    buffer: float
    register: float
    wire: float
    bus: bool = False

    def of(self, chips: ChipBatch) -> Float[Tensor, " J"]:
        """Area of chips, in square micrometres.

        Args:
            chips: The chips.
        """
        elements = chips.processing_elements
        bandwidth = chips.noc_bytes_per_cycle
        if self.bus:
            # Constants of MAESTRO's source of 2019 and 2020, which knows no global buffer and no
            # bits; a register file is counted in blocks of 64 bytes.
            wires = 101.79 * (14.662 * elements + 28.9) * bandwidth
            arbiter = 395.47 * (1.2886 * elements**2 + 5.58 * elements - 23.7)
            registers = self.register * (chips.register_bytes / 64).ceil()
            return elements * (self.mac + registers) + wires + arbiter
        multipliers = self.mac * chips.weight_bits * chips.activation_bits / 64
        registers = self.register * 8 * chips.register_bytes
        wires = self.wire * 8 * bandwidth
        buffer = self.buffer * chips.buffer_bytes / KILOBYTE
        return elements * (multipliers + registers + wires) + buffer


ENERGIES = {
    table.name: table
    for table in (
        EnergyTable(
            "eyeriss-65nm",
            "nn_dataflow's test of Eyeriss, 65 nm (stanford-mast/nn_dataflow)",
            bits=16, mac=2.0, register=1.0, hop=4.0, buffer=15.0, dram=460.0, idle_mw=30.0,
        ),
        EnergyTable(
            "eyeriss-ratio",
            "Chen et al., ISCA 2016, as multiples of a multiply-add",
            bits=16, mac=1.0, register=1.0, hop=2.0, buffer=6.0, dram=200.0, unit="MAC",
        ),
        EnergyTable(
            "maestro",
            "MAESTRO's source, as multiples of a multiply-add: registers and global buffer alone",
            bits=8, mac=1.0, register=1.68, hop=0.0, buffer=18.61, dram=0.0, unit="MAC",
        ),
        EnergyTable(
            "cacti-65nm",
            "multipliers of Accelergy's library, memories of CACTI (65 nm), DRAM of Accelergy",
            bits=8, mac=0.208, register=0.25, hop=0.5, dram=64.0, buffer_fit=(4.48, 0.535),
        ),
        EnergyTable(
            "cacti-45nm",
            "Horowitz, ISSCC 2014, for arithmetic and DRAM; memories of CACTI (45 nm)",
            bits=8, mac=0.23, register=0.1, hop=0.2, dram=162.5, buffer_fit=(2.55, 0.522),
        ),
    )
}  # fmt: skip
"""Tables of energy by name."""
AREAS = {
    table.name: table
    for table in (
        AreaTable(
            "cacti-65nm", "Aladdin's multiplier, memories of CACTI (65 nm)",
            mac=1175.0, buffer=6706.0, register=1.9, wire=2.0,
        ),
        AreaTable(
            "cacti-45nm", "Aladdin's multiplier, memories of CACTI (45 nm)",
            mac=783.0, buffer=3213.0, register=0.91, wire=1.0,
        ),
        AreaTable(
            "maestro2019", "MAESTRO's source of 2019: the cost setting of NASAIC",
            mac=4470.9, buffer=0.0, register=4505.2, wire=0.0, bus=True,
        ),
    )
}  # fmt: skip
"""Tables of area by name."""


def energy_table(name: str) -> EnergyTable:
    """Returns a table of energy.

    Args:
        name: One of `ENERGIES`.

    Raises:
        UnknownNameError: For another name.
    """
    if name not in ENERGIES:
        raise UnknownNameError.of("table of energy", name, ENERGIES)
    return ENERGIES[name]


def area_table(name: str) -> AreaTable:
    """Returns a table of area.

    Args:
        name: One of `AREAS`.

    Raises:
        UnknownNameError: For another name.
    """
    if name not in AREAS:
        raise UnknownNameError.of("table of area", name, AREAS)
    return AREAS[name]
