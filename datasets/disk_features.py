"""Features that stay on disk: of graphs whose features are larger than memory."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32, Int64
from scipy.sparse import csr_array

from ..core.errors import UsageError
from ..core.npz import read_npz
from .cache import cache_folder, new_entry, reserve

__all__ = ["PAGE", "DiskFeatures", "disk_features"]

# Bytes that are read at once where everything is gone through.
CHUNK = 8 << 20
VALUES, INFO = "features.f4", "features.json"
# Bytes that a disk gives at least.
PAGE = 4096


@dataclass(frozen=True)
class DiskFeatures:
    """Rows of 32-bit floats in a file.

    Args:
        path: The file.
        offset: Where they begin in it, in bytes.
        shape: Nodes and features.
    """

    path: Path
    offset: int
    shape: tuple[int, int]

    @property
    def row_bytes(self) -> int:
        """Bytes of a row."""
        return 4 * self.shape[1]

    def read(self, first: int, last: int) -> Float32[np.ndarray, "n F"]:
        """Reads rows that lie side by side.

        Args:
            first: The first.
            last: The one behind the last.
        """
        with self.path.open("rb") as file:
            file.seek(self.offset + first * self.row_bytes)
            told = np.fromfile(file, np.float32, (last - first) * self.shape[1])
        return told.reshape(-1, self.shape[1])

    def chunks(self) -> Iterator[tuple[int, Float32[np.ndarray, "n F"]]]:
        """Reads all rows, some at a time, each time with the number of the first."""
        step = max(1, CHUNK // max(1, self.row_bytes))
        for first in range(0, self.shape[0], step):
            yield first, self.read(first, min(first + step, self.shape[0]))

    def gather(
        self, nodes: Int64[np.ndarray, " n"], near: int
    ) -> Iterator[tuple[Int64[np.ndarray, " k"], Float32[np.ndarray, "k F"], int]]:
        """Reads the rows of nodes, some at a time; those that lie near one another at once.

        Args:
            nodes: Ascending, each once.
            near: Rows that may lie unused between two that are read at once.

        Returns:
            Some of the nodes, their rows, and how many bytes were read for them, in whole pages.
        """
        most = max(1, CHUNK // max(1, self.row_bytes))
        with self.path.open("rb") as file:
            for start in range(0, len(nodes), most):
                some = nodes[start : start + most]
                rows = np.empty((len(some), self.shape[1]), np.float32)
                read = 0
                for run in np.split(
                    np.arange(len(some)), np.flatnonzero(np.diff(some) > near + 1) + 1
                ):
                    first, last = int(some[run[0]]), int(some[run[-1]]) + 1
                    start_byte = self.offset + first * self.row_bytes
                    end_byte = self.offset + last * self.row_bytes
                    file.seek(start_byte)
                    told = np.fromfile(file, np.float32, (last - first) * self.shape[1])
                    rows[run] = told.reshape(-1, self.shape[1])[some[run] - first]
                    read += PAGE * ((end_byte - 1) // PAGE - start_byte // PAGE + 1)
                yield some, rows, read

    def toarray(self) -> Float32[np.ndarray, "N F"]:
        """Reads all rows into memory."""
        return self.read(0, self.shape[0])

    def astype(self, kind: type) -> csr_array:
        """Reads all rows into memory as a sparse matrix.

        Args:
            kind: Type of the values.
        """
        return csr_array(self.toarray()).astype(kind)


def disk_features(path: Path, columns: dict[str, str]) -> DiskFeatures:
    """Finds or makes the features of a ``.npz`` file on disk, never all of them in memory.

    An array of 32-bit floats that is not compressed (``np.savez``) is read where it lies. Anything
    else is written once to the cache, as rows of 32-bit floats.

    Args:
        path: The file.
        columns: Names of its arrays, by our names: ``x``, or ``x_indices`` and the others of CSR.

    Raises:
        UsageError: For features that are no matrix or not finite.
    """
    if "x" in columns:
        there = _stored(path, columns["x"])
        if there is not None:
            _check(there)
            return there
    stamp = path.stat()
    key = json.dumps([str(path.resolve()), stamp.st_size, stamp.st_mtime_ns, columns])
    entry = cache_folder() / "features" / hashlib.sha256(key.encode()).hexdigest()[:32]
    if not (entry / INFO).is_file():
        with new_entry(entry) as folder:
            shape = _written(path, columns, folder / VALUES)
            (folder / INFO).write_text(json.dumps({"shape": shape}), encoding="utf-8")
    rows, width = json.loads((entry / INFO).read_text(encoding="utf-8"))["shape"]
    made = DiskFeatures(entry / VALUES, 0, (rows, width))
    _check(made)
    return made


def _stored(path: Path, name: str) -> DiskFeatures | None:
    """The array in the archive itself; None where it is compressed or of another type."""
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo(f"{name}.npy")
        if member.compress_type != zipfile.ZIP_STORED:
            return None
        with archive.open(member) as opened:
            shape, order, kind = _header(opened)
            behind = opened.tell()
    if len(shape) != 2 or order or kind != np.dtype("<f4"):
        return None
    with path.open("rb") as file:
        # The header in the file itself may be longer than what the directory says.
        file.seek(member.header_offset + 26)
        name_size, extra_size = np.frombuffer(file.read(4), "<u2").tolist()
    start = member.header_offset + 30 + name_size + extra_size + behind
    return DiskFeatures(path, start, (shape[0], shape[1]))


def _header(file: Any) -> tuple[tuple[int, ...], bool, np.dtype[np.generic]]:
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0
    return (read if version == (1, 0) else np.lib.format.read_array_header_2_0)(file)


def _written(path: Path, columns: dict[str, str], out: Path) -> tuple[int, int]:
    """Writes the features row by row."""
    if "x" not in columns:
        return _expanded(path, columns, out)
    with zipfile.ZipFile(path) as archive, archive.open(f"{columns['x']}.npy") as file:
        shape, fortran, kind = _header(file)
        if len(shape) != 2 or kind.kind not in "fiub" or fortran:
            raise UsageError(
                f"`{columns['x']}` has the shape {shape} and the type {kind}.",
                "Features are a matrix of numbers, [nodes, features], row by row.",
            )
        rows, width = shape
        reserve(out, 4 * rows * width)
        step = max(1, CHUNK // max(1, width * kind.itemsize))
        with out.open("r+b") as into:
            for first in range(0, rows, step):
                count = (min(first + step, rows) - first) * width
                some = np.frombuffer(file.read(count * kind.itemsize), kind)
                some.astype(np.float32).tofile(into)
    return rows, width


def _expanded(path: Path, columns: dict[str, str], out: Path) -> tuple[int, int]:
    names = [columns[name] for name in ("x_indices", "x_indptr", "x_shape")]
    told = read_npz(path, names + ([columns["x_data"]] if "x_data" in columns else []))
    indices, indptr, shape = (told[name] for name in names)
    data = told[columns["x_data"]] if "x_data" in columns else np.ones(len(indices), np.float32)
    rows, width = map(int, shape.tolist())
    matrix = csr_array((data.astype(np.float32), indices, indptr), shape=(rows, width))
    reserve(out, 4 * rows * width)
    step = max(1, CHUNK // max(1, 4 * width))
    with out.open("r+b") as into:
        for first in range(0, rows, step):
            matrix[first : first + step].toarray().tofile(into)
    return rows, width


def _check(features: DiskFeatures) -> None:
    held = os.path.getsize(features.path) - features.offset
    if held < features.shape[0] * features.row_bytes:
        raise UsageError(f"{features.path.name} is cut off.", "Write it again.")
    for first, some in features.chunks():
        finite = np.isfinite(some).all(1)
        if not finite.all():
            node = first + int(np.flatnonzero(~finite)[0])
            raise UsageError(
                f"Features of node {node} are not finite.", "Fill them in, e.g. with 0."
            )
