"""The cost model against ZigZag (Mei et al., IEEE TC 2021), layer by layer.

    python benchmarks/zigzag.py --python zigzag/bin/python --out benchmarks/results

Twenty layers on a chip of each dataflow: latency and bytes from and to the memory outside, with the
loops in the order of the dataflow and in the best that ZigZag finds. What ZigZag says of them is
kept in ``zigzag_layers.json``, which a test reads. Ranks of energy times delay are compared over
random chips, over all pairs and over the chips of each layer.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from _report import markdown, write
from accelerator import convolution
from scipy.stats import kendalltau

from vitruvius.evaluators.hardware.cost_model import ChipBatch, Cost, LayerBatch, cost_of
from vitruvius.evaluators.hardware.zigzag import ZigZag, ZigZagCost
from vitruvius.evaluators.hardware.zigzag.translation import shapes_of
from vitruvius.spaces import Layer

LAYERS = {
    "AlexNet conv1": convolution(96, 3, 55, 11, 4),
    "AlexNet conv3": convolution(384, 256, 13, 3),
    "AlexNet conv4": convolution(192, 192, 13, 3, groups=2),
    "AlexNet conv5": convolution(128, 192, 13, 3, groups=2),
    "ResNet-18 7x7, stride 2": convolution(64, 3, 112, 7, 2),
    "ResNet-18 3x3, 64 at 56": convolution(64, 64, 56, 3),
    "ResNet-18 3x3, stride 2, 128 at 28": convolution(128, 64, 28, 3, 2),
    "ResNet-18 1x1, stride 2, 128 at 28": convolution(128, 64, 28, 1, 2),
    "ResNet-18 3x3, 512 at 7": convolution(512, 512, 7, 3),
    "ResNet-18 linear": Layer("linear", (512,), (1000,)),
    "ResNet-50 1x1, 64 to 256 at 56": convolution(256, 64, 56, 1),
    "ResNet-50 1x1, 256 to 64 at 56": convolution(64, 256, 56, 1),
    "ResNet-50 1x1, 512 to 2048 at 7": convolution(2048, 512, 7, 1),
    "ResNet-50 linear": Layer("linear", (2048,), (1000,)),
    "ResNeXt-50 3x3, 32 groups of 4 at 56": convolution(4, 4, 56, 3, groups=32),
    "MobileNetV2 depthwise, 384 at 14": convolution(1, 1, 14, 3, groups=384),
    "MobileNetV2 1x1, 384 to 96 at 14": convolution(96, 384, 14, 1),
    "NAS-Bench-201 3x3, 16 at 32": convolution(16, 16, 32, 3),
    "NAS-Bench-201 1x1, 32 at 16": convolution(32, 32, 16, 1),
    "NAS-Bench-201 3x3, 64 at 8": convolution(64, 64, 8, 3),
}
# Eyeriss, one like NVDLA with 8 bits, and one like ShiDianNao with more of everything.
CHIPS: tuple[dict[str, Any], ...] = (
    {
        "dataflow": "weight-stationary", "rows": 32, "columns": 32, "buffer_bytes": 512 * 1024,
        "noc_bytes_per_cycle": 256, "dram_bytes_per_cycle": 16, "weight_bits": 8,
        "activation_bits": 8, "sum_bits": 32,
    },
    {
        "dataflow": "output-stationary", "rows": 16, "columns": 16, "buffer_bytes": 256 * 1024,
        "noc_bytes_per_cycle": 128, "dram_bytes_per_cycle": 16,
    },
    {"dataflow": "row-stationary"},
)  # fmt: skip
RANKED = (
    "AlexNet conv1", "ResNet-18 3x3, 64 at 56", "ResNet-50 1x1, 64 to 256 at 56",
    "MobileNetV2 depthwise, 384 at 14", "NAS-Bench-201 3x3, 64 at 8", "AlexNet conv3",
    "ResNet-18 3x3, stride 2, 128 at 28", "ResNet-18 3x3, 512 at 7", "ResNet-18 linear",
    "NAS-Bench-201 3x3, 16 at 32",
)  # fmt: skip
KEPT = ("cycles", "energy_pj", "dram_bytes", "buffer_bytes", "seconds")
LATENCY, DRAM = 0.1, 0.25


def random_chips(dataflow: str, count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Chips of one dataflow."""
    chance = random.Random(f"{dataflow} {seed}")
    found = []
    for _ in range(count):
        wide = chance.random() < 0.5
        found.append(
            {
                "dataflow": dataflow,
                "rows": chance.choice((8, 12, 16, 24, 32)),
                "columns": chance.choice((8, 14, 16, 28, 32)),
                "buffer_bytes": 1024 * chance.choice((64, 108, 256, 512)),
                "noc_bytes_per_cycle": chance.choice((32, 64, 128)),
                "dram_bytes_per_cycle": chance.choice((4, 8, 16)),
                "weight_bits": 16 if wide else 8,
                "activation_bits": 16 if wide else 8,
                "sum_bits": 16 if wide else 32,
            }
        )
    return found


def frozen(told: dict[str, ZigZagCost], layers: LayerBatch, version: str) -> dict[str, Any]:
    """What ZigZag says of the layers, with all that is needed to ask the cost model the same."""
    shapes = shapes_of(layers)
    answers = []
    for mode, cost in told.items():
        for row, name in enumerate(LAYERS):
            for column, chip in enumerate(CHIPS):
                values = {key: getattr(cost, key)[0, row, column].item() for key in KEPT}
                if math.isnan(values["cycles"]):
                    continue
                shape = shapes[row]
                assert shape is not None
                answers.append(
                    {
                        "layer": name, "shape": shape._asdict(), "chip": chip["dataflow"],
                        "mode": mode, **values,
                    }
                )  # fmt: skip
    return {"zigzag": version, "energy": "eyeriss-65nm", "chips": list(CHIPS), "answers": answers}


def ratios(told: dict[str, ZigZagCost], ours: Cost) -> tuple[list[list[Any]], list[list[Any]]]:
    """The cost model by ZigZag: of each layer, and together."""
    rows: list[list[Any]] = []
    for row, name in enumerate(LAYERS):
        for column, chip in enumerate(CHIPS):
            found: list[Any] = [name, chip["dataflow"]]
            for cost in told.values():
                for key in ("cycles", "dram_bytes", "buffer_bytes", "energy_pj"):
                    value = getattr(ours, key)[0, row, column] / getattr(cost, key)[0, row, column]
                    found.append(None if value.isnan() else float(value))
            rows.append(found)
    together = []
    for column, chip in enumerate(CHIPS):
        for number, mode in enumerate(told):
            own = rows[column :: len(CHIPS)]
            cycles, dram, buffer, energy = (
                [each for row in own if (each := row[2 + 4 * number + part]) is not None]
                for part in range(4)
            )
            together.append(
                [
                    chip["dataflow"], mode, len(cycles), median(cycles), min(cycles), max(cycles),
                    sum(abs(each - 1) <= LATENCY for each in cycles), median(dram), min(dram),
                    max(dram), sum(abs(each - 1) <= DRAM for each in dram), median(buffer),
                    median(energy),
                ]
            )  # fmt: skip
    return rows, together


def ranks(zigzag: ZigZag, mode: str, names: tuple[str, ...], count: int) -> list[list[Any]]:
    """Kendall's tau of energy times delay, for each dataflow."""
    layers = LayerBatch.of([[LAYERS[name] for name in names]])
    found = []
    for dataflow in (chip["dataflow"] for chip in CHIPS):
        chips = ChipBatch.of(random_chips(dataflow, count))
        ours, theirs = cost_of(layers, chips), zigzag.costs(layers, chips)
        fits = ours.fits[0] & ~theirs.cycles[0].isnan()
        pairs = [
            [cost.cycles[0], cost.energy_pj[0], cost.cycles[0] * cost.energy_pj[0]]
            for cost in (ours, theirs)
        ]
        taus = [
            kendalltau(mine[fits], other[fits]).statistic
            for mine, other in zip(*pairs, strict=True)
        ]
        within = [
            kendalltau(mine[keep], other[keep]).statistic
            for mine, other, keep in zip(pairs[0][2], pairs[1][2], fits, strict=True)
        ]
        near = (pairs[0][0] / pairs[1][0] - 1).abs()[fits] <= LATENCY
        found.append(
            [
                dataflow, mode, count, len(names), int(fits.sum()), *map(float, taus),
                float(mean(within)), float(min(within)), float(near.double().mean()),
            ]
        )  # fmt: skip
        print(found[-1], flush=True)
    return found


def speed(told: dict[str, ZigZagCost], layers: LayerBatch) -> list[list[Any]]:
    """Seconds of one layer on one chip."""
    torch.set_num_threads(1)
    chips = ChipBatch.of([chip for flow in CHIPS for chip in random_chips(flow["dataflow"], 100)])
    times = []
    for _ in range(5):
        start = time.process_time()
        cost_of(layers, chips)
        times.append(time.process_time() - start)
    rows: list[list[Any]] = [["cost model", median(times) / (len(LAYERS) * len(chips)), None]]
    for mode, cost in told.items():
        rows.append(
            [
                f"ZigZag, {mode}",
                float(cost.seconds.nanmean()),
                float(cost.seconds.nan_to_num().max()),
            ]
        )
    return rows


def main() -> None:
    """Asks both, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--python", default="zigzag/bin/python", help="that has zigzag-dse")
    parser.add_argument("--cache", default="", help="file of ZigZag's answers")
    parser.add_argument("--chips", type=int, default=50, help="of each dataflow, in a fixed order")
    parser.add_argument("--searched", type=int, default=6, help="of each dataflow, in a search")
    arguments = parser.parse_args()
    modes = {
        mode: ZigZag(python=arguments.python, mode=mode, cache=arguments.cache)
        for mode in ("fixed", "search")
    }
    layers, chips = LayerBatch.of([list(LAYERS.values())]), ChipBatch.of(CHIPS)
    # Searches take long, those of groups longest.
    searched = torch.tensor([name in RANKED for name in LAYERS])[None, :, None]
    wanted = {"fixed": None, "search": searched.expand(-1, -1, len(chips))}
    told = {mode: zigzag.costs(layers, chips, wanted[mode]) for mode, zigzag in modes.items()}
    for mode, cost in told.items():
        print(mode, dict(cost.reasons), flush=True)
    version = modes["fixed"].interpreter.version
    kept = frozen(told, layers, version)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "zigzag_layers.json").write_text(json.dumps(kept, indent=1) + "\n")
    each, together = ratios(told, cost_of(layers, chips))
    ranked = ranks(modes["fixed"], "fixed", RANKED, arguments.chips)
    ranked += ranks(modes["search"], "search", RANKED[:5], arguments.searched)
    tables = {
        "together": (
            [
                "dataflow", "order of loops", "layers", "latency, model / ZigZag", "least", "most",
                "within 10 %", "DRAM bytes", "least", "most", "within 25 %", "buffer bytes",
                "energy",
            ],
            together,
        ),
        "ranks": (
            [
                "dataflow", "order of loops", "chips", "layers", "pairs", "tau of latency",
                "of energy", "of EDP", "of EDP over chips, mean of layers", "least of a layer",
                "latency within 10 %",
            ],
            ranked,
        ),
        "speed": (["seconds of a layer on a chip", "mean", "most"], speed(told, layers)),
        "layers": (
            [
                "layer", "dataflow", "latency, fixed", "DRAM", "buffer", "energy",
                "latency, search", "DRAM", "buffer", "energy",
            ],
            each,
        ),
    }  # fmt: skip
    text = "\n".join(markdown(heads, rows) for heads, rows in tables.values())
    print(text)
    results = {name: [heads, *rows] for name, (heads, rows) in tables.items()}
    write(arguments.out, "zigzag", {"zigzag": version, **results}, text)


if __name__ == "__main__":
    main()
