"""Networks on accelerators: cycles, energy and area by the cost model, for many pairs at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields as fields_of
from pathlib import Path
from typing import Any, cast

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ...core.distinct import distinct_rows
from ...core.errors import UsageError
from ...spaces import ArchitectureLike, GraphTask, Layer, ProductSpace, Space, Task
from ...spaces.accelerator.accelerator import Accelerator, near_square
from ...spaces.accelerator.chip_file import chip_of, read_chip
from ...spaces.resolver import preset
from ..context import Context
from ..evaluation import Evaluation
from ..evaluator import Evaluator
from ..metric import Metric
from .cost_model import DATAFLOWS, ChipBatch, Cost, LayerBatch, cost_of
from .cost_model.cost import BOUNDS
from .cost_model.tables import area_table, energy_table
from .layer_lists import LayerLists
from .list_scheduling import Chains, Objective, list_schedules, simulated
from .scheduling import THOROUGH, Workload, best_schedule

__all__ = ["AcceleratorEvaluator", "LayerCost"]

_INFINITE = float("inf")
# Their units are in their names, so that numbers may be written as 40k or 2M.
METRICS = {
    name: Metric(name, "", "lower", (0.0, _INFINITE), exact=True)
    for name in ("latency_cycles", "energy_nj", "area_um2")
}
OBJECTIVES = ("makespan", "energy", "edp")
# What is taken of a `Cost` for each layer.
COLUMNS = ("cycles", "energy_pj", "utilisation", "dram_bytes", "buffer_bytes", "bound", "fits")
# Layers on chips that are computed at a time.
CHUNK = 1 << 22
# Rows whose schedules are kept.
KEPT = 1 << 17
KIBIBYTE = 1024


@dataclass(frozen=True)
class LayerCost:
    """What one layer takes.

    Args:
        network: The part of a product that it is of.
        layer: The layer.
        array: Number of the array that it runs on, from 0.
        start: Cycle at which it begins.
        bound: What its latency is bound by: ``array``, ``noc`` or ``dram``.
        fits: Whether any tiling fits the buffer.
        macs: Its multiply-adds.
        cycles: Its latency.
        energy_pj: Its energy, in picojoules.
        utilisation: Of the array.
        dram_bytes: From and to the memory outside.
        buffer_bytes: Between buffer and array.
    """

    network: str
    layer: Layer
    array: int
    start: float
    bound: str
    fits: bool
    macs: float
    cycles: float
    energy_pj: float
    utilisation: float
    dram_bytes: float
    buffer_bytes: float


class AcceleratorEvaluator(Evaluator):
    """Computes what networks take on chips, without running either.

    ``latency_cycles`` of one run of all networks, ``energy_nj`` and ``area_um2`` by
    `vitruvius.evaluators.hardware.cost_model.cost_of`. In a product, ``"nasbench201 x
    accelerator"``, each network runs on its own chip; else all run on one, whose fields are given.
    Several networks of a product share the chip. Layers of one network follow on one another, each
    on the array where it is best; those of several are scheduled (see
    `vitruvius.evaluators.hardware.scheduling`).

    A network with a layer that does not fit the buffer in any tiling fails.

    Args:
        space: The space.
        batch: Examples at a time.
        objective: What arrays are chosen by: ``makespan``, ``energy`` or ``edp``, their product.
        energy: Name of a table, see `vitruvius.evaluators.hardware.cost_model.ENERGIES`.
        area: Name of a table, see `vitruvius.evaluators.hardware.cost_model.AREAS`.
        task: What networks are built for; the space's own task by default.
        chip: A YAML file of the chip, or the name of one that ships, such as ``eyeriss.yaml``,
            where the space has none.
        **fields: Fields of the chip beside or instead, as for
            `vitruvius.spaces.accelerator.accelerator.Accelerator`, each with one value.

    Raises:
        UsageError: For a space without networks, a graph of unknown size, fields beside a chip, or
            a batch below 1.
        UnknownNameError: For a table, or a field of a chip, that there is not.

    Example:
        >>> from vitruvius.spaces import space
        >>> pairs = space("nasbench201:width=4,cells=1 x accelerator")
        >>> told = AcceleratorEvaluator(pairs).values(pairs.sample(3, 0))
        >>> sorted(told), bool((told["energy_nj"] > 0).all())
        (['area_um2', 'energy_nj', 'latency_cycles'], True)
    """

    batched = True

    def __init__(
        self,
        space: Space,
        *,
        batch: int = 1,
        objective: str = "edp",
        energy: str = "eyeriss-65nm",
        area: str = "cacti-65nm",
        task: Task | None = None,
        chip: str | Path = "",
        **fields: Any,
    ) -> None:
        super().__init__(space, dict(METRICS), task=task)
        parts = space.parts if isinstance(space, ProductSpace) else {"": space}
        self._networks = {name: part for name, part in parts.items() if part.buildable}
        chips = [name for name, part in parts.items() if isinstance(part, Accelerator)]
        if not self._networks:
            raise UsageError(
                f"{space.name} has no networks to run on a chip.",
                "Give networks, e.g. 'nasbench201 x accelerator'.",
            )
        if len(chips) > 1 or (chips and (chip or fields)):
            raise UsageError(
                f"{space.name} has {len(chips)} chips, and {len(fields)} fields of one are given.",
                "Give one chip, in the space or by its fields.",
            )
        for part in self._networks.values():
            own = self._task_of(part)
            if isinstance(own, GraphTask) and not own.nodes:
                raise UsageError(
                    f"What {part.name} takes depends on its graph, of which nothing is known.",
                    "Give a task with nodes and edges, e.g. 'nas-bench-graph:dataset=cora'.",
                )
        if batch < 1 or objective not in OBJECTIVES:
            raise UsageError(
                f"Got batch={batch}, objective={objective!r}.",
                f"Give a batch of 1 or more, and one of {', '.join(OBJECTIVES)}.",
            )
        self._chip = chips[0] if chips else None
        self._fixed = None if chips else _fixed(chip, fields)
        self.batch, self.objective = batch, cast(Objective, objective)
        self.energy_table, self.area_table = energy_table(energy), area_table(area)
        self._kept: dict[tuple[int | None, ...], Tensor] = {}
        self._lists = {
            name: LayerLists(part, self._task_of(part)) for name, part in self._networks.items()
        }

    def evaluate(
        self,
        architecture: ArchitectureLike,
        fidelity: int | None = None,
        seed: int = 0,
        context: Context | None = None,
    ) -> Evaluation:
        made = self.space.architecture(architecture)
        told = self.values(torch.tensor([made.indices]), fidelity)
        metrics = {name: float(value[0]) for name, value in told.items()}
        if metrics["latency_cycles"] != metrics["latency_cycles"]:
            reason = "a layer does not fit the global buffer in any tiling"
            return Evaluation(made, {}, "failed", reason, fidelity, seed)
        return Evaluation(made, metrics, "ok", "", fidelity, seed)

    def values(
        self, x: Int[Tensor, "B V"], fidelity: int | None = None
    ) -> dict[str, Float[Tensor, " B"]]:
        if not len(x):
            return {name: torch.zeros(0, dtype=torch.float64) for name in METRICS}
        if not self._shared:
            return self._values(x, fidelity)
        rows, inverse = distinct_rows(x)
        keys = [(fidelity, *row) for row in rows.tolist()]
        new = [place for place, key in enumerate(keys) if key not in self._kept]
        if new:
            told = torch.stack(list(self._values(rows[new], fidelity).values()), 1)
            if len(self._kept) > KEPT:
                self._kept = {key: self._kept[key] for key in keys if key in self._kept}
            self._kept |= zip((keys[place] for place in new), told, strict=True)
        kept = torch.stack([self._kept[key] for key in keys])[inverse]
        return dict(zip(METRICS, kept.unbind(1), strict=True))

    def exact_values(self, x: Int[Tensor, "B V"]) -> dict[str, Tensor]:
        return self.values(x)

    def bounds(self, x: Int[Tensor, "B V"]) -> dict[str, Float[Tensor, " B"]]:
        """Computes what no schedule is below; for one network, and for area, that is the value.

        Args:
            x: Valid choice indices.
        """
        if len(self._lists) == 1 or not len(x):
            return self.values(x)
        cycles, energies, area = self._costs(x)
        least = [part.amin(2) for part in cycles]
        longest = torch.stack([part.sum(1) for part in least]).amax(0)
        arrays = torch.cat(cycles, 1).isfinite().any(1).sum(1)
        equal = torch.cat(least, 1).sum(1) / arrays.clamp(min=1)
        latency = torch.maximum(longest, equal)
        energy = torch.cat(energies, 1).amin(2).sum(1)
        nowhere = latency.isinf()
        told = {"latency_cycles": latency, "energy_nj": energy / 1000, "area_um2": area}
        return {name: value.masked_fill(nowhere, torch.nan) for name, value in told.items()}

    def arrays(self, architecture: ArchitectureLike) -> ChipBatch:
        """Returns the arrays that an architecture runs on.

        Args:
            architecture: As for `evaluate`.
        """
        x = torch.tensor([self.space.architecture(architecture).indices])
        chips, place, there = self._chips(x)
        return chips[place[0, there[0]]]

    def layers(self, architecture: ArchitectureLike) -> list[LayerCost]:
        """Returns what every layer takes, in the order in which they begin.

        Args:
            architecture: As for `evaluate`.
        """
        x = torch.tensor([self.space.architecture(architecture).indices])
        arrays = self.arrays(architecture)
        listed: list[tuple[str, Layer]] = []
        costs, macs = [], []
        for name, lists in self._lists.items():
            layers, at = lists.of(self._columns(x, name), self.batch)
            own = at[0][at[0] >= 0]
            wanted = torch.zeros(len(layers.kind), 1, len(arrays), dtype=torch.bool)
            wanted[own] = True
            listed += [(name, lists.known[place]) for place in own.tolist()]
            cost = self._cost(layers, arrays, wanted)
            costs.append(torch.stack([getattr(cost, n)[own, 0].double() for n in COLUMNS]))
            macs += layers.macs[own, 0].tolist()
        told = torch.cat(costs, 1)
        cycles = torch.where(told[COLUMNS.index("fits")] > 0, told[0], torch.inf)
        counts = [sum(name == own for own, _ in listed) for name in self._lists]
        workload = Workload(cycles, told[1], tuple(counts))
        schedule = best_schedule(workload, self.objective)
        found = []
        for row in schedule.start.argsort(stable=True).tolist():
            array = int(schedule.where[row])
            values = dict(zip(COLUMNS, told[:, row, array].tolist(), strict=True))
            network, layer = listed[row]
            bound = BOUNDS[int(values.pop("bound"))]
            fits = bool(values.pop("fits"))
            start = float(schedule.start[row])
            found.append(LayerCost(network, layer, array, start, bound, fits, macs[row], **values))
        return found

    # -- parts ----------------------------------------------------------------------------------

    def _task_of(self, part: Space) -> Task:
        return self.task if isinstance(self.task, type(part.task)) else part.task

    @property
    def _shared(self) -> bool:
        """Whether networks run side by side, whose layers are scheduled, at some milliseconds."""
        if self._chip is None or len(self._lists) == 1:
            return False
        assert isinstance(self.space, ProductSpace)
        chip = self.space.parts[self._chip]
        assert isinstance(chip, Accelerator)
        return chip.arrays > 1

    def _values(self, x: Tensor, fidelity: int | None) -> dict[str, Tensor]:
        cycles, energies, area = self._costs(x, fidelity)
        joined = torch.cat(cycles, 1), torch.cat(energies, 1)
        lengths = [part.shape[1] for part in cycles]
        latency, energy = (
            self._scheduled(*joined, lengths) if self._shared else self._in_turn(*joined)
        )
        return dict(zip(METRICS, (latency, energy / 1000, area), strict=True))

    def _columns(self, x: Tensor, name: str) -> Tensor:
        return x[:, self.space.columns[name]] if isinstance(self.space, ProductSpace) else x

    def _area(self, chips: ChipBatch, place: Tensor, there: Tensor) -> Tensor:
        """Area of each pair's arrays together."""
        return torch.where(there, self.area_table.of(chips)[place], 0.0).sum(1)

    def _costs(
        self, x: Tensor, fidelity: int | None = None
    ) -> tuple[list[Tensor], list[Tensor], Tensor]:
        """Cycles and energy of every layer on every array, by network ``[B, L, S]``; areas."""
        chips, place, there = self._chips(x)
        cycles: list[Tensor] = []
        energies: list[Tensor] = []
        for name, lists in self._lists.items():
            layers, at = lists.of(self._columns(x, name), self.batch)
            wanted = layers.kind.new_zeros(len(layers.kind) + 1, len(chips))
            pairs = torch.broadcast_tensors(at[:, :, None], place[:, None, :], there[:, None, :])
            wanted.index_put_(pairs[:2], pairs[2].long(), accumulate=True)
            asked = (wanted[:-1] > 0)[:, None]
            told = [
                self._cost(layers, chips[part], asked[..., part], fidelity)
                for part in torch.arange(len(chips)).split(max(1, CHUNK // layers.kind.numel()))
            ]
            fits = torch.cat([each.fits[:, 0] for each in told], 1)
            for found, values in (
                (cycles, torch.cat([each.cycles[:, 0] for each in told], 1)),
                (energies, torch.cat([each.energy_pj[:, 0] for each in told], 1)),
            ):
                kept = torch.where(fits, values, torch.inf)
                # What is filled up takes nothing anywhere.
                whole = torch.cat([kept, kept.new_zeros(1, len(chips))])
                taken = whole[at[:, :, None], place[:, None, :]]
                missing = ~there[:, None, :] & (at >= 0)[:, :, None]
                found.append(torch.where(missing, torch.inf, taken))
        return cycles, energies, self._area(chips, place, there)

    def _chips(self, x: Tensor) -> tuple[ChipBatch, Tensor, Tensor]:
        """Different arrays, where each pair's are among them ``[B, S]``, and which are there."""
        if self._fixed is not None:
            place = torch.zeros(len(x), 1, dtype=torch.long)
            return self._fixed, place, torch.ones_like(place, dtype=torch.bool)
        assert isinstance(self.space, ProductSpace)
        assert self._chip is not None
        part = self.space.parts[self._chip]
        assert isinstance(part, Accelerator)
        rows, inverse = distinct_rows(self._columns(x, self._chip))
        told = part.hardware(rows)
        names = DATAFLOWS.names()
        own = torch.tensor([names.index(name) for name in part.dataflows])
        values = torch.stack(
            [
                own[told[field.name]].double() if field.name == "dataflow" else told[field.name]
                for field in fields_of(ChipBatch)
            ],
            -1,
        )
        there = told["rows"] > 0
        # One that is left out is computed as if it were an array of one.
        values = torch.where(there[..., None], values, torch.ones_like(values))
        different, place = values.flatten(0, 1).unique(dim=0, return_inverse=True)
        flow, *others = different.unbind(1)
        chips = ChipBatch(flow.long(), *others)
        return chips, place.reshape(there.shape)[inverse], there[inverse]

    def _cost(
        self,
        layers: LayerBatch,
        chips: ChipBatch,
        wanted: Bool[Tensor, "A L J"] | None = None,
        fidelity: int | None = None,
    ) -> Cost:
        """Of all layers on all chips, or at the least of the pairs that are wanted."""
        return cost_of(layers, chips, energy=self.energy_table.name, area=self.area_table.name)

    # -- what the networks take together --------------------------------------------------------

    def _in_turn(self, cycles: Tensor, energies: Tensor) -> tuple[Tensor, Tensor]:
        """Each layer after the other, where it is best."""
        merit = {"makespan": cycles, "energy": energies, "edp": cycles * energies}[self.objective]
        best = merit.nan_to_num(torch.inf).argmin(2, keepdim=True)
        latency, energy = (v.gather(2, best)[..., 0].sum(1) for v in (cycles, energies))
        nowhere = latency.isinf()
        return latency.masked_fill(nowhere, torch.nan), energy.masked_fill(nowhere, torch.nan)

    def _scheduled(
        self, cycles: Tensor, energies: Tensor, lengths: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """Layers of several networks side by side."""
        latency = cycles.new_full((len(cycles),), torch.nan)
        energy = latency.clone()
        fits = cycles.isfinite().any(2).all(1)
        real = cycles.ne(0).any(2)
        many = real.sum(1) > THOROUGH
        rows = (fits & many).nonzero()[:, 0]
        for some in rows.split(max(1, CHUNK // cycles[0].numel() ** 2)):
            own, joules = cycles[some], energies[some]
            chains = Chains(tuple(lengths))
            where, order = list_schedules(own, joules, chains, self.objective)
            latency[some] = simulated(chains, own, where, order)[1].amax(1)
            energy[some] = joules.gather(2, where[..., None])[..., 0].sum(1)
        for row in (fits & ~many).nonzero()[:, 0].tolist():
            kept = real[row]
            counts = tuple(int(part.sum()) for part in kept.split(list(lengths)))
            workload = Workload(cycles[row, kept], energies[row, kept], counts)
            told = best_schedule(workload, self.objective)
            latency[row], energy[row] = told.makespan, told.energy
        return latency, energy


def _fixed(chip: str | Path, given: Mapping[str, Any]) -> ChipBatch:
    """A chip of which nothing is open."""
    told = {**(read_chip(preset(chip)) if chip else {}), **chip_of(dict(given))}
    for name, value in told.items():
        if isinstance(value, list):
            raise UsageError(
                f"`{name}` of the chip is open: {value}.",
                'Search it, e.g. "nasbench201 x CHIP.yaml", or give one value.',
            )
    if "buffer_kib" in told:
        told["buffer_bytes"] = KIBIBYTE * told.pop("buffer_kib")
    if (elements := told.pop("processing_elements", None)) is not None:
        told["rows"], told["columns"] = near_square(elements)
    return ChipBatch.of([told])
