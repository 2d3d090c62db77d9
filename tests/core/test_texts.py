from pathlib import Path

import pytest

from vitruvius.core.errors import UsageError
from vitruvius.core.texts import decode, numbered_lines, read_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_encoding_with_a_mark_and_any_line_end(encoding: str, end: str) -> None:
    text = decode(f"a{end}{end}µ b{end}".encode(encoding), "pool.txt")
    assert numbered_lines(text) == [(1, "a"), (3, "µ b")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"a\n\xff\xf0", "pool.txt is no text in UTF-8: line 2 holds the byte 0xff"),
        ("a".encode("utf-16-le"), "zero bytes"),
        (b"\xff\xfea", "no text in UTF-16"),
    ],
)
def test_what_is_no_text_has_one_clear_error(content: bytes, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        decode(content, "pool.txt")


@pytest.mark.parametrize("name", ["nowhere", "", "a\0b"])
def test_a_file_that_cannot_be_read(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        read_text(tmp_path / name)
