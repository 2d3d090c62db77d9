from pathlib import Path

import pytest

from vitruvius.core.errors import CheckpointError
from vitruvius.generators.reading import first_line, index_names, read_json


def test_a_json_object_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"width": 8}')
    assert read_json(tmp_path / "config.json") == {"width": 8}


@pytest.mark.parametrize(
    ("content", "said"), [(b"[1]", "no JSON object"), (b"{", "is not JSON"), (b"\xff", "not JSON")]
)
def test_what_is_no_json_object(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(CheckpointError, match=said):
        read_json(tmp_path / "config.json")


def test_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"holds no config.json"):
        read_json(tmp_path / "config.json")


def test_an_index_names_its_class(tmp_path: Path) -> None:
    (tmp_path / "model_index.json").write_text('{"_class_name": "NAO"}')
    assert index_names(tmp_path, "NAO")
    assert not index_names(tmp_path, "NAOS")
    assert not index_names(tmp_path / "elsewhere", "NAO")


def test_the_first_line_of_an_error() -> None:
    assert first_line(ValueError("one\ntwo")) == "one"
    assert first_line(KeyError()) == "KeyError"
