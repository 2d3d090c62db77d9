import math
from xml.etree import ElementTree

import pytest

from vitruvius.core.errors import UsageError
from vitruvius.reports import contact_sheet, draw, sheet_caption
from vitruvius.spaces import space

SVG = "{http://www.w3.org/2000/svg}"
CELLS = space("nasbench201")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_all_drawings_are_inside(count: int) -> None:
    rows = CELLS.sample(count, 0)
    items = [(draw(CELLS, row), sheet_caption({"accuracy": 94.25}, hit=True)) for row in rows]
    sheet = ElementTree.fromstring(contact_sheet(items))
    nested = sheet.findall(f"{SVG}svg")
    assert len(nested) == count
    for drawing in nested:
        for start, extent in (("x", "width"), ("y", "height")):
            low, size = float(drawing.attrib[start]), float(drawing.attrib[extent])
            assert 0 <= low <= low + size <= float(sheet.attrib[extent])
    captions = [text.text for text in sheet.findall(f"{SVG}text")]
    assert captions == ["meets the target", "accuracy 94.25"] * count


def test_captions() -> None:
    assert sheet_caption({"a": math.nan, "b": 2.0, "c": 0.000012345}) == "b 2\nc 1.234e-05"
    assert sheet_caption({}, hit=False) == "✗ misses it"
    sheet = contact_sheet([(draw(CELLS, CELLS.example), "a < b")])
    assert "a &lt; b" in sheet


def test_long_captions_shrink() -> None:
    sheet = ElementTree.fromstring(contact_sheet([(draw(CELLS, CELLS.example), "long " * 30)]))
    [text] = sheet.findall(f"{SVG}text")
    assert float(text.attrib["font-size"]) < 5


def test_foreign_drawings() -> None:
    with pytest.raises(UsageError, match="made of drawings"):
        contact_sheet([("<html>", "")])
