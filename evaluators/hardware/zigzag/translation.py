"""Layers and chips as the three inputs of ZigZag: workload, accelerator and mapping.

1. The array is unrolled as the dataflow is, see `vitruvius.evaluators.hardware.zigzag.arrays`.
2. There are registers of inputs, weights and sums, one global buffer for all, and the memory
   outside. The buffer has a port to the array, as wide as the network, and one outwards.
3. ZigZag rounds every transfer up to whole cycles, so that the registers of weight- and
   output-stationary arrays hold what some steps need, not one; and none waits to be filled, so that
   all are there twice. Loops that would make more of that stay where the dataflow has them.
4. Energy is that of the table by bits. What elements pass on to each other is added to the
   multiply-add, for ZigZag knows no such thing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from ..cost_model import DATAFLOWS, ChipBatch, EnergyTable, LayerBatch
from .arrays import BOTH, COLUMNS, ROWS, UNROLLED, Shape, Unrolled
from .tiles import bundled, order_of

__all__ = ["MODES", "chips_of", "job_of", "shapes_of"]

MODES = ("fixed", "search")
EQUATION = "O[b][g][k][oy][ox]+=W[g][k][c][fy][fx]*I[b][g][c][iy][ix]"
# ZigZag's names of inputs, weights and sums in memories.
OPERANDS = ("I1", "I2", "O")
# Bits of the memory outside: more than any layer has.
ENDLESS = 10**14


def shapes_of(layers: LayerBatch) -> list[Shape | None]:
    """Returns the shapes of the layers of a batch, network by network.

    Args:
        layers: The layers.

    Returns:
        None for a layer that ZigZag is not told of: one that is no product, or that has zeros put
        in.
    """
    names = (
        "batch", "groups", "outputs", "inputs", "height", "width", "kernel_height",
        "kernel_width", "stride", "dilation",
    )  # fmt: skip
    there = (layers.products & (layers.share == 1)).flatten().tolist()
    columns = [getattr(layers, name).flatten().tolist() for name in names]
    return [
        Shape(*map(int, row)) if told else None
        for told, row in zip(there, zip(*columns, strict=True), strict=True)
    ]


def chips_of(chips: ChipBatch, table: EnergyTable) -> list[dict[str, Any]]:
    """Returns the fields of each chip, its dataflow by name, and picojoules of a buffer's word.

    Args:
        chips: The chips.
        table: Of energy.
    """
    columns = {field.name: getattr(chips, field.name).tolist() for field in fields(ChipBatch)}
    columns["dataflow"] = [DATAFLOWS.names()[number] for number in columns["dataflow"]]
    columns["buffer_pj"] = table.of_buffer(chips).tolist()
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def job_of(
    shape: Shape,
    chip: Mapping[str, Any],
    table: EnergyTable,
    mode: str = "fixed",
    *,
    double_buffered: bool = False,
) -> dict[str, Any] | str:
    """Translates one layer on one chip.

    Args:
        shape: Of the layer.
        chip: One of `chips_of`.
        table: Of energy.
        mode: ``fixed``, the order of loops of the cost model; or ``search``, ZigZag's own.
        double_buffered: Whether only half of the global buffer holds tiles.

    Returns:
        What ``runner.py`` takes; or why there is no such thing.
    """
    if chip["dataflow"] not in UNROLLED:
        return f"ZigZag is not told of the dataflow {chip['dataflow']!r}"
    share = 0.5 if double_buffered else 1.0
    ways = list(UNROLLED[chip["dataflow"]](shape, chip))
    # A search goes on from the registers alone.
    laid, order, least = ways[0], [], math.inf
    for way in ways:
        # Those that follow take as long without the memory outside.
        if way.cycles >= least:
            break
        if (ordered := order_of(shape, chip, way, share)) is None:
            continue
        taken = max(way.cycles, ordered[0] / chip["dram_bytes_per_cycle"])
        if taken < least:
            laid, order, least = way, ordered[1], taken
    if least == math.inf and mode == "fixed":
        return "no tiling fits the global buffer"
    order, steps, inner = bundled(order, laid)
    mapping: dict[str, Any] = {
        "name": "default",
        "spatial_mapping": {
            side: [f"{loop}, {size}" for loop, size in along.items()]
            for side, along in ((ROWS, laid.rows), (COLUMNS, laid.columns))
        },
        "memory_operand_links": dict(zip(("I", "W", "O"), OPERANDS, strict=True)),
    }
    if mode == "fixed":
        mapping["temporal_ordering"] = order
    job: dict[str, Any] = {
        "workload": [_workload(shape, chip)],
        "accelerator": _accelerator(chip, table, laid, steps, double_buffered),
        "mapping": [mapping],
        "objective": "edp",
    }
    if mode == "search" and inner:
        job["inner"] = order[:inner]
    return job


def _workload(shape: Shape, chip: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "id": 0,
        "name": "layer",
        "operator_type": "Conv",
        "equation": EQUATION,
        "dimension_relations": [
            f"ix={shape.stride}*ox+{shape.dilation}*fx",
            f"iy={shape.stride}*oy+{shape.dilation}*fy",
        ],
        "loop_dims": list(shape.loops),
        "loop_sizes": list(shape.loops.values()),
        "operand_precision": {
            "W": int(chip["weight_bits"]),
            "I": int(chip["activation_bits"]),
            "O": int(chip["sum_bits"]),
            "O_final": int(chip["activation_bits"]),
        },
        "operand_source": {"W": 0, "I": 0},
    }


def _accelerator(
    chip: Mapping[str, Any],
    table: EnergyTable,
    laid: Unrolled,
    steps: Mapping[str, int],
    double_buffered: bool,
) -> dict[str, Any]:
    widths = [int(chip[f"{name}_bits"]) for name in ("activation", "weight", "sum")]
    memories = {
        f"register_{name}": _register(name, bits, words, served, chip, table)
        for name, bits, words, served in zip(
            OPERANDS, widths, laid.words(steps), laid.served, strict=True
        )
    }
    noc = max(1, round(8 * chip["noc_bytes_per_cycle"]))
    dram = max(1, round(8 * chip["dram_bytes_per_cycle"]))
    least = math.gcd(*widths)
    every = [f"{name}, {way}" for name in OPERANDS for way in ("fh", "tl")]
    sides = (
        ([*(f"{name}, tl" for name in OPERANDS), "O, fl"], noc),
        ([*(f"{name}, fh" for name in OPERANDS), "O, th"], max(noc, dram)),
    )
    memories["buffer"] = {
        "size": int(8 * chip["buffer_bytes"]),
        "r_cost": chip["buffer_pj"] / table.bits * noc,
        "w_cost": chip["buffer_pj"] / table.bits * noc,
        "operands": list(OPERANDS),
        "ports": [
            _port(f"rw_port_{number}", least, width, ways)
            for number, (ways, width) in enumerate(sides, 1)
        ],
        "served_dimensions": list(BOTH),
        "force_double_buffering": double_buffered,
    }
    memories["dram"] = {
        "size": ENDLESS,
        "r_cost": table.dram / table.bits * dram,
        "w_cost": table.dram / table.bits * dram,
        "operands": list(OPERANDS),
        "ports": [_port("rw_port_1", least, dram, [*every, "O, fl", "O, th"])],
        "served_dimensions": list(BOTH),
    }
    product = chip["weight_bits"] * chip["activation_bits"] / table.bits**2
    # ZigZag knows no energy between neighbours.
    hops = laid.passing * table.hop * chip["activation_bits"] / table.bits
    return {
        "name": "chip",
        "memories": {name: {"area": 0.0, "latency": 1, **own} for name, own in memories.items()},
        "operational_array": {
            "unit_energy": table.mac * product + hops,
            "unit_area": 0.0,
            "dimensions": list(BOTH),
            "sizes": [int(chip["rows"]), int(chip["columns"])],
        },
    }


def _register(
    name: str,
    bits: int,
    words: int,
    served: tuple[str, ...],
    chip: Mapping[str, Any],
    table: EnergyTable,
) -> dict[str, Any]:
    """A register of each element, or of the elements along a side; never what data wait for."""
    readers = math.prod(
        int(chip[field]) for side, field in ((ROWS, "rows"), (COLUMNS, "columns")) if side in served
    )
    width = max(words, readers) * bits
    # What elements share is the wires between them, which are counted with the multiply-adds.
    cost = 0.0 if served else table.register / table.bits * width
    ways = (("r", 1, "tl"), ("w", 1, "fh"), ("r", 2, "th"), ("w", 2, "fl"))
    used = ways if name == "O" else ways[:2]
    kinds = {"r": "read", "w": "write"}
    return {
        # Twice the words, so that what comes next waits beside.
        "size": 2 * words * bits,
        "r_cost": cost,
        "w_cost": cost,
        "operands": [name],
        "ports": [
            _port(f"{kind}_port_{number}", bits, width, [f"{name}, {way}"], kinds[kind])
            for kind, number, way in used
        ],
        "served_dimensions": list(served),
        "force_double_buffering": True,
    }


def _port(
    name: str, least: int, width: int, ways: list[str], kind: str = "read_write"
) -> dict[str, Any]:
    return {
        "name": name,
        "type": kind,
        "bandwidth_min": min(least, width),
        "bandwidth_max": width,
        "allocation": ways,
    }
