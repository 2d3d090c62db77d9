"""Feature stores: the features of sampled nodes, from memory, a file, or packed per batch.

Packing follows DiskGNN (arXiv 2405.05231): what every batch of a segment will need is known before
its first step. Nodes that are needed most stay in memory. Of the others, those that several batches
need go once to a shared file, and the rest of each batch lies together in pages of its own, so that
a step reads little more than it uses.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, runtime_checkable
from weakref import finalize

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ...datasets.disk_features import PAGE, DiskFeatures

__all__ = ["FeatureStore", "MemoryStore", "PackedStore"]

# Nodes that so many batches of a segment need are shared.
SHARED_BY = 4


@runtime_checkable
class FeatureStore(Protocol):
    """Gives features of nodes, batch by batch.

    Attributes:
        read_bytes: Bytes that were read of disks, in whole pages.
    """

    read_bytes: int

    def plan(self, batches: Sequence[Int[Tensor, " _"]]) -> None:
        """Takes what will be asked for, in this order.

        Args:
            batches: Nodes of every batch.
        """

    def rows(self, number: int) -> Float[Tensor, "N F"]:
        """Gives the features of a batch of the plan.

        Args:
            number: Its place in the plan.
        """


class MemoryStore:
    """All features in memory.

    Args:
        features: Of all nodes.
    """

    def __init__(self, features: Float[Tensor, "N F"]) -> None:
        self._features, self.read_bytes = features, 0
        self._batches: Sequence[Tensor] = ()

    def plan(self, batches: Sequence[Int[Tensor, " _"]]) -> None:
        self._batches = batches

    def rows(self, number: int) -> Float[Tensor, "N F"]:
        return self._features[self._batches[number]]


@dataclass(frozen=True, eq=False)
class _Batch:
    """Where the features of a batch are.

    Args:
        hot: Places in the batch of nodes in memory, and their rows there.
        shared: Places of those in the shared file, and their rows there.
        own: Places of those in its own pages, in the order in which they lie there.
        offset: Where its own pages begin, in bytes.
    """

    hot: tuple[np.ndarray, np.ndarray]
    shared: tuple[np.ndarray, np.ndarray]
    own: np.ndarray
    offset: int


class PackedStore:
    """Features packed for the batches to come.

    Args:
        features: On disk.
        memory: Bytes of features that stay in memory.
        room: Bytes on disk for a segment of batches, as a multiple of the features'.
        folder: Where packed files are, while the store is; by default the system's for such.
    """

    def __init__(
        self,
        features: DiskFeatures,
        *,
        memory: int,
        room: float = 2.0,
        folder: str | Path | None = None,
    ) -> None:
        self._features, self._memory, self._room = features, memory, room
        self._folder = Path(tempfile.mkdtemp(prefix="features-", dir=folder))
        self._delete = finalize(self, shutil.rmtree, self._folder, ignore_errors=True)
        self._ahead = ThreadPoolExecutor(1)
        self._coming: tuple[int, Future[Tensor]] | None = None
        self._batches: list[np.ndarray] = []
        self._segment: tuple[int, list[_Batch]] = (0, [])
        self._hot = np.empty((0, features.shape[1]), np.float32)
        self._row_in_memory = np.empty(0, np.int64)
        self.read_bytes = 0

    def plan(self, batches: Sequence[Int[Tensor, " _"]]) -> None:
        self._wait()
        self._batches = [nodes.numpy() for nodes in batches]
        self._segment = (0, [])

    def rows(self, number: int) -> Float[Tensor, "N F"]:
        """Gives the features of a batch; those of the next are read meanwhile."""
        first, packed = self._segment
        if not first <= number < first + len(packed):
            self._wait()
            self._pack(number)
            first, packed = self._segment
        coming, self._coming = self._coming, None
        if coming is not None and coming[0] == number:
            told = coming[1].result()
        else:
            if coming is not None:
                coming[1].result()
            told = self._read(number)
        if number + 1 < first + len(packed):
            self._coming = (number + 1, self._ahead.submit(self._read, number + 1))
        return told

    def close(self) -> None:
        """Deletes the packed files."""
        self._wait()
        self._ahead.shutdown()
        self._delete()

    def _wait(self) -> None:
        if self._coming is not None:
            self._coming[1].result()
            self._coming = None

    # -- packing --------------------------------------------------------------------------------

    def _pack(self, first: int) -> None:
        """Packs the batches from one on, as many as there is room for, in one pass of the file."""
        # What was in memory makes room before the next is.
        self._hot = self._hot[:0].copy()
        size, nodes = self._features.row_bytes, self._features.shape[0]
        room = max(self._room * nodes * size, PAGE + size)
        count, used = 0, np.zeros(nodes, np.int64)
        taken = 0
        for batch in self._batches[first:]:
            taken += len(batch) * size + PAGE
            if count and taken > room:
                break
            used[batch] += 1
            count += 1
        hot = np.sort(np.argsort(-used, kind="stable")[: min(self._memory // size, nodes)])
        hot = hot[used[hot] > 0]
        row = np.full(nodes, -1, np.int64)
        row[hot] = np.arange(len(hot))
        shared = (used >= SHARED_BY) & (row < 0)
        # Those of the shared file lie in the order in which batches first need them.
        row_shared, placed = np.full(nodes, -1, np.int64), 0
        batches, offset = [], 0
        for nodes_of_batch in self._batches[first : first + count]:
            in_memory = row[nodes_of_batch] >= 0
            of_shared = shared[nodes_of_batch]
            new = nodes_of_batch[of_shared & (row_shared[nodes_of_batch] < 0)]
            row_shared[new] = np.arange(placed, placed + len(new))
            placed += len(new)
            own = np.flatnonzero(~in_memory & ~of_shared)
            # In the order of the file, which is that of packing.
            own = own[nodes_of_batch[own].argsort(kind="stable")]
            batches.append(
                _Batch(
                    (np.flatnonzero(in_memory), row[nodes_of_batch[in_memory]]),
                    (np.flatnonzero(of_shared), row_shared[nodes_of_batch[of_shared]]),
                    own,
                    offset,
                )
            )
            offset += -(-len(own) * size // PAGE) * PAGE
        self._hot = np.empty((len(hot), self._features.shape[1]), np.float32)
        self._scatter(first, batches, row, row_shared, placed, offset)
        self._segment = (first, batches)

    def _scatter(
        self,
        first: int,
        batches: list[_Batch],
        row: Int[np.ndarray, " N"],
        row_shared: Int[np.ndarray, " N"],
        placed: int,
        end: int,
    ) -> None:
        """Reads each row that is needed once, and writes it wherever that will be."""
        size = self._features.row_bytes
        needed = np.unique(np.concatenate(self._batches[first : first + len(batches)]))
        owners = [
            (self._batches[first + i][batch.own], batch.offset) for i, batch in enumerate(batches)
        ]
        pack, shared = self._path("pack"), self._path("shared")
        for path, length in ((pack, end), (shared, placed * size)):
            with path.open("wb") as file:
                file.truncate(max(length, 1))
        with pack.open("r+b") as into, shared.open("r+b") as also:
            near = max(1, PAGE // size)
            for nodes, some, read in self._features.gather(needed, near):
                self.read_bytes += read
                in_memory = row[nodes] >= 0
                self._hot[row[nodes][in_memory]] = some[in_memory]
                for i in np.flatnonzero(row_shared[nodes] >= 0):
                    also.seek(int(row_shared[nodes[i]]) * size)
                    also.write(some[i].tobytes())
                for own, offset in owners:
                    left, right = np.searchsorted(own, (nodes[0], nodes[-1] + 1))
                    if right > left:
                        into.seek(offset + int(left) * size)
                        into.write(some[np.searchsorted(nodes, own[left:right])].tobytes())

    # -- reading --------------------------------------------------------------------------------

    def _read(self, number: int) -> Float[Tensor, "N F"]:
        first, packed = self._segment
        batch, width = packed[number - first], self._features.shape[1]
        size = self._features.row_bytes
        told = np.empty((len(self._batches[number]), width), np.float32)
        places, rows = batch.hot
        told[places] = self._hot[rows]
        if len(batch.own):
            with self._path("pack").open("rb") as file:
                file.seek(batch.offset)
                own = np.fromfile(file, np.float32, len(batch.own) * width)
            told[batch.own] = own.reshape(-1, width)
            self.read_bytes += -(-len(batch.own) * size // PAGE) * PAGE
        places, rows = batch.shared
        if len(places):
            told[places] = self._of_shared(rows)
        return torch.from_numpy(told)

    def _of_shared(self, rows: Int[np.ndarray, " n"]) -> Float[np.ndarray, "n F"]:
        """Rows of the shared file, runs of neighbours in one read."""
        size, width = self._features.row_bytes, self._features.shape[1]
        order = rows.argsort()
        told = np.empty((len(rows), width), np.float32)
        ordered = rows[order]
        near = max(1, PAGE // size)
        breaks = np.flatnonzero(np.diff(ordered) > near) + 1
        with self._path("shared").open("rb") as file:
            for run in np.split(np.arange(len(ordered)), breaks):
                low, high = int(ordered[run[0]]), int(ordered[run[-1]]) + 1
                self.read_bytes += PAGE * ((high * size - 1) // PAGE - low * size // PAGE + 1)
                file.seek(low * size)
                some = np.fromfile(file, np.float32, (high - low) * width).reshape(-1, width)
                told[order[run]] = some[ordered[run] - low]
        return told

    def _path(self, name: str) -> Path:
        return self._folder / name
