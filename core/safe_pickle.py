"""Reading published tables that come as pickles without running what is in them."""

from __future__ import annotations

import copyreg
import io
import pickle
import pickletools
from collections.abc import Callable, Mapping
from pathlib import Path

from .errors import TableError

__all__ = ["NUMPY_NUMBERS", "load"]


class _DType:
    """Stands for ``numpy.dtype`` of a number."""

    def __init__(self, code: str, *flags: bool) -> None:
        self.code = code

    def __setstate__(self, state: tuple[object, ...]) -> None:
        self.order = state[1]


def _scalar(dtype: _DType, data: bytes) -> float | int:
    """Stands for numpy's scalar: reads eight little-endian bytes."""
    match dtype.code, dtype.order, len(data):
        case "f8", "<", 8:
            return memoryview(data).cast("d")[0]
        case "i8", "<", 8:
            return int.from_bytes(data, "little", signed=True)
    raise pickle.UnpicklingError(f"a number of type {dtype.order}{dtype.code}")


NUMPY_NUMBERS: dict[tuple[str, str], Callable[..., object]] = {
    ("numpy", "dtype"): _DType,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy._core.multiarray", "scalar"): _scalar,
}
"""Admits numpy's float64 and int64 scalars, read as plain numbers without numpy."""


class _Reader(pickle.Unpickler):
    allowed: Mapping[tuple[str, str], object]

    def find_class(self, module: str, name: str) -> object:
        if (module, name) not in self.allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return self.allowed[module, name]

    def persistent_load(self, pid: object) -> object:
        raise pickle.UnpicklingError("it refers to objects outside of the file")


def load(path: Path, allowed: Mapping[tuple[str, str], object]) -> object:
    """Reads a pickle that may hold plain Python values and what is listed, nothing else.

    Args:
        path: The file.
        allowed: ``(module, name)`` of what the pickle may ask for, mapped to what it gets; map
            foreign classes onto plain ones of your own. Never list anything that looks up
            attributes, imports or calls its arguments.

    Returns:
        What the pickle holds.

    Raises:
        TableError: Where there is no such file, or it is truncated, no pickle, or asks for
            anything else. Nothing of what it asks for has been run then.

    Example:
        >>> import collections, tempfile
        >>> file = Path(tempfile.mkdtemp()) / "table.pickle"
        >>> _ = file.write_bytes(pickle.dumps({"a": 1}))
        >>> load(file, {})
        {'a': 1}
        >>> _ = file.write_bytes(pickle.dumps(collections.OrderedDict(a=1)))
        >>> load(file, {})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        vitruvius...TableError: table.pickle is refused: it asks for collections.OrderedDict...
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise TableError(
            f"{path} cannot be read: {error.strerror}.", "Is the path right?"
        ) from None
    try:
        _refuse_extensions(content)
        reader = _Reader(io.BytesIO(content))
        reader.allowed = allowed
        return reader.load()
    # A broken pickle raises whatever its broken opcode stumbles over.
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise TableError(
            f"{path.name} is refused: {reason}.",
            "It is truncated, or not the published file; install its package again.",
        ) from error


def _refuse_extensions(content: bytes) -> None:
    """Refuses extension codes, whose cached objects the unpickler takes without asking.

    Without any code registered in this process they fail by themselves.
    """
    if not copyreg._inverted_registry:  # type: ignore[attr-defined]
        return
    if any(opcode.name.startswith("EXT") for opcode, _, _ in pickletools.genops(content)):
        raise pickle.UnpicklingError("it uses extension codes")
