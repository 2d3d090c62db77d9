"""Graphs larger than memory: features packed per batch, mapped from their file, and in memory.

    python benchmarks/larger_than_memory.py --out benchmarks/results

A graph with a heavy tail of degrees is made, with features on disk. The same network learns from
the same batches with each store: the loss after every epoch has to be the same, bytes read and
steps a second are what they differ in. Bytes are those of all pages that are asked for, whether or
not the system still held them. Of a second graph, with wider features, the packed training is
repeated in a process whose memory may not grow by more than a tenth of the features.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from vitruvius.core.seeding import make_generator
from vitruvius.datasets import RawGraph, load_raw, split
from vitruvius.datasets.disk_features import PAGE, DiskFeatures
from vitruvius.evaluators.training import Recipe
from vitruvius.evaluators.training.examples import SampledNodeExamples
from vitruvius.evaluators.training.feature_store import FeatureStore
from vitruvius.evaluators.training.loop import Callback, train
from vitruvius.spaces import space

NETWORK = "const|mean|relu|1|64 const|mean|linear|1"
CLASSES = 8
EPOCHS = 3
# Share of the nodes to validate on.
VALIDATE = 0.005


@dataclass(frozen=True)
class Case:
    """A graph and how it is taken.

    Args:
        nodes: Number of nodes.
        width: Number of features.
        batch: Nodes a step.
        fanout: Neighbours hop by hop.
        degree: Edges of a node, on average.
        learn: Share of the nodes to learn from.
        cache: Share of the features that packing keeps in memory.
    """

    nodes: int
    width: int
    batch: int
    fanout: tuple[int, ...]
    degree: int
    learn: float
    cache: float

    @property
    def size(self) -> int:
        """Bytes of the features."""
        return 4 * self.nodes * self.width


MANY = Case(300_000, 128, 512, (10, 10), degree=10, learn=0.1, cache=0.05)
WIDE = Case(400_000, 1024, 64, (5, 5), degree=3, learn=0.03, cache=0.02)


class MappedStore:
    """Features read where they lie in the file, by a memory map.

    Args:
        features: On disk.
    """

    def __init__(self, features: DiskFeatures) -> None:
        self._features, self.read_bytes = features, 0
        self._batches: Sequence[Tensor] = ()

    def plan(self, batches: Sequence[Tensor]) -> None:
        self._batches = batches

    def rows(self, number: int) -> Tensor:
        nodes = self._batches[number].numpy()
        size = self._features.row_bytes
        self.read_bytes += PAGE * _pages(self._features.offset + nodes * size, size)
        mapped = np.memmap(
            self._features.path,
            np.float32,
            "r",
            self._features.offset,
            self._features.shape,
        )
        return torch.from_numpy(mapped[nodes])


class _Mapped(SampledNodeExamples):
    def _new_store(self, memory: int) -> FeatureStore:
        assert isinstance(self._features, DiskFeatures)
        return MappedStore(self._features)


def _pages(starts: np.ndarray, size: int) -> int:
    """Pages that rows of some bytes lie in."""
    firsts, lasts = starts // PAGE, (starts + size - 1) // PAGE
    longest = int((lasts - firsts).max(initial=0)) + 1
    touched = [firsts + step for step in range(longest)]
    return len(np.unique(np.concatenate([each[each <= lasts] for each in touched])))


class _Epochs(Callback):
    """Bytes read and seconds of the steps of every epoch."""

    def __init__(self) -> None:
        self.bytes: list[int] = []
        self.seconds: list[float] = []
        self._last, self._start = 0, 0.0

    def started(self, training: Any) -> None:
        self._start = time.monotonic()

    def step_ended(self, training: Any) -> None:
        self._end = time.monotonic()

    def epoch_ended(self, training: Any) -> None:
        read = training.examples._store.read_bytes
        self.bytes.append(read - self._last)
        self.seconds.append(self._end - self._start)
        self._last, self._start = read, time.monotonic()


def main() -> None:
    """Trains with every store, then writes the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        path = _made(Path(folder) / "graph.npz", MANY)
        rows = [_trained(path, MANY, store) for store in ("memory", "mapped", "packed")]
        path = _made(path, WIDE)
        rows += [_trained(path, WIDE, store) for store in ("mapped", "packed")]
        rows.append(_limited(path, WIDE.size // 10))
    for row in rows:
        print(row, flush=True)
    _write(rows, arguments.out)


def _made(path: Path, case: Case) -> Path:
    """A graph of communities; an edge's ends are drawn by weights with a heavy tail."""
    nodes, width = case.nodes, case.width
    draw = np.random.default_rng(0)
    labels = draw.integers(0, CLASSES, nodes)
    weights = draw.pareto(1.5, nodes) + 1
    edges = []
    for label in range(CLASSES):
        own = np.flatnonzero(labels == label)
        share = weights[own] / weights[own].sum()
        edges.append(draw.choice(own, (2, len(own) * case.degree // 3), p=share))
    edges.append(draw.choice(nodes, (2, nodes * case.degree // 6), p=weights / weights.sum()))
    x = draw.standard_normal((nodes, width), "f4")
    x[np.arange(nodes), labels] += 1
    np.savez(path, x=x, edges=np.concatenate(edges, 1), y=labels)
    return path


def _trained(path: Path, case: Case, store: str) -> dict[str, Any]:
    raw = load_raw(path, features="memory" if store == "memory" else "disk")
    assert isinstance(raw, RawGraph)
    splits = split(raw, val=VALIDATE, test=1 - case.learn - VALIDATE)
    kind = _Mapped if store == "mapped" else SampledNodeExamples
    examples = kind(
        raw,
        splits,
        raw.task,
        device=torch.device("cpu"),
        fanout=case.fanout,
        memory=int(case.cache * case.size),
    )
    graphs = space("autognn")
    torch.manual_seed(0)
    network = graphs.build(NETWORK, raw.task)
    told = _Epochs()
    recipe = Recipe.of({"epochs": EPOCHS, "batch": case.batch}, raw.task)
    done = train(network, examples, recipe, callbacks=[told])
    steps = len(examples.order(make_generator(0), case.batch))
    return {
        "store": store,
        "loss": [entry["train_loss"] for entry in done.curve],
        "accuracy": done.metrics["accuracy"],
        "features, MB": case.size / 1e6,
        "MB an epoch": sum(told.bytes) / EPOCHS / 1e6,
        "steps a second": steps / float(np.median(told.seconds)),
    }


def _limited(path: Path, limit: int) -> dict[str, Any]:
    """The packed training in a process that may take no more memory than it has, and the limit."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_within, args=(str(path), limit, theirs))
    process.start()
    told = json.loads(ours.recv())
    process.join()
    return dict(told)


def _within(path: str, limit: int, pipe: Any) -> None:
    # What is imported and warm before does not count.
    small = Path(path).with_name("small.npz")
    few = replace(WIDE, nodes=2_000, width=16)
    _trained(_made(small, few), few, "packed")
    held = int(Path("/proc/self/statm").read_text().split()[5]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_DATA, (held + limit, held + limit))
    try:
        told = _trained(Path(path), WIDE, "packed")
        told["store"] = f"packed, {limit / 1e6:.0f} MB"
    except (MemoryError, RuntimeError) as error:
        told = {"store": f"packed, {limit / 1e6:.0f} MB", "error": str(error)}
    pipe.send(json.dumps(told))


def _write(rows: list[dict[str, Any]], out: Path) -> None:
    from _report import markdown, write

    columns = [
        "store", "features, MB", "MB an epoch", "steps a second", "loss after the last epoch",
        "accuracy",
    ]  # fmt: skip
    cells = [
        [*(row.get(name) for name in columns[:4]), row.get("loss", [None])[-1], row.get("accuracy")]
        for row in rows
    ]
    write(out, "larger_than_memory", {"rows": rows}, markdown(columns, cells))


if __name__ == "__main__":
    main()
