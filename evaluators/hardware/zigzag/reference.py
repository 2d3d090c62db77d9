"""ZigZag: another model of layers on chips, to hold the cost model against."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ....core.errors import UnknownNameError, UsageError
from ....datasets.cache import cache_folder
from ..cost_model import ChipBatch, LayerBatch
from ..cost_model.tables import energy_table
from .answers import Answers
from .interpreter import Interpreter
from .translation import MODES, chips_of, job_of, shapes_of

__all__ = ["ZigZag", "ZigZagCost"]

NAMES = ("cycles", "energy_pj", "dram_bytes", "buffer_bytes", "seconds")


@dataclass(frozen=True, eq=False)
class ZigZagCost:
    """What layers cost on chips by ZigZag; NaN where there is no answer.

    Args:
        cycles: Latency of each layer, in cycles ``[A, L, J]``.
        energy_pj: Of each layer, in the unit of the table.
        dram_bytes: Between the memory outside and the global buffer.
        buffer_bytes: Between the global buffer and the array.
        seconds: That ZigZag took for it, when it was run.
        reasons: Why there is no answer, by position.
    """

    cycles: Float[Tensor, "A L J"]
    energy_pj: Float[Tensor, "A L J"]
    dram_bytes: Float[Tensor, "A L J"]
    buffer_bytes: Float[Tensor, "A L J"]
    seconds: Float[Tensor, "A L J"]
    reasons: Mapping[tuple[int, int, int], str]


class ZigZag:
    """Runs layers of products on chips through ZigZag (Mei et al., IEEE TC 2021).

    It is run by a Python of its own. What it is told is the array of the dataflow, registers, one
    global buffer and the memory outside, see `vitruvius.evaluators.hardware.zigzag.translation`;
    and either the order of loops, or to search for the one with the least product of energy and
    delay. Every answer is kept in a file, and nothing is run twice.

    A layer takes some 0.03 seconds in a fixed order, and 4 in a search; some take 30. For anything
    but holding one against the other use `vitruvius.evaluators.hardware.cost_model.cost_of`.

    Args:
        python: The Python that has ``zigzag-dse``.
        mode: ``search``; or ``fixed``, the loops of the dataflow around the tiles of the cost
            model.
        cache: File of the answers; by default in the user's folder for caches.
        energy: Name of a table, see `vitruvius.evaluators.hardware.cost_model.ENERGIES`.
        limit_s: Seconds that one layer may take.
        double_buffered: Whether only half of the global buffer holds tiles.

    Raises:
        UnknownNameError: For another mode or table.
        UsageError: Where there is no such Python, or a limit that is not above 0.
    """

    def __init__(
        self,
        *,
        python: str | Path = "zigzag/bin/python",
        mode: str = "search",
        cache: str | Path = "",
        energy: str = "eyeriss-65nm",
        limit_s: float = 600.0,
        double_buffered: bool = False,
    ) -> None:
        if mode not in MODES:
            raise UnknownNameError.of("mode of ZigZag", mode, MODES)
        if limit_s <= 0:
            raise UsageError(f"`limit_s` must be above 0, got {limit_s}.", "Give some seconds.")
        self.mode, self.double_buffered = mode, double_buffered
        self.table = energy_table(energy)
        self.interpreter = Interpreter(python, limit_s)
        self.answers = Answers(Path(cache or cache_folder() / "zigzag.jsonl"))

    def fixed(self) -> ZigZag:
        """Returns the same with the order of loops fixed, and answers shared."""
        other = copy(self)
        other.mode = "fixed"
        return other

    def costs(
        self, layers: LayerBatch, chips: ChipBatch, wanted: Bool[Tensor, "A L J"] | None = None
    ) -> ZigZagCost:
        """Computes what layers cost on chips, those that are products.

        Energy includes what is drawn all the time, which ZigZag knows nothing of.

        Args:
            layers: The layers.
            chips: The chips.
            wanted: Which pairs are asked for; all by default.

        Raises:
            UsageError: Where ZigZag cannot be imported.
            OutputError: Where answers cannot be kept.
        """
        values = torch.full((len(NAMES), *layers.kind.shape, len(chips)), torch.nan).double()
        reasons: dict[tuple[int, int, int], str] = {}
        jobs: dict[str, dict[str, Any]] = {}
        places: dict[tuple[int, int, int], str] = {}
        shapes, told_chips = shapes_of(layers), chips_of(chips, self.table)
        length = layers.kind.shape[1]
        for number, shape in enumerate(shapes):
            for column, chip in enumerate(told_chips):
                place = (number // length, number % length, column)
                if shape is None or (wanted is not None and not bool(wanted[place])):
                    continue
                job = job_of(
                    shape, chip, self.table, self.mode, double_buffered=self.double_buffered
                )
                if isinstance(job, str):
                    reasons[place] = job
                    continue
                places[place] = Answers.key(job, self.interpreter.version)
                jobs[places[place]] = job
        found = self._answered(jobs)
        for place, key in places.items():
            if "reason" in found[key]:
                reasons[place] = found[key]["reason"]
            else:
                own = torch.tensor([float(found[key][name]) for name in NAMES]).double()
                values[(slice(None), *place)] = own
        cycles, energy, dram, buffer, seconds = values
        # Milliwatts by nanoseconds.
        idle = self.table.idle_mw * cycles / chips.clock_mhz * 1000
        return ZigZagCost(cycles, energy + idle, dram, buffer, seconds, reasons)

    def _answered(self, jobs: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
        """Answers by key, of which those that are not kept yet are computed now."""
        found = {
            key: known for key in jobs if (known := self.answers.get(key)) and self._final(known)
        }
        left = [key for key in jobs if key not in found]
        told = self.interpreter.answers([jobs[key] for key in left])
        for key, answer in zip(left, told, strict=True):
            found[key] = answer
            # How a process died may be no fault of the layer.
            if answer.get("limit_s") != 0:
                self.answers.add(key, answer)
        return found

    def _final(self, known: Mapping[str, Any]) -> bool:
        """Whether an answer stands: one that ran out of time had as much as there is now."""
        return bool(known.get("limit_s", torch.inf) >= self.interpreter.limit_s)
