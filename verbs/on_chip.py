"""One network on a chip: what each layer takes, drawn, and a step of training on several chips."""

from __future__ import annotations

import csv
import io
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from ..core.errors import UsageError
from ..core.options import check_options, read_options
from ..core.torch_state import own_torch_state
from ..evaluators.hardware.accelerators import AcceleratorEvaluator, LayerCost
from ..evaluators.hardware.best_chip import EDP, best_chip
from ..evaluators.hardware.interconnect import (
    TRANSPORTS,
    LeafSpine,
    TrainingStep,
    training_step,
)
from ..evaluators.targets import parse_targets
from ..reports import Bar, RooflinePoint, gantt, roofline, write_text
from ..spaces import ArchitectureLike, ProductSpace, Space
from ..spaces.accelerator.accelerator import Accelerator
from ..spaces.accelerator.chip_file import FIELDS, chip_of, read_chip
from ..spaces.resolver import preset

__all__ = ["OnChip", "on_chip"]

# The chip that is a part of the architecture itself.
OWN = "own"


@dataclass(frozen=True, eq=False)
class OnChip:
    """What a network takes on a chip.

    Args:
        metrics: Of all layers; blank where one does not fit.
        layers: What each takes, in the order in which they begin.
        energy_table: Name of the table of energy.
        area_table: Name of the table of area.
        training: A step of training on a cluster of such chips, by the transport.
        chosen: The chip, where choices were open.
        files: What was written.
    """

    metrics: dict[str, float]
    layers: list[LayerCost]
    energy_table: str
    area_table: str
    training: dict[str, TrainingStep] = field(default_factory=dict)
    chosen: str = ""
    files: list[Path] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Returns it as JSON can hold it."""
        told = asdict(self)
        return {**told, "files": [str(file) for file in self.files]}


@own_torch_state()
def on_chip(
    space: Space,
    architecture: ArchitectureLike,
    chip: str | Path = OWN,
    *,
    where: str = "",
    minimize: str = EDP,
    cluster: str = "",
    out: str | Path | None = None,
    **options: Any,
) -> OnChip:
    """Computes what an architecture takes on a chip, layer by layer.

    Of a chip of which choices are open, the best is taken: of those that meet ``where``, the one
    with the least ``minimize`` (see `vitruvius.evaluators.hardware.best_chip`).

    On a cluster of such chips, each learns from its own examples, and gradients of the weights'
    bits are summed.

    Args:
        space: Of the architecture.
        architecture: The architecture.
        chip: A YAML file, or the name of one that ships; ``own`` where it is a part of the product.
        where: Constraints on the chip that is chosen, such as ``area_um2<=4M``.
        minimize: What it is chosen by: ``edp``, latency by energy, or one of the metrics.
        cluster: Fields of a `vitruvius.evaluators.hardware.interconnect.LeafSpine`, and the
            ``collective``, such as ``leaves=4,chips=4,spines=4``.
        out: Folder for ``layers.csv``, ``roofline_1.svg`` for each array, and ``schedule.svg``.
        **options: As for `vitruvius.evaluators.hardware.accelerators.AcceleratorEvaluator`.

    Raises:
        UsageError: Where the product has no chip, or has one and another is given, for a cluster
            that is none, or where no chip meets the constraints.
        UnknownNameError: For a field of a cluster that there is not.
        TargetError: For constraints that cannot be read.
        OutputError: Where nothing can be written.

    Example:
        >>> from vitruvius.spaces import space
        >>> cells = space("nasbench201:width=4,cells=1")
        >>> told = on_chip(cells, cells.example, "eyeriss.yaml")
        >>> told.layers[0].layer.kind, told.metrics["latency_cycles"] > 0
        ('convolution', True)
    """
    parts = space.parts.values() if isinstance(space, ProductSpace) else ()
    has = any(isinstance(part, Accelerator) for part in parts)
    if has != (str(chip) == OWN):
        raise UsageError(
            f"{space.name} {'has a chip of its own' if has else 'has no chip'}.",
            f"Use {OWN!r}, or leave the chip out." if has else "Give one, e.g. eyeriss.yaml.",
        )
    chosen = ""
    if not has and (fields := _open_fields(chip, options)):
        options = {key: value for key, value in options.items() if key not in fields}
        space, architecture, chosen = _best(
            space, architecture, Accelerator(**fields), where, minimize, options
        )
        has = True
    elif where or minimize != EDP:
        raise UsageError("The chip is given.", "Leave constraints out, or give choices of chips.")
    made = AcceleratorEvaluator(space, chip="" if has else chip, **options)
    told = OnChip(
        made.evaluate(architecture).metrics,
        made.layers(architecture),
        made.energy_table.name,
        made.area_table.name,
        _training(made, architecture, cluster) if cluster else {},
        chosen,
    )
    if out is not None:
        told.files.extend(_written(told, made, architecture, Path(out)))
    return told


def _open_fields(chip: str | Path, options: dict[str, Any]) -> dict[str, Any]:
    """The fields of a chip of which choices are open; nothing for one that is fixed."""
    given = {name: value for name, value in options.items() if name in FIELDS}
    fields = {**(read_chip(preset(chip)) if chip else {}), **chip_of(given)}
    return fields if any(isinstance(value, list) for value in fields.values()) else {}


def _best(
    space: Space,
    architecture: ArchitectureLike,
    chips: Accelerator,
    where: str,
    minimize: str,
    options: dict[str, Any],
) -> tuple[Space, tuple[int, ...], str]:
    """The product with chips, the architecture with the best of them, and that as text."""
    parts = dict(space.parts) if isinstance(space, ProductSpace) else {"network": space}
    product = ProductSpace(name=f"{space.name} x chip", parts={**parts, "chip": chips})
    evaluator = AcceleratorEvaluator(product, **options)
    row = (*space.architecture(architecture).indices, *chips.example)
    targets = parse_targets(where, evaluator.metrics)
    found = best_chip(evaluator, row, targets, minimize)
    return product, found.row, chips.to_string(product.parted(found.row)["chip"])


def _training(
    made: AcceleratorEvaluator, architecture: ArchitectureLike, cluster: str
) -> dict[str, TrainingStep]:
    options = read_options("cluster", cluster)
    collective = str(options.pop("collective", "ring"))
    check_options("cluster", options, LeafSpine)
    if missing := [name for name in ("leaves", "chips", "spines") if name not in options]:
        raise UsageError(
            f"The cluster {cluster!r} does not say {', '.join(missing)}.",
            "Write e.g. leaves=4,chips=4,spines=4.",
        )
    fabric = LeafSpine(**options)
    row = torch.tensor([made.space.architecture(architecture).indices])
    bits = float(made.arrays(architecture).weight_bits.max())
    gradient = float(made.space.statistics(row)["params"][0]) * bits / 8
    latency = made.evaluate(architecture).metrics.get("latency_cycles", float("nan"))
    return {
        name: training_step(fabric, latency, gradient, collective=collective, transport=name)
        for name in TRANSPORTS
    }


def _written(
    told: OnChip, made: AcceleratorEvaluator, architecture: ArchitectureLike, folder: Path
) -> list[Path]:
    lanes = [f"array {number + 1}" for number in range(len(made.arrays(architecture)))]
    bars = [
        Bar(lanes[each.array], each.start, each.cycles, each.network, _label(each))
        for each in told.layers
    ]
    texts = {
        "layers.csv": _csv(told.layers),
        "schedule.svg": gantt(bars, lanes, title=f"{made.space.name}"),
    }
    chips = made.arrays(architecture)
    for number in range(len(chips)):
        own = [each for each in told.layers if each.array == number]
        texts[f"roofline_{number + 1}.svg"] = roofline(
            [_point(each) for each in own],
            float(chips.processing_elements[number]),
            float(chips.dram_bytes_per_cycle[number]),
            f"{made.space.name}, array {number + 1}",
        )
    for name, text in texts.items():
        write_text(folder / name, text)
    return [folder / name for name in texts]


def _point(each: LayerCost) -> RooflinePoint:
    moved = each.dram_bytes or 1.0
    rate = each.macs / each.cycles
    return RooflinePoint(_label(each), each.macs / moved, rate, each.bound, each.cycles)


def _label(each: LayerCost) -> str:
    kernel = "x".join(map(str, each.layer.kernel))
    return " ".join(filter(None, (each.layer.kind, kernel, "x".join(map(str, each.layer.outputs)))))


def _csv(layers: list[LayerCost]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    names = [name for name in asdict(layers[0]) if name != "layer"]
    writer.writerow(["kind", "inputs", "outputs", "kernel", *names])
    for each in layers:
        shapes = ("x".join(map(str, s)) for s in (each.layer.inputs, each.layer.outputs))
        kernel = "x".join(map(str, each.layer.kernel))
        writer.writerow([each.layer.kind, *shapes, kernel, *(getattr(each, n) for n in names)])
    return text.getvalue()
