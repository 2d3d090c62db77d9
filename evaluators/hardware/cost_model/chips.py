"""Chips as tensors: arrays of multipliers with their memories and bandwidths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ....core.errors import UnknownNameError, UsageError
from .dataflows import DATAFLOWS

__all__ = ["ChipBatch"]

# What a chip has unless told otherwise: Eyeriss of 65 nm (Chen et al., ISSCC 2016).
EYERISS: dict[str, float | str] = {
    "dataflow": "row-stationary",
    "rows": 12,
    "columns": 14,
    "buffer_bytes": 108 * 1024,
    "register_bytes": 512,
    "noc_bytes_per_cycle": 64,
    "dram_bytes_per_cycle": 8,
    "weight_bits": 16,
    "activation_bits": 16,
    "sum_bits": 16,
    "clock_mhz": 200,
}
LEAST = {name: 1.0 for name in EYERISS if name != "dataflow"} | {"register_bytes": 0.0}


@dataclass(frozen=True, eq=False)
class ChipBatch:
    """Chips ``[J]``, each one array with one dataflow.

    Args:
        dataflow: Position in `DATAFLOWS` of each.
        rows: Rows of the array.
        columns: Columns of the array.
        buffer_bytes: Of the global buffer.
        register_bytes: Of a processing element's register file.
        noc_bytes_per_cycle: Between the global buffer and the array.
        dram_bytes_per_cycle: Between the memory outside and the global buffer.
        weight_bits: Of a weight.
        activation_bits: Of an input or output.
        sum_bits: Of a partial sum.
        clock_mhz: Cycles a microsecond.

    Example:
        >>> chips = ChipBatch.of([{}, {"dataflow": "weight-stationary", "rows": 32}])
        >>> chips.processing_elements.tolist()
        [168.0, 448.0]
    """

    dataflow: Int[Tensor, " J"]
    rows: Float[Tensor, " J"]
    columns: Float[Tensor, " J"]
    buffer_bytes: Float[Tensor, " J"]
    register_bytes: Float[Tensor, " J"]
    noc_bytes_per_cycle: Float[Tensor, " J"]
    dram_bytes_per_cycle: Float[Tensor, " J"]
    weight_bits: Float[Tensor, " J"]
    activation_bits: Float[Tensor, " J"]
    sum_bits: Float[Tensor, " J"]
    clock_mhz: Float[Tensor, " J"]

    @classmethod
    def of(cls, chips: Sequence[Mapping[str, Any]]) -> ChipBatch:
        """Makes chips of what is said of each; what is not is as on Eyeriss.

        Args:
            chips: Values by the names of the arguments above; ``dataflow`` by name.

        Raises:
            UnknownNameError: For another name, or an unknown dataflow.
            UsageError: For a value that is out of range.
        """
        told = [{**EYERISS, **chip} for chip in chips]
        for chip in told:
            for name, value in chip.items():
                if name not in EYERISS:
                    raise UnknownNameError.of("field of a chip", name, EYERISS)
                if name == "dataflow":
                    DATAFLOWS.get(str(value))
                elif isinstance(value, bool) or not isinstance(value, int | float):
                    raise UsageError(f"`{name}` of a chip is {value!r}.", "Give a number.")
                elif not LEAST[name] <= value < float("inf"):
                    raise UsageError(
                        f"`{name}` of a chip is {value!r}.",
                        f"It is at least {LEAST[name]:g}, and finite.",
                    )
        names = list(DATAFLOWS.names())
        flows = torch.tensor([names.index(str(chip["dataflow"])) for chip in told])
        others = [
            torch.tensor([float(chip[field.name]) for chip in told], dtype=torch.float64)
            for field in fields(cls)[1:]
        ]
        return cls(flows.long(), *others)

    def __len__(self) -> int:
        return len(self.dataflow)

    def __getitem__(self, chosen: Tensor) -> ChipBatch:
        return ChipBatch(*(getattr(self, field.name)[chosen] for field in fields(self)))

    @property
    def processing_elements(self) -> Float[Tensor, " J"]:
        """Multipliers of the array."""
        return self.rows * self.columns

    @property
    def operand_bytes(self) -> tuple[Tensor, Tensor, Tensor]:
        """Bytes of a weight, an activation and a partial sum."""
        return self.weight_bits / 8, self.activation_bits / 8, self.sum_bits / 8

    def to(self, device: torch.device | str, dtype: torch.dtype = torch.float64) -> ChipBatch:
        """Moves the tensors; `dataflow` stays whole.

        Args:
            device: Where to.
            dtype: Of the numbers.
        """
        moved = [getattr(self, field.name).to(device) for field in fields(self)]
        return ChipBatch(moved[0], *(value.to(dtype) for value in moved[1:]))
