import math
from xml.etree import ElementTree

import pytest

from vitruvius.core.errors import UsageError
from vitruvius.reports import Head, contact_sheet, draw, sheet_caption
from vitruvius.spaces import space

SVG = "{http://www.w3.org/2000/svg}"
CELLS = space("nasbench201")


@pytest.mark.parametrize("count", [0, 1, 2, 7, 40])
def test_all_drawings_are_inside(count: int) -> None:
    rows = CELLS.sample(count, 0)
    caption = sheet_caption({"accuracy": 94.25, "params": 3.0}, {"accuracy": True})
    items = [(draw(CELLS, row), caption) for row in rows]
    sheet = ElementTree.fromstring(contact_sheet(items))
    nested = sheet.findall(f"{SVG}svg")
    assert len(nested) == count
    for drawing in nested:
        for start, extent in (("x", "width"), ("y", "height")):
            low, size = float(drawing.attrib[start]), float(drawing.attrib[extent])
            assert 0 <= low <= low + size <= float(sheet.attrib[extent])
    captions = [text.text for text in sheet.findall(f"{SVG}text")]
    assert captions == ["accuracy 94.25", "params 3"] * count


def test_captions() -> None:
    assert sheet_caption({"a": math.nan, "b": 2.0, "c": 0.000012345}) == "b 2\nc 1.234e-05"
    assert sheet_caption({"a": 1.0, "b": 2.0}, {"a": True, "b": False}) == "✓ a 1\n○ b 2"
    sheet = contact_sheet([(draw(CELLS, CELLS.example), "a < b")])
    assert "a &lt; b" in sheet


def test_what_stands_above_is_a_line_and_a_bar_beside_chance() -> None:
    drawing = draw(CELLS, CELLS.example)
    plain = ElementTree.fromstring(contact_sheet([(drawing, "")]))
    head = Head("2 of 4 meet a < b", share=0.5, chance=0.1)
    sheet = ElementTree.fromstring(contact_sheet([(drawing, "")], head))
    assert float(sheet.attrib["height"]) > float(plain.attrib["height"])
    assert next(text.text for text in sheet.findall(f"{SVG}text")) == "2 of 4 meet a < b"
    whole, share = [float(bar.attrib["width"]) for bar in sheet.findall(f"{SVG}rect")[1:3]]
    assert share == pytest.approx(whole / 2)


def test_long_captions_shrink() -> None:
    sheet = ElementTree.fromstring(contact_sheet([(draw(CELLS, CELLS.example), "long " * 30)]))
    [text] = sheet.findall(f"{SVG}text")
    assert float(text.attrib["font-size"]) < 5


def test_foreign_drawings() -> None:
    with pytest.raises(UsageError, match="made of drawings"):
        contact_sheet([("<html>", "")])
