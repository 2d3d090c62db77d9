"""The hardware of NASAIC (Yang et al., DAC 2020): two arrays of one of three dataflows each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .accelerator import Accelerator

__all__ = ["NASAIC"]

# As the paper calls them, and MAESTRO's files.
DATAFLOWS = {"dla": "weight-stationary", "shi": "output-stationary", "rs": "row-stationary"}
ELEMENTS, BANDWIDTH = range(0, 4097, 64), range(8, 65, 8)
MOST_ELEMENTS, MOST_BANDWIDTH = 4096, 64
LEFT_OUT = "<>"


class NASAIC(Accelerator):
    """The chips of NASAIC (arXiv 2002.04116): up to 4,096 elements and 64 GB/s for two arrays.

    Each has a dataflow, processing elements and bandwidth; one without elements is left out.
    Written as in the paper, ``<dla,576,56><shi,1792,8>``: NVDLA's weight-stationary dataflow
    (``dla``), ShiDianNao's output-stationary (``shi``), Eyeriss's row-stationary (``rs``), the
    elements, and gigabytes a second at a clock of one gigahertz; ``<>`` is one that is left out.
    Buffers are not searched there; here each has a mebibyte, so that hardly a tile is cut.

    Example:
        >>> chips = NASAIC()
        >>> chip = chips.architecture("<dla,576,56><shi,1792,8>")
        >>> chip == chips.architecture("<shi,1792,8><dla,576,56>"), chip["processing_elements_1"]
        (True, 576)
    """

    name = "nasaic"

    def __init__(self) -> None:
        super().__init__(
            arrays=2,
            dataflow=tuple(DATAFLOWS.values()),
            processing_elements=tuple(ELEMENTS),
            buffer_kib=1024,
            register_bytes=64,
            noc_bytes_per_cycle=tuple(BANDWIDTH),
            dram_bytes_per_cycle=64,
            weight_bits=8,
            activation_bits=8,
            sum_bits=16,
            clock_mhz=1000,
            most_elements=MOST_ELEMENTS,
            most_noc_bytes_per_cycle=MOST_BANDWIDTH,
        )

    def to_string(self, row: Sequence[int]) -> str:
        arrays = (row[start : start + 3] for start in range(0, len(row), 3))
        return "".join(
            f"<{list(DATAFLOWS)[flow]},{ELEMENTS[elements]},{BANDWIDTH[bandwidth]}>"
            if elements
            else LEFT_OUT
            for flow, elements, bandwidth in arrays
        )

    def from_string(self, text: str) -> tuple[int, ...]:
        if not re.fullmatch(r"\s*<[^<>]*>\s*<[^<>]*>\s*", text):
            raise self.unreadable(text, "it is not two of <dataflow,elements,bandwidth>")
        row: list[int] = []
        for part in re.findall(r"<([^<>]*)>", text):
            flow, *numbers = (word.strip() for word in part.split(","))
            if not part.strip():
                row += [0, 0, 0]
                continue
            if flow not in DATAFLOWS or len(numbers) != 2:
                expected = f"<{'|'.join(DATAFLOWS)},number,number>"
                raise self.unreadable(text, f"<{part}> is not {expected}")
            row.append(list(DATAFLOWS).index(flow))
            for number, known in zip(numbers, (ELEMENTS, BANDWIDTH), strict=True):
                if not number.isdecimal() or int(number) not in known:
                    said = f"{known[0]} to {known[-1]} in steps of {known.step}"
                    raise self.unreadable(text, f"numbers are {said}, got {number}")
                row.append(known.index(int(number)))
        return tuple(row)
