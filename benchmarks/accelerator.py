"""The cost model against silicon and other models, and how fast it is.

    python benchmarks/accelerator.py --out benchmarks/results

Eyeriss: measured times of AlexNet's layers, four images at 200 MHz (Chen et al., ISSCC 2016); and
energy of the memory outside for sixteen images with a buffer of 128 KB, in multiply-adds (Chen et
al., ISCA 2016, as nn_dataflow's tests have it).
DOSA's tables: layers on Gemmini-like arrays, some ten random mappings of each with Timeloop and
Accelergy, or on RTL, of which the best is compared; our mapper moves least from memory, so that
what remains is the noise of theirs and another idea of the hierarchy. Ranks are compared over all
pairs, and over chips for each layer with eight or more.

MAESTRO's samples: layers of ResNet-50 and MobileNetV2, whose shapes follow from their counts.
Additions of branches are left out. An element there has nine multipliers side by side, so that it
takes a step for a whole kernel of 3 by 3, of as many cycles as the sum of its products needs.

Schedules: pieces of two networks on two arrays of NASAIC, against every assignment in every order.
"""

from __future__ import annotations

import argparse
import itertools
import math
import re
import time
from pathlib import Path
from statistics import mean, median
from typing import Any

import numpy as np
import torch
from _report import markdown, write
from scipy.stats import kendalltau, spearmanr

from vitruvius.evaluators.hardware.cost_model import ENERGIES, ChipBatch, LayerBatch, cost_of
from vitruvius.evaluators.hardware.cost_model.layer_batch import PRODUCT
from vitruvius.evaluators.hardware.scheduling import Workload, best_schedule, exact_schedule
from vitruvius.spaces import Layer, space
from vitruvius.spaces.accelerator.nasaic import NASAIC

DATA = Path(__file__).parents[1].parent / "shared" / "data"
MEASURED_MS = (16.5, 39.2, 21.8, 16.0, 10.0)
PUBLISHED_DRAM = (2.46e9, 2.27e9, 2.02e9, 1.57e9, 1.05e9)
CHIP = ("arch_pe", "arch_meshX", "arch_mem2_entries", "arch_mem2_shared_bandwidth")
PROBLEM = ("prob_C", "prob_K", "prob_P", "prob_Q", "prob_R", "prob_S", "prob_Hstride")
ENOUGH = 8
COUNTS = ("num_macs", "num_total_weight_pixels", "num_total_input_pixels")
# Layers of two networks, and how many chips they are scheduled on.
CASES = {(3, 3): 40, (5, 5): 40, (6, 6): 20, (7, 7): 4}
FLOWS = ("weight-stationary", "output-stationary", "row-stationary")


def convolution(
    outputs: int, inputs: int, side: int, kernel: int, stride: int = 1, groups: int = 1
) -> Layer:
    """Channels are those of a group."""
    taken = (side - 1) * stride + kernel
    return Layer(
        "convolution", (inputs * groups, taken, taken), (outputs * groups, side, side),
        (kernel, kernel), (stride, stride), (1, 1), groups,
    )  # fmt: skip


ALEXNET = (
    convolution(96, 3, 55, 11, 4, 1),
    convolution(128, 48, 27, 5, 1, 2),
    convolution(384, 256, 13, 3, 1, 1),
    convolution(192, 192, 13, 3, 1, 2),
    convolution(128, 192, 13, 3, 1, 2),
)


def eyeriss() -> list[list[Any]]:
    """Time of every layer, by the model and on the chip."""
    told = cost_of(LayerBatch.of([ALEXNET], batch=4), ChipBatch.of([{}]))
    square = ChipBatch.of([{"rows": 16, "columns": 16, "buffer_bytes": 128 * 1024}])
    outside = cost_of(LayerBatch.of([ALEXNET], batch=16), square).dram_bytes[0, :, 0]
    rows = []
    for number, measured in enumerate(MEASURED_MS):
        model = float(told.cycles[0, number, 0]) / 200e3
        dram = float(told.dram_bytes[0, number, 0]) / 1e6
        # Words of 16 bits.
        energy = ENERGIES["eyeriss-ratio"].dram * float(outside[number]) / 2
        rows.append([
            f"conv{number + 1}", measured, model, model / measured, dram,
            PUBLISHED_DRAM[number], energy, energy / PUBLISHED_DRAM[number],
        ])  # fmt: skip
    return rows


def against(path: Path, column: str) -> list[Any]:
    """Ranks of the best mapping of every layer and chip of a table."""
    table = np.load(path)
    kept = np.isfinite(table[column].astype(float)) & np.isfinite(table["energy_uj"].astype(float))
    names = [name for name in CHIP if name in table.files]
    keys = np.stack([table[name][kept].astype(np.int64) for name in (*names, *PROBLEM)], 1)
    pairs, place = np.unique(keys, axis=0, return_inverse=True)
    cycles, energy = (table[name][kept].astype(float) for name in (column, "energy_uj"))
    theirs = {"cycles": cycles, "energy": energy, "edp": cycles * energy}
    best = {name: np.full(len(pairs), np.inf) for name in theirs}
    for name, values in theirs.items():
        np.minimum.at(best[name], place, values)
    chips = [dict(zip(names, row[: len(names)].tolist(), strict=True)) for row in pairs]
    ours = _model(pairs[:, len(names) :], chips)
    ours["edp"] = ours["cycles"] * ours["energy"]
    found: list[Any] = [path.stem, column, len(pairs)]
    found += [spearmanr(ours[name], best[name]).statistic for name in ("cycles", "energy", "edp")]
    found.append(kendalltau(ours["edp"], best["edp"]).statistic)
    problems = np.unique(pairs[:, len(names) :], axis=0, return_inverse=True)[1]
    within = [
        kendalltau(ours["edp"][problems == each], best["edp"][problems == each]).statistic
        for each in range(problems.max() + 1)
        if (problems == each).sum() >= ENOUGH
    ]
    found += [mean(within) if within else None, median(ours["cycles"] / best["cycles"])]
    return found


def maestro(path: Path) -> list[list[Any]]:
    """Ranks of layers by cycles, by steps, which are whole kernels there, and by energy."""
    table = np.load(path)
    found = []
    for name, flow, elements, rows in (
        ("kcp_ws", "weight-stationary", 256, 64),
        ("kcp_ws", "weight-stationary", 1024, 64),
        ("rs", "row-stationary", 256, 16),
    ):
        kept, layers = [], []
        for row in np.flatnonzero((table["dataflow"] == name) & (table["numpes"] == elements)):
            layer = _of_counts(
                str(table["layer_number"][row]), *(int(table[key][row]) for key in COUNTS)
            )
            if layer is not None:
                kept.append(row)
                layers.append(layer)
        chip = {"dataflow": flow, "rows": rows, "columns": elements // rows, "buffer_bytes": 2**30}
        chip |= dict.fromkeys(("noc_bytes_per_cycle", "dram_bytes_per_cycle"), 2**20)
        ours = cost_of(LayerBatch.of([layers]), ChipBatch.of([chip]), energy="maestro")
        cycles, energy = ours.array_cycles[0, :, 0].numpy(), ours.energy_pj[0, :, 0].numpy()
        steps = cycles / [math.prod(layer.kernel) for layer in layers]
        theirs = table["runtime_cycles"][kept]
        their_steps = theirs / table["compute_delay_avg"][kept]
        row = [name, elements, len(kept)]
        for own, other in (
            (cycles, theirs),
            (steps, their_steps),
            (energy, table["activity_count_based_energy_nj"][kept]),
        ):
            row += [spearmanr(own, other).statistic, median(own / other)]
        found.append(row)
    return found


def _of_counts(name: str, macs: int, weights: int, taken: int) -> Layer | None:
    """The layer that has these counts, and a kernel and stride as its name lets expect."""
    if "Residual" in name:
        return None
    side = math.isqrt(macs // weights)
    third = name.rsplit("_", 1)[-1]
    depthwise = name.startswith("Bottleneck") and third == "2"
    kernels = {"CONV1": (7, 1)}.get(name, (3,) if third == "2" else (1,))
    # The first of a stage of ResNet-50 takes every second place.
    first = re.fullmatch(r"CONV[345]_1_1", name) is not None
    for kernel, stride in itertools.product(kernels, (2, 1) if first or kernels[0] > 1 else (1, 2)):
        for reach in ((side - 1) * stride + kernel, side * stride, side * stride + kernel - 1):
            inputs, rest = divmod(taken, reach * reach)
            outputs, over = divmod(weights, kernel * kernel * (1 if depthwise else max(inputs, 1)))
            if not inputs or rest or over or (depthwise and outputs != inputs):
                continue
            groups = inputs if depthwise else 1
            return convolution(outputs // groups, inputs // groups, side, kernel, stride, groups)
    return None


def _model(problems: np.ndarray, chips: list[dict[str, int]]) -> dict[str, np.ndarray]:
    """Cycles and energy of pairs, each layer on its own chip."""
    told = [
        (
            row["arch_meshX"],
            row["arch_pe"] // row["arch_meshX"],
            max(row["arch_mem2_entries"], 64),
            row.get("arch_mem2_shared_bandwidth", 64) or 64,
        )
        for row in chips
    ]
    different = sorted(set(told))
    place = np.array([different.index(each) for each in told])
    batch = ChipBatch.of(
        [
            {
                "dataflow": "weight-stationary", "rows": int(rows), "columns": int(columns),
                "buffer_bytes": int(buffer), "register_bytes": 16,
                "noc_bytes_per_cycle": int(bandwidth), "weight_bits": 8, "activation_bits": 8,
                "sum_bits": 32,
            }
            for rows, columns, buffer, bandwidth in different
        ]
    )  # fmt: skip
    found = {name: np.zeros(len(problems)) for name in ("cycles", "energy")}
    for chip in range(len(different)):
        own = place == chip
        cost = cost_of(_layers(problems[own]), batch[torch.tensor([chip])], energy="cacti-45nm")
        found["cycles"][own] = cost.cycles[:, 0, 0]
        found["energy"][own] = cost.energy_pj[:, 0, 0]
    return found


def _layers(problems: np.ndarray) -> LayerBatch:
    c, k, p, q, r, s, stride = torch.from_numpy(problems).double()[:, :, None].unbind(1)
    one = torch.ones_like(c)
    kind = torch.full(c.shape, PRODUCT)
    return LayerBatch(kind, one, one, k, c, p, q, r, s, stride, one, one, torch.zeros_like(c))


def speed() -> list[list[Any]]:
    """Layers on chips a second of processor time, of one thread."""
    torch.set_num_threads(1)
    cells = space("nasbench201")
    layers = LayerBatch.of([cells.layers(row) for row in cells.sample(16, 0)])
    chance = np.random.default_rng(0)
    chips = ChipBatch.of(
        [
            {
                "dataflow": str(chance.choice(FLOWS)),
                "rows": int(chance.choice([8, 12, 16, 32])),
                "columns": int(chance.choice([8, 14, 16, 32])),
                "buffer_bytes": int(chance.choice([2**15, 2**17, 2**20])),
            }
            for _ in range(512)
        ]
    )
    done = int((layers.kind > 0).sum()) * len(chips)
    rows = []
    for dtype in (torch.float32, torch.float64):
        some, several = layers.to("cpu", dtype), chips.to("cpu", dtype)
        times = []
        for _ in range(5):
            start = time.process_time()
            cost_of(some, several)
            times.append(time.process_time() - start)
        rows.append([str(dtype).removeprefix("torch."), done, done / median(times)])
    return rows


def schedules() -> list[list[Any]]:
    """What the scheduler finds, as a multiple of the best schedule of all, over random cases."""
    chance = np.random.default_rng(0)
    networks = [space(name) for name in ("nasbench201", "resnet-size:width=32", "mobilenetv3")]
    lists = [
        [layer for row in each.sample(4, 0) for layer in each.layers(row)] for each in networks
    ]
    known = [[layer for layer in each if LayerBatch.of([[layer]]).products.any()] for each in lists]
    chips = NASAIC()
    ratios: dict[tuple[str, int], list[float]] = {}
    for lengths, count in CASES.items():
        for x in chips.sample(count, int(chance.integers(1 << 30))):
            told = chips.hardware(x[None])
            arrays = [
                {
                    "dataflow": chips.dataflows[int(told["dataflow"][0, k])],
                    **{n: float(v[0, k]) for n, v in told.items() if n != "dataflow"},
                }
                for k in range(chips.arrays)
                if told["rows"][0, k]
            ]
            some = []
            for length in lengths:
                own = known[int(chance.integers(len(known)))]
                first = int(chance.integers(len(own) - length))
                some += own[first : first + length]
            cost = cost_of(LayerBatch.of([some]), ChipBatch.of(arrays))
            work = Workload(cost.cycles[0].double(), cost.energy_pj[0].double(), lengths)
            for objective in ("makespan", "edp"):
                found, exact = best_schedule(work, objective), exact_schedule(work, objective)
                ratio = found.makespan / exact.makespan
                if objective == "edp":
                    ratio *= found.energy / exact.energy
                ratios.setdefault((objective, sum(lengths)), []).append(ratio)
    return [
        [objective, layers, len(values), mean(values), max(values),
         sum(value < 1 + 1e-9 for value in values)]
        for (objective, layers), values in sorted(ratios.items())
    ]  # fmt: skip


def main() -> None:
    """Measures everything that there are data for, and writes the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--data-folder", type=Path, default=DATA)
    arguments = parser.parse_args()
    tables = {
        "Eyeriss": (
            [
                "layer",
                "measured, ms",
                "model, ms",
                "ratio",
                "DRAM, MB",
                "DRAM energy, published",
                "of the model",
                "ratio",
            ],
            eyeriss(),
        ),
        "speed": (["numbers", "layers on chips", "a CPU second"], speed()),
        "schedules": (
            ["objective", "layers", "cases", "mean ratio", "worst ratio", "exactly the best"],
            schedules(),
        ),
    }
    ranks = [
        against(path, column)
        for name, column in (
            ("accel_dosa_timeloop", "timeloop_cycles"),
            ("accel_dosa_gemmini_rtl", "rtl_cycles"),
        )
        if (path := arguments.data_folder / f"{name}.npz").is_file()
    ]
    columns = [
        "table", "their cycles", "pairs", "Spearman of cycles", "of energy", "of EDP",
        "Kendall tau of EDP", "tau of EDP over chips, mean of layers", "median ratio of cycles",
    ]  # fmt: skip
    tables["ranks"] = (columns, ranks)
    if (path := arguments.data_folder / "accel_maestro_layers.npz").is_file():
        heads = [
            "MAESTRO's", "elements", "layers", "Spearman of cycles", "median ratio of them",
            "Spearman of steps", "median ratio of steps", "Spearman of energy",
            "median ratio of energy",
        ]  # fmt: skip
        tables["maestro"] = (heads, maestro(path))
    text = "\n".join(markdown(heads, rows) for heads, rows in tables.values() if rows)
    print(text)
    results = {
        name: [dict(zip(heads, row, strict=True)) for row in rows]
        for name, (heads, rows) in tables.items()
    }
    write(arguments.out, "accelerator", results, text)


if __name__ == "__main__":
    main()
