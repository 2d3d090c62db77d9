"""Images that were decoded once, in files that are mapped into memory."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from ..core.errors import UsageError
from ..core.progress import progress_bar
from .cache import cache_folder, new_entry, reserve
from .decoding import Header, header, pixels

__all__ = ["Decoded", "Source", "decode"]

PIXELS, META = "pixels.bin", "meta.json"
# Of the format; with another, old entries are not found.
VERSION = 1
# Images that a thread takes at once, threads, and from how many images on a bar is shown.
CHUNK, THREADS, MANY = 32, min(8, os.cpu_count() or 1), 256
# Share of the usual side below which the smallest image costs a strong loss of resolution.
STRONG_LOSS = 0.5
_HINT = "Leave it out, or go on without such files: skip_corrupt=true."

T = TypeVar("T")


@dataclass(frozen=True)
class Source:
    """An image that is not decoded yet.

    Args:
        name: Its place within the data set.
        read: Returns the bytes of its file, or an image of Pillow; called more than once.
    """

    name: str
    read: Callable[[], bytes | Image.Image]


@dataclass(frozen=True, eq=False)
class Decoded:
    """Images of one size.

    Args:
        images: Mapped from a file; what is written to them stays in memory.
        kept: Which of the sources they are.
        notes: What was left out or lost, in sentences.
    """

    images: UInt8[Tensor, "N C H W"]
    kept: list[int]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Scanned:
    digest: str
    header: Header


@dataclass(frozen=True)
class _Form:
    """What all images are brought to."""

    width: int
    height: int
    grey: bool
    crop: bool

    @property
    def shape(self) -> tuple[int, int, int]:
        return (1 if self.grey else 3, self.height, self.width)


def decode(
    sources: Sequence[Source], resolution: int | None = None, *, skip_corrupt: bool = False
) -> Decoded:
    """Decodes images into a file, or finds the file where they were decoded before.

    1. Every source is read, for its header and a hash of its bytes.
    2. Images that are all of one size keep it. Others are fitted to the smallest side. They have
       one channel where all are grey, else three.
    3. The file goes by the hash of all names and bytes, and the size. Where it is missing, threads
       decode one image each at a time into a file beside, which is renamed when it is whole.

    Args:
        sources: The images.
        resolution: Height and width to fit all of them to.
        skip_corrupt: Leaves out those that cannot be read, and says how many.

    Raises:
        UsageError: Where one cannot be read, or none.
        OutputError: Where the cache cannot be written.
    """
    if resolution is not None and resolution < 1:
        raise UsageError(
            f"`resolution` is a side in pixels, got {resolution!r}.", "Write resolution=32."
        )
    scanned, bad = _scan(sources, skip_corrupt)
    headers = {place: each.header for place, each in scanned.items()}
    form, notes = _form(sources, headers, resolution)
    key = hashlib.blake2b(digest_size=20)
    key.update(json.dumps([VERSION, form.shape, form.crop, sorted(bad)]).encode())
    for place, each in scanned.items():
        key.update(f"\n{sources[place].name}\0{each.digest}".encode(errors="surrogateescape"))
    folder = cache_folder() / "images" / key.hexdigest()
    undecoded = _read_meta(folder, form, len(scanned))
    if undecoded is None:
        undecoded = _write(folder, [sources[place] for place in scanned], form, skip_corrupt)
    if undecoded and not skip_corrupt:
        raise UsageError(undecoded[min(undecoded)], _HINT)
    places = list(scanned)
    bad |= {places[row]: why for row, why in undecoded.items()}
    kept = [place for row, place in enumerate(places) if row not in undecoded]
    if not kept:
        raise UsageError(f"None of {len(sources)} images can be read.", bad[min(bad)])
    if bad:
        named = ", ".join(sources[place].name for place in sorted(bad)[:3])
        notes.append(
            f"{len(bad)} of {len(sources)} images cannot be read and are left out: {named}."
        )
    mapped = np.memmap(folder / PIXELS, np.uint8, mode="c", shape=(len(kept), *form.shape))
    return Decoded(torch.from_numpy(mapped), kept, tuple(notes))


def _scan(
    sources: Sequence[Source], skip_corrupt: bool
) -> tuple[dict[int, _Scanned], dict[int, str]]:
    """Headers and hashes of what can be read, and what is wrong with the rest."""
    scanned: dict[int, _Scanned] = {}
    bad: dict[int, str] = {}

    def scan(places: range) -> list[tuple[int, _Scanned | UsageError]]:
        return [(place, _scan_one(sources[place])) for place in places]

    for found in _in_threads(scan, len(sources), "reading"):
        for place, each in found:
            if isinstance(each, _Scanned):
                scanned[place] = each
            elif skip_corrupt:
                bad[place] = each.message
            else:
                raise each
    if not scanned:
        why = bad[min(bad)] if bad else "There are none."
        raise UsageError(f"None of {len(sources)} images can be read: {why}", "Is the path right?")
    return scanned, bad


def _scan_one(source: Source) -> _Scanned | UsageError:
    try:
        read = _read(source)
        hashed = read if isinstance(read, bytes) else read.tobytes()
        return _Scanned(
            f"{len(hashed)}-{hashlib.blake2b(hashed, digest_size=20).hexdigest()}",
            header(read, source.name),
        )
    except UsageError as error:
        return error


def _read(source: Source) -> bytes | Image.Image:
    try:
        return source.read()
    except OSError as error:
        raise UsageError(
            f"{source.name} cannot be read: {error.strerror or error}.", _HINT
        ) from None


def _form(
    sources: Sequence[Source], headers: dict[int, Header], resolution: int | None
) -> tuple[_Form, list[str]]:
    notes = []
    grey = sum(each.grey for each in headers.values())
    if 0 < grey < len(headers):
        notes.append(f"{grey} of {len(headers)} images are grey, and are read with three channels.")
    all_grey = grey == len(headers)
    if resolution is not None:
        return _Form(resolution, resolution, all_grey, True), notes
    if len({(each.width, each.height) for each in headers.values()}) == 1:
        first = next(iter(headers.values()))
        return _Form(first.width, first.height, all_grey, False), notes
    sides = {place: min(each.width, each.height) for place, each in headers.items()}
    smallest = min(sides, key=sides.__getitem__)
    side, usual = sides[smallest], median(sides.values())
    if side < STRONG_LOSS * usual:
        name = Path(sources[smallest].name).name
        notes.append(
            f"All images are fitted to {side} x {side}, the size of {name}; half of them have "
            f"{usual:g} or more. Another side is taken by resolution={round(usual)}."
        )
    return _Form(side, side, all_grey, True), notes


def _read_meta(folder: Path, form: _Form, count: int) -> dict[int, str] | None:
    """What could not be decoded, by row; None where the entry is missing or damaged."""
    try:
        meta = json.loads((folder / META).read_text(encoding="utf-8"))
        undecoded = {int(row): str(why) for row, why in meta["undecoded"].items()}
        size = (folder / PIXELS).stat().st_size
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None
    whole = size == (count - len(undecoded)) * int(np.prod(form.shape)) and size > 0
    return undecoded if whole else None


def _write(
    folder: Path, sources: Sequence[Source], form: _Form, skip_corrupt: bool
) -> dict[int, str]:
    """Decodes into a new folder, and returns what could not be, by row."""
    with new_entry(folder) as beside:
        reserve(beside / PIXELS, len(sources) * int(np.prod(form.shape)))
        rows = np.memmap(beside / PIXELS, np.uint8, mode="r+", shape=(len(sources), *form.shape))
        undecoded = _decode_into(rows, sources, form, skip_corrupt)
        kept = [row for row in range(len(sources)) if row not in undecoded]
        for place, row in enumerate(kept):
            if place != row:
                rows[place] = rows[row]
        rows.flush()
        del rows
        with (beside / PIXELS).open("r+b") as file:
            file.truncate(len(kept) * int(np.prod(form.shape)))
        (beside / META).write_text(json.dumps({"undecoded": undecoded}), encoding="utf-8")
    return undecoded


def _decode_into(
    rows: UInt8[np.ndarray, "N C H W"], sources: Sequence[Source], form: _Form, skip_corrupt: bool
) -> dict[int, str]:
    size = form.width, form.height
    undecoded: dict[int, str] = {}

    def fill(places: range) -> list[tuple[int, UsageError]]:
        failed = []
        for place in places:
            each = sources[place]
            try:
                rows[place] = pixels(_read(each), each.name, size, form.grey, form.crop)
            except UsageError as error:
                failed.append((place, error))
        return failed

    for failed in _in_threads(fill, len(sources), "decoding"):
        for place, error in failed:
            if not skip_corrupt:
                raise error
            undecoded[place] = error.message
    return undecoded


def _in_threads(work: Callable[[range], T], count: int, said: str) -> Iterator[T]:
    """Does work on a few of ``count`` at a time, in threads, and gives what comes in order."""
    chunks = [range(first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    pool = ThreadPoolExecutor(THREADS)
    try:
        with progress_bar(show=count >= MANY) as bar:
            task = bar.add_task(f"{said} images", total=count)
            for places, done in zip(chunks, pool.map(work, chunks), strict=True):
                yield done
                bar.update(task, advance=len(places))
    finally:
        pool.shutdown(cancel_futures=True)
