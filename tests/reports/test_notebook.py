import pandas as pd

from vitruvius.reports import draw, notebook_html
from vitruvius.reports.notebook import MOST_DRAWINGS, MOST_ROWS
from vitruvius.spaces import space

CELLS = space("nasbench201")


def test_text_of_users_is_no_markup() -> None:
    frame = pd.DataFrame({"<i>acc</i>": ["<script>"], "$x$": ["$y$"]})
    drawing = (draw(CELLS, CELLS.example), "acc <1> & more")
    page = notebook_html("1 < 2 & 3", frame, [drawing], ["<note>"])
    for raw in ("<i>", "<script>", "<note>", "<1>"):
        assert raw not in page
    assert "1 &lt; 2 &amp; 3" in page
    assert page.startswith('<div class="tex2jax_ignore mathjax_ignore"')
    assert page.endswith("</div>")


def test_what_people_copy_is_whole() -> None:
    text = "|nor_conv_3x3~0|+" * 20
    page = notebook_html("", pd.DataFrame({"architecture": [text]}))
    assert text in page


def test_the_page_stays_short() -> None:
    frame = pd.DataFrame({"number": range(1000)})
    page = notebook_html("", frame, [(draw(CELLS, CELLS.example), "")] * 50)
    assert page.count("<tr>") <= MOST_ROWS + 2
    assert "1000 rows" in page
    assert f"<title>{MOST_DRAWINGS} architectures</title>" in page


def test_nothing_is_no_table_and_no_sheet() -> None:
    page = notebook_html("none yet", pd.DataFrame({"number": []}))
    assert "<table" not in page
    assert "<svg" not in page
