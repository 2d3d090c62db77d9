"""Pages: one HTML file that needs nothing else, made of sections of plain data."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from typing import Any, ClassVar

__all__ = ["Block", "Cards", "Cell", "Code", "Facts", "Figure", "Prose", "Section", "Table", "page"]

Cell = str | float | int | bool | None
# Rows of a table that are there without a script.
SHOWN = 25


@dataclass(frozen=True)
class Prose:
    """Sentences.

    Args:
        text: A paragraph.
        tone: ``plain``, or ``warning`` for what must not be overlooked.
    """

    kind: ClassVar[str] = "prose"
    text: str
    tone: str = "plain"


@dataclass(frozen=True)
class Facts:
    """Names and what they are.

    Args:
        entries: By name.
    """

    kind: ClassVar[str] = "facts"
    entries: Mapping[str, str]


@dataclass(frozen=True)
class Figure:
    """A drawing.

    Args:
        svg: As `draw` or `plot` make it, and nothing that users wrote.
        caption: What it shows.
        paper: Whether it has a white ground of its own.
    """

    kind: ClassVar[str] = "figure"
    svg: str
    caption: str = ""
    paper: bool = False


@dataclass(frozen=True)
class Code:
    """Text to be copied.

    Args:
        text: As it stands.
        title: What it is; long ones are folded under it.
    """

    kind: ClassVar[str] = "code"
    text: str
    title: str = ""


@dataclass(frozen=True)
class Table:
    """Rows, which the page sorts, filters and turns over; without a script the first are there.

    Args:
        columns: Heads.
        rows: Text, numbers, or None where there is nothing.
        anchors: Name of each row, to which links such as ``#trial-3`` lead; blank for none.
    """

    kind: ClassVar[str] = "table"
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    anchors: Sequence[str] = ()

    @property
    def first(self) -> list[list[str]]:
        """The first rows as text."""
        return [[_shown(cell) for cell in row] for row in self.rows[:SHOWN]]

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers alone."""
        columns = zip(*self.rows, strict=True) if self.rows else [[]] * len(self.columns)
        kinds = [[cell for cell in column if cell is not None] for column in columns]
        return [bool(cells) and not any(isinstance(c, str) for c in cells) for cells in kinds]

    @property
    def data(self) -> str:
        """All rows as JSON that no text of theirs can end."""
        rows = [[_jsonable(cell) for cell in row] for row in self.rows]
        told = {"rows": rows, "anchors": list(self.anchors), "numeric": self.numeric}
        text = json.dumps(told, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        for letter in "<>&\u2028\u2029":
            text = text.replace(letter, f"\\u{ord(letter):04x}")
        return text


@dataclass(frozen=True)
class Cards:
    """Architectures side by side.

    Args:
        cards: Drawing, name that links lead to, heading and lines of each.
    """

    kind: ClassVar[str] = "cards"
    cards: Sequence[tuple[str, str, str, Sequence[str]]]


Block = Prose | Facts | Figure | Code | Table | Cards


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it.

    Args:
        title: The heading.
        blocks: From above.
    """

    title: str
    blocks: Sequence[Block]


def page(
    title: str, headline: str, sections: Sequence[Section], *, live: str = "", footer: str = ""
) -> str:
    """Writes a page: no server, no outside link, light and dark, down to 380 pixels.

    Everything but drawings is text, whatever is in it: markup in a name is shown, not run.

    Args:
        title: Of the window, and the first heading.
        headline: The answer, in a sentence or two.
        sections: What follows.
        live: A number that the page asks its server for (``version``), to show itself anew where
            that has changed; blank for a page that stands alone.
        footer: The last line.

    Example:
        >>> text = page("a < b", "Nothing.", [Section("All", [Prose("<script>")])])
        >>> "<h1>a &lt; b</h1>" in text, "<p>&lt;script&gt;</p>" in text
        (True, True)
    """
    import jinja2

    folder = files(__package__ or "") / "templates"
    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    given = {name: (folder / name).read_text("utf-8") for name in ("page.css", "page.js")}
    template = environment.from_string((folder / "page.html.j2").read_text("utf-8"))
    return template.render(
        title=title,
        headline=headline,
        sections=[section for section in sections if section.blocks],
        live=live,
        footer=footer,
        style=given["page.css"],
        script=given["page.js"],
    )


def _shown(cell: Cell) -> str:
    if cell is None or (isinstance(cell, float) and math.isnan(cell)):
        return "–"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if cell.is_integer() and abs(cell) >= 1e4 else f"{cell:.5g}"
    return str(cell)


def _jsonable(cell: Cell) -> Any:
    if isinstance(cell, float):
        return float(f"{cell:.7g}") if math.isfinite(cell) else None
    return cell
