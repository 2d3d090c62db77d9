from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from vitruvius.reports.lettering import escaped, fitting, joined, text_width


@given(st.text(max_size=30))
def test_any_text_is_xml(text: str) -> None:
    read = ElementTree.fromstring(f"<t>{escaped(text)}</t>").text or ""
    assert "".join(read.split()) == "".join(
        letter for letter in text if letter >= " " and not letter.isspace()
    ).replace("\ufffe", "").replace("\uffff", "")


@pytest.mark.parametrize("width", [20.0, 60.0, 300.0])
def test_lines_fit(width: float) -> None:
    for line in fitting("a few words and averyverylongwordindeed", width, 10.0):
        assert text_width(line, 10.0) <= max(width, text_width("m", 10.0))


def test_no_part_is_lost() -> None:
    parts = [f"name {k}: {k}" for k in range(9)]
    assert ", ".join(joined(parts, 120.0, 10.0)).split(", ") == parts
