"""Runs jobs through ZigZag, by a Python that has it; of this package it needs nothing.

    zigzag/bin/python runner.py < jobs

A job is a line of JSON with ``workload``, ``accelerator``, ``mapping`` and ``objective``; and
``inner``, loops that a search leaves innermost. Answers are lines of JSON in the same order, each
written as soon as it is known. The first line of all says that ZigZag was found.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

OBJECTIVES = {"edp": "MinimalEDPStage", "energy": "MinimalEnergyStage"}
# Loops that an order is searched of at most; ZigZag's own default.
LOOPS = 6


def answer(job: dict[str, Any], folder: Path) -> dict[str, Any]:
    """What ZigZag says of one job.

    Args:
        job: Its three inputs, and what mappings are chosen by.
        folder: For files that it reads.
    """
    import yaml
    from zigzag.mapping.temporal_mapping import TemporalMappingType
    from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
    from zigzag.stages.main import MainStage
    from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
    from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
    from zigzag.stages.parser.workload_parser import WorkloadParserStage
    from zigzag.stages.results import reduce_stages
    from zigzag.stages.workload_iterator import WorkloadStage

    files = {name: str(folder / f"{name}.yaml") for name in ("accelerator", "mapping")}
    for name, path in files.items():
        Path(path).write_text(yaml.safe_dump(job[name], sort_keys=False), encoding="utf-8")
    best = getattr(reduce_stages, OBJECTIVES[job["objective"]])
    start = time.process_time()
    # As its own interface does, without the stages that write pictures and pickles.
    stages = [
        WorkloadParserStage, AcceleratorParserStage, WorkloadStage, best,
        SpatialMappingGeneratorStage, best, orders(job.get("inner", [])), CostModelStage,
    ]  # fmt: skip
    found = MainStage(
        stages,
        workload=job["workload"],
        accelerator=files["accelerator"],
        mapping=files["mapping"],
        loma_lpf_limit=LOOPS,
        loma_show_progress_bar=False,
        nb_mappings_generated=1,
        access_same_data_considered_as_no_access=True,
        temporal_mapping_type=TemporalMappingType("uneven"),
    ).run()[0][0]
    return {
        "cycles": float(found.latency_total2),
        "array_cycles": float(found.ideal_temporal_cycle),
        "stall_cycles": float(found.stall_slack_comb),
        "loading_cycles": float(found.data_onloading_cycle + found.data_offloading_cycle),
        "energy_pj": float(found.energy_total),
        "dram_bytes": moved(found, -1),
        "buffer_bytes": moved(found, -2),
        "order": [
            [str(loop), int(size)]
            for level in next(iter(found.temporal_mapping.mapping_dic_origin.values()))
            for loop, size in level
        ],
        "seconds": time.process_time() - start,
    }


def orders(inner: list[list[Any]]) -> Any:
    """The stage that searches for orders of loops, some of them innermost in all."""
    from zigzag.datatypes import LayerDim
    from zigzag.opt.loma.engine import LomaEngine
    from zigzag.stages.mapping.temporal_mapping_generator_stage import (
        TemporalMappingGeneratorStage,
    )

    kept = [(LayerDim(name), size) for name, size in inner]

    class Engine(LomaEngine):
        def get_temporal_loops(self) -> dict[Any, int]:
            steps = dict(super().get_temporal_loops())
            for loop, size in kept:
                steps[loop] //= size
            return {loop: size for loop, size in steps.items() if size > 1}

        def ordering_generator(self) -> Iterator[list[Any]]:
            return ([*kept, *order] for order in super().ordering_generator())

    class Orders(TemporalMappingGeneratorStage):
        def generate_temporal_mappings(self) -> Iterator[Any]:
            return Engine(
                accelerator=self.accelerator,
                layer=self.layer,
                spatial_mapping=self.spatial_mapping,
                mapping_type=self.mapping_type,
                **self.kwargs,
            ).run()

    return Orders if inner else TemporalMappingGeneratorStage


def moved(found: Any, level: int) -> float:
    """Bytes between a level of memory and the one below, of all operands."""
    from zigzag.mapping.data_movement import DataDirection, DataMoveAttr

    total = 0.0
    for operand, levels in found.mapping.unit_mem_data_movement.items():
        amount, bits, times = (
            levels[level].get_attribute(name)
            for name in (
                DataMoveAttr.DATA_TRANS_AMOUNT_PER_PERIOD,
                DataMoveAttr.DATA_PRECISION,
                DataMoveAttr.DATA_TRANS_PERIOD_COUNT,
            )
        )
        units = found.mapping.spatial_mapping.unit_count[operand][len(levels) + level + 1]
        for way in (DataDirection.RD_OUT_TO_LOW, DataDirection.WR_IN_BY_LOW):
            total += amount.get(way) * bits.get(way) * times.get(way) * units / 8
    return float(total)


def main() -> None:
    """Answers the jobs on standard input, or tells the version."""
    if sys.argv[1:] == ["--version"]:
        print(version("zigzag-dse"))
        return
    # ZigZag and its parts print; answers alone go to what was standard output.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    logging.disable(logging.CRITICAL)
    import zigzag.api  # noqa: F401

    print(json.dumps({"ready": version("zigzag-dse")}), file=answers, flush=True)
    jobs = sys.stdin.read().splitlines()
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        for line in jobs:
            try:
                told = answer(json.loads(line), Path(folder))
            except Exception as error:
                text = " ".join(str(error).split())
                told = {"reason": f"{type(error).__name__}: {text}"[:400]}
            print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
