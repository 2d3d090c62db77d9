import html
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings, strategies as st

from vitruvius.reports.page import SHOWN, Cards, Code, Facts, Figure, Prose, Section, Table, page

NASTY = "</script><script>alert('x')</script><img src=x onerror=alert(1)>\"'&"


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def tags_of(text: str) -> list[tuple[str, dict[str, str | None]]]:
    parser = _Tags()
    parser.feed(text)
    return parser.tags


def page_of(text: str) -> str:
    table = Table([text, "n"], [[text, k] for k in range(3)], ["a", "b", text])
    return page(
        text,
        text,
        [
            Section(
                text,
                [
                    Prose(text),
                    Prose(text, "warning"),
                    Facts({text: text}),
                    Figure("<svg></svg>", text),
                    Code(text, text),
                    table,
                    Cards([("<svg></svg>", text, text, [text])]),
                ],
            )
        ],
        footer=text,
    )


def plain() -> list[str]:
    return [tag for tag, _ in tags_of(page_of("plain"))]


@settings(max_examples=15, deadline=None)
@given(
    st.text(min_size=1, max_size=20) | st.sampled_from([NASTY, "{{ 7 * 7 }}", "\u2028<!--", "]]>"])
)
def test_text_is_shown_not_run(text: str) -> None:
    """Whatever a text is, there are the same elements, with the same handlers: none."""
    told = tags_of(page_of(text))
    assert [tag for tag, _ in told] == plain()
    assert not [name for _, attributes in told for name in attributes if name.startswith("on")]


def test_what_was_nasty_can_be_read() -> None:
    text = page_of(NASTY)
    assert html.escape(NASTY, quote=False).replace('"', "&#34;").replace("'", "&#39;") in text


def test_rows_come_back_as_they_were() -> None:
    rows = [[NASTY, 1.5, None], ["\u2028", float("nan"), 3]]
    text = page("t", "h", [Section("s", [Table(["a", "b", "c"], rows)])])
    found = re.search(r'<script type="application/json"[^>]*>(.*?)</script>', text, re.S)
    assert found is not None
    assert json.loads(found[1])["rows"] == [[NASTY, 1.5, None], ["\u2028", None, 3]]


def test_nothing_leads_outside() -> None:
    text = page_of("plain")
    assert not re.findall(r"""(?:src|href)=["'](?!#|data:)""", text)
    assert "url(" not in text
    assert "@import" not in text


def test_first_rows_are_there_without_a_script() -> None:
    text = page("t", "h", [Section("s", [Table(["n"], [[k] for k in range(1000)])])])
    assert text.count("<tr") == SHOWN + 1
    assert "<noscript>" in text


def test_sections_without_blocks_are_left_out() -> None:
    assert "empty one" not in page("t", "h", [Section("empty one", [])])


@pytest.mark.parametrize(
    ("cells", "numeric"), [([1, 2.5, None], True), (["1", 2], False), ([None, None], False)]
)
def test_columns_of_numbers(cells: list[float | str | None], numeric: bool) -> None:
    assert Table(["x"], [[cell] for cell in cells]).numeric == [numeric]
