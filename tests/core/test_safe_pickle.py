import copyreg
import io
import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from vitruvius.core.errors import TableError
from vitruvius.core.safe_pickle import NUMPY_NUMBERS, load


class Calls:
    """Pickles as a call."""

    def __init__(self, function: object, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return self.call


class Plain:
    pass


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Path]:
    """A file that must not come into being."""
    path = tmp_path / "witness"
    yield path
    assert not path.exists()


def written(folder: Path, content: bytes) -> Path:
    path = folder / "table.pickle"
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_plain_values_come_back(tmp_path: Path, protocol: int) -> None:
    value = {(1, 2): [None, True, 0.5, "a", b"b"], 7: {"x": -(2**70)}}
    # How the oldest protocols write bytes.
    admitted = {
        ("_codecs", "encode"): lambda text, _: text.encode("latin1"),
        ("__builtin__", "bytes"): bytes,
    }
    assert load(written(tmp_path, pickle.dumps(value, protocol)), admitted) == value


def test_numbers_of_numpy_are_plain_numbers(tmp_path: Path) -> None:
    value = [np.float64(0.1), np.int64(-3), np.float64("nan")]
    x, k, nan = load(written(tmp_path, pickle.dumps(value)), NUMPY_NUMBERS)  # type: ignore[misc]
    assert (x, k, type(x), type(k)) == (0.1, -3, float, int)
    assert nan != nan


def test_other_types_of_numpy_are_refused(tmp_path: Path) -> None:
    for value in (np.complex128(1j), np.float64([1, 2]), np.array([object()])):
        with pytest.raises(TableError, match="refused"):
            load(written(tmp_path, pickle.dumps(value)), NUMPY_NUMBERS)


def test_a_foreign_class_becomes_a_plain_one(tmp_path: Path) -> None:
    content = pickle.dumps(Plain(), 2)
    stand_in = type("StandIn", (), {})
    content_with_state = content[:-1] + b"}(X\x01\x00\x00\x00aK\x07ub."
    loaded = load(written(tmp_path, content_with_state), {(Plain.__module__, "Plain"): stand_in})
    assert type(loaded) is stand_in
    assert vars(loaded) == {"a": 7}


@pytest.mark.parametrize("admitted", [{}, NUMPY_NUMBERS])
@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize("kind", ["system", "eval", "open", "nested"])
def test_nothing_runs(
    tmp_path: Path, witness: Path, kind: str, protocol: int, admitted: dict[tuple[str, str], object]
) -> None:
    value: object = {
        "system": Calls(os.system, f"touch {witness}"),
        "eval": Calls(eval, f"open({str(witness)!r}, 'w')"),
        "open": Calls(open, str(witness), "w"),
        "nested": {1: [Calls(getattr, Calls(__import__, "os"), "system")]},
    }[kind]
    with pytest.raises(TableError, match="refused: it asks for"):
        load(written(tmp_path, pickle.dumps(value, protocol)), admitted)


def test_a_call_smuggled_in_as_state_does_not_run(tmp_path: Path, witness: Path) -> None:
    # numpy.dtype made with arguments and a state that hold a call.
    call = pickle.dumps(Calls(os.system, f"touch {witness}"), 0)[:-1]
    content = b"cnumpy\ndtype\n(" + call + b"tR."
    with pytest.raises(TableError, match="system"):
        load(written(tmp_path, content), NUMPY_NUMBERS)


@pytest.mark.parametrize(
    "content",
    [b"cos\nsystem\n.", b"\x80\x04\x8c\x02os\x8c\x06system\x93.", b"(ios\nsystem\n.",
     b"\x80\x04\x8c\x08builtins\x8c\x0fdict.__init__x\x93."],
)  # fmt: skip
def test_every_opcode_that_names_something_is_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(TableError, match="refused"):
        load(written(tmp_path, content), {})


@pytest.mark.parametrize("cached", [False, True])
def test_extension_codes_are_refused(tmp_path: Path, witness: Path, cached: bool) -> None:
    code = 0x7FFFFFF0
    copyreg.add_extension("os", "system", code)
    try:
        content = b"\x80\x02\x84" + code.to_bytes(4, "little")
        if cached:
            assert pickle.loads(content + b".") is os.system
        text = f"touch {witness}".encode()
        argument = b"X" + len(text).to_bytes(4, "little") + text
        with pytest.raises(TableError, match="extension"):
            load(written(tmp_path, content + argument + b"\x85R."), {})
        assert load(written(tmp_path, pickle.dumps([1])), {}) == [1]
    finally:
        copyreg.remove_extension("os", "system", code)
        copyreg._extension_cache.clear()  # type: ignore[attr-defined]


def test_unregistered_extension_codes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="refused"):
        load(written(tmp_path, b"\x80\x02\x82\x07."), {})


def test_persistent_ids_are_refused(tmp_path: Path) -> None:
    for content in (b"Psomething\n.", b"X\x01\x00\x00\x00aQ."):
        with pytest.raises(TableError, match="outside of the file"):
            load(written(tmp_path, content), {})


def test_every_truncation_is_refused(tmp_path: Path) -> None:
    content = pickle.dumps({"a": [1.5, "b", (2, None)]})
    for length in range(len(content)):
        with pytest.raises(TableError, match="refused"):
            load(written(tmp_path, content[:length]), {})


def test_what_is_no_pickle_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3))
    for content in (b"", b"hello", buffer.getvalue(), b"\x80\xff."):
        with pytest.raises(TableError, match=r"table\.pickle is refused"):
            load(written(tmp_path, content), {})


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read: No such file"):
        load(tmp_path / "nowhere", {})
