"""Networks on accelerators by ZigZag, with the cost model as what is cheap to look at first."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from ....core.errors import UsageError
from ....spaces import ArchitectureLike, Space, Task
from ...context import Context
from ...evaluation import Evaluation
from ..accelerators import METRICS, AcceleratorEvaluator
from ..cost_model import ChipBatch, Cost, LayerBatch
from .reference import ZigZag
from .translation import MODES

__all__ = ["ZigZagEvaluator"]

# Below the full fidelity: the cost model, and ZigZag in a fixed order of loops.
MODEL, FIXED = 0, 1


class ZigZagEvaluator(AcceleratorEvaluator):
    """Computes what networks take on chips by ZigZag (Mei et al., IEEE TC 2021).

    The metrics of `vitruvius.evaluators.hardware.accelerators.AcceleratorEvaluator`, at three
    fidelities: 0, the cost model of that, microseconds a layer; 1, ZigZag with the loops in a fixed
    order, some 0.03 seconds a layer; and in full, ZigZag searching for the order with the least
    product of energy and delay, seconds a layer. Area, and layers that are no products or have
    zeros put in, are of the cost model throughout.

    Use ``hardware`` to search with. This is to check what was found, or, with
    ``fidelity=lower-first``, to search in few evaluations.

    Args:
        space: The space.
        python: A Python that has ``zigzag-dse``.
        mode: What the full fidelity is: ``search``, or ``fixed``.
        cache: File of ZigZag's answers; by default in the user's folder for caches.
        limit_s: Seconds that one layer may take.
        batch: Examples at a time.
        objective: As for `AcceleratorEvaluator`.
        energy: As for `AcceleratorEvaluator`.
        area: As for `AcceleratorEvaluator`.
        task: As for `AcceleratorEvaluator`.
        chip: As for `AcceleratorEvaluator`.
        **fields: As for `AcceleratorEvaluator`.

    Raises:
        UsageError: Where there is no such Python, and as for `AcceleratorEvaluator`.
        UnknownNameError: For another mode, and as for `AcceleratorEvaluator`.
    """

    batched = False

    def __init__(
        self,
        space: Space,
        *,
        python: str | Path = "zigzag/bin/python",
        mode: str = "search",
        cache: str | Path = "",
        limit_s: float = 600.0,
        batch: int = 1,
        objective: str = "edp",
        energy: str = "eyeriss-65nm",
        area: str = "cacti-65nm",
        task: Task | None = None,
        chip: str | Path = "",
        **fields: Any,
    ) -> None:
        super().__init__(
            space,
            batch=batch,
            objective=objective,
            energy=energy,
            area=area,
            task=task,
            chip=chip,
            **fields,
        )
        self.metrics = {
            name: replace(metric, exact=name == "area_um2") for name, metric in METRICS.items()
        }
        whole = ZigZag(python=python, mode=mode, cache=cache, energy=energy, limit_s=limit_s)
        self._zigzag: dict[int | None, ZigZag] = {None: whole}
        self.fidelities = (MODEL,)
        if mode != MODES[0]:
            self.fidelities = (MODEL, FIXED)
            self._zigzag[FIXED] = whole.fixed()
        self._reasons: list[str] = []

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        if fidelity is not None and fidelity not in self.fidelities:
            raise UsageError(
                f"There is no fidelity {fidelity}.", f"Those of this evaluator: {self.fidelities}."
            )
        self._reasons = []
        start = time.perf_counter()
        told = super().evaluate(architecture, fidelity, seed, context)
        told = replace(told, seconds=time.perf_counter() - start)
        if not told.ok and self._reasons:
            return replace(told, reason=f"ZigZag: {self._reasons[0]}")
        return told

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        return {"area_um2": self._area(*self._chips(x))}

    def _cost(
        self,
        layers: LayerBatch,
        chips: ChipBatch,
        wanted: Bool[Tensor, "A L J"] | None = None,
        fidelity: int | None = None,
    ) -> Cost:
        own = super()._cost(layers, chips)
        if fidelity == MODEL:
            return own
        told = self._zigzag[fidelity].costs(layers, chips, wanted)
        self._reasons += told.reasons.values()
        asked = (layers.products & (layers.share == 1))[..., None]
        cycles = torch.where(asked, told.cycles, own.cycles)
        return replace(
            own,
            cycles=cycles,
            energy_pj=torch.where(asked, told.energy_pj, own.energy_pj),
            dram_bytes=torch.where(asked, told.dram_bytes, own.dram_bytes),
            buffer_bytes=torch.where(asked, told.buffer_bytes, own.buffer_bytes),
            utilisation=layers.macs[..., None] / (cycles * chips.processing_elements).clamp(min=1),
            fits=torch.where(asked, ~told.cycles.isnan(), own.fits),
        )
